#include "plugin/cli/data_options.h"

#include <math.h>

#include "engine/base/error.h"

GOptionEntry *
m2n_data_option_entries(M2nDataOptions *o, guint *n)
{
    const GOptionEntry entries[] = {
        {"variables", 'v', 0, G_OPTION_ARG_STRING, &o->variables, "Such as u10,v10,t2m,tcc,r1000",
         "LIST"},
        {"like", 0, 0, G_OPTION_ARG_FILENAME, &o->like,
         "Variables, grid and time step of this model or data set", "FILE"},
        {"region", 0, 0, G_OPTION_ARG_STRING, &o->region,
         "Outer edges west,south,east,north [the input's]", "W,S,E,N"},
        {"size", 0, 0, G_OPTION_ARG_STRING, &o->size, "Columns x rows, such as 64x32", "WxH"},
        {"resolution", 0, 0, G_OPTION_ARG_DOUBLE, &o->resolution, "Grid spacing [the input's]",
         "X"},
        {"crs", 0, 0, G_OPTION_ARG_STRING, &o->crs, "Of region and result [the input's]", "CRS"},
        {"time-step", 0, 0, G_OPTION_ARG_STRING, &o->time_step,
         "Such as 1h [the input's most frequent]", "DURATION"},
        {"resampling", 0, 0, G_OPTION_ARG_STRING, &o->resampling,
         "bilinear, nearest or conservative [bilinear]", "WAY"},
        {"train", 0, 0, G_OPTION_ARG_STRING, &o->spans[M2N_SPAN_TRAIN],
         "Training span, such as 2010/2015 [all but the last fifth]", "SPAN"},
        {"validation", 0, 0, G_OPTION_ARG_STRING, &o->spans[M2N_SPAN_VALIDATION],
         "Validation span [the last but one tenth]", "SPAN"},
        {"test", 0, 0, G_OPTION_ARG_STRING, &o->spans[M2N_SPAN_TEST], "Test span [the last tenth]",
         "SPAN"},
        {"skip-missing", 0, 0, G_OPTION_ARG_NONE, &o->skip_missing,
         "Leave out times with missing values", NULL},
    };

    *n = G_N_ELEMENTS(entries);
    return g_memdup2(entries, sizeof entries);
}

void
m2n_data_options_clear(M2nDataOptions *o)
{
    char **strings[] = {&o->variables, &o->like,       &o->region,   &o->size,     &o->crs,
                        &o->time_step, &o->resampling, &o->spans[0], &o->spans[1], &o->spans[2]};

    for (gsize i = 0; i < G_N_ELEMENTS(strings); i++)
        g_clear_pointer(strings[i], g_free);
}

gboolean
m2n_data_options_read(const M2nDataOptions *o, const char *const *inputs,
                      M2nPrepareOptions *prepare, GError **error)
{
    static const char *const ways[] = {"bilinear", "nearest", "conservative"};

    *prepare = (M2nPrepareOptions){
        .inputs = inputs,
        .variables = o->variables,
        .like = o->like,
        .region = o->region,
        .size = o->size,
        .crs = o->crs,
        .resolution = o->resolution,
        .time_step = o->time_step,
        .spans = {o->spans[0], o->spans[1], o->spans[2]},
        .skip_missing = o->skip_missing,
    };
    if (!(o->resolution >= 0 && o->resolution < HUGE_VAL)) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "--resolution: %g is not a number above 0",
                    o->resolution);
        return FALSE;
    }
    for (guint i = 0; i < G_N_ELEMENTS(ways); i++)
        if (o->resampling == NULL || g_ascii_strcasecmp(o->resampling, ways[i]) == 0) {
            prepare->method = (M2nRegridMethod)i;
            return TRUE;
        }
    g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                "--resampling: '%s' is not bilinear, nearest or conservative", o->resampling);
    return FALSE;
}

gboolean
m2n_data_options_none(const M2nDataOptions *o, const char *dataset, GError **error)
{
    const struct {
        const char *name;
        gboolean given;
    } options[] = {
        {"variables", o->variables != NULL},   {"like", o->like != NULL},
        {"region", o->region != NULL},         {"size", o->size != NULL},
        {"resolution", o->resolution != 0},    {"crs", o->crs != NULL},
        {"time-step", o->time_step != NULL},   {"resampling", o->resampling != NULL},
        {"skip-missing", o->skip_missing},
    };

    for (guint i = 0; i < G_N_ELEMENTS(options); i++)
        if (options[i].given) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "--%s: %s is prepared already; this is for archives",
                        options[i].name, dataset);
            return FALSE;
        }
    return TRUE;
}
