/* A batch source without files: waves that move, two variables, any number of windows. */
#pragma once
#include <math.h>

#include "engine/base/error.h"
#include "engine/nn/config.h"
#include "engine/train/batch_source.h"

typedef struct {
    M2nBatchSource source;
    double scale[2];
    gint64 broken; /* training window that reads as NaN, -1 none */
    guint reads;
} Wave;

/* A network that learns them in seconds. */
static inline M2nConfig
wave_config(void)
{
    return (M2nConfig){
        .steps = 2, .hid_S = 4, .hid_T = 16, .N_S = 2, .N_T = 2, .momentum_ema = 0.9, .drop_path = 0.2};
}

static const char *const wave_names[] = {"u", "v"}, *const wave_units[] = {"m s**-1", "K"};

static void
fill_wave(float *out, guint64 start, guint t)
{
    for (guint s = 0; s < t; s++)
        for (guint v = 0; v < 2; v++)
            for (guint i = 0; i < 8; i++)
                for (guint j = 0; j < 16; j++)
                    *out++ = (float)(1.2 * sin(0.39 * (double)j + 0.3 * (double)(start + s) + v) *
                                     cos(0.4 * (double)i + 0.1 * (double)(start + s) * v));
}

static gboolean
read_wave(gpointer data, M2nSpan span, guint64 index, float *x, float *y, GError **error)
{
    Wave *w = data;
    const guint64 start = index + (span == M2N_SPAN_TRAIN ? 0 : 1000);

    (void)error;
    w->reads++;
    fill_wave(x, start, w->source.steps);
    fill_wave(y, start + w->source.steps, w->source.steps);
    if (span == M2N_SPAN_TRAIN && (gint64)index == w->broken)
        x[0] = NAN;
    return TRUE;
}

static void
describe_wave(gpointer data, M2nSafetensorsWriter *out)
{
    (void)data;
    m2n_safetensors_writer_metadata(out, "variables", "[{\"name\": \"u\"}, {\"name\": \"v\"}]");
}

static inline void
wave_init(Wave *w)
{
    *w = (Wave){.scale = {1, 1}, .broken = -1};
    w->source = (M2nBatchSource){
        .steps = 2,
        .variables = 2,
        .height = 8,
        .width = 16,
        .n_windows = {22, 5, 0},
        .names = wave_names,
        .units = wave_units,
        .scale = w->scale,
        .fingerprint = "wave",
        .data = w,
        .read = read_wave,
        .describe = describe_wave,
    };
}
