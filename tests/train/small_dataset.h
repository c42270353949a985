/* A prepared dataset of two variables on 2 x 3 points, an hour apart, in a folder that is gone afterwards. */
#pragma once
#include <glib/gstdio.h>

#include "grib/dataset.h"

enum { V = 2, H = 2, W = 3, PER_TIME = V * H * W };

/* 2024-01-01T00:00:00Z */
#define START G_GINT64_CONSTANT(1704067200)
#define HOUR 3600

static inline M2nDomain *
new_domain(void)
{
    static const double geo[6] = {10, 1, 0, 50, 0, -1};
    M2nDomain *d = g_new0(M2nDomain, 1);

    d->n_variables = V;
    d->variables = g_new0(M2nVariable, V);
    for (guint v = 0; v < V; v++) {
        g_strlcpy(d->variables[v].name, v ? "t2m" : "u10", sizeof d->variables[v].name);
        g_strlcpy(d->variables[v].units, v ? "K" : "m s**-1", sizeof d->variables[v].units);
        g_strlcpy(d->variables[v].type_of_level, "heightAboveGround", 64);
        d->variables[v].param_id = v ? 167 : 165;
    }
    d->grid = m2n_grid_new_affine("EPSG:4326", W, H, geo);
    d->time_step = HOUR;
    return d;
}

/* u10 counts hours; t2m is 280 and a bit that depends on place and hour */
static inline void
fill(float *x, guint hour)
{
    for (guint i = 0; i < PER_TIME; i++)
        x[i] = i < H * W ? (float)hour : 280.0f + (float)i + 0.5f * (float)(hour % 4);
}

typedef struct {
    char *folder, *path;
    M2nDomain *domain;
} Place;

static inline Place
new_place(void)
{
    Place p = {.folder = g_dir_make_tmp("m2n-data-XXXXXX", NULL), .domain = new_domain()};

    p.path = g_build_filename(p.folder, "d.safetensors", NULL);
    return p;
}

static inline void
clear_place(Place *p)
{
    g_remove(p->path);
    g_assert_cmpint(g_rmdir(p->folder), ==, 0); /* no litter */
    g_free(p->folder);
    g_free(p->path);
    m2n_domain_free(p->domain);
}

/* Hours 0 .. n-1 but those in `gaps` (ends with -1). */
static inline void
write_hours(const Place *p, guint n, const gint *gaps, const M2nSplit *split)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nDatasetWriter) w = m2n_dataset_writer_new(p->path, p->domain, &error);

    g_assert_no_error(error);
    for (guint hour = 0; hour < n; hour++) {
        float x[PER_TIME];

        if (gaps != NULL && (gint)hour == *gaps) {
            gaps++;
            continue;
        }
        fill(x, hour);
        g_assert_true(m2n_dataset_writer_append(w, START + hour * HOUR, x, &error));
    }
    g_assert_true(m2n_dataset_writer_finish(w, split, &error));
    g_assert_no_error(error);
}

static inline M2nDataset *
open_place(const Place *p)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nSource) source = m2n_source_open_file(p->path, &error);
    M2nDataset *d = m2n_dataset_open(source, &error);

    g_assert_no_error(error);
    return d;
}

static inline M2nTimeSpan
hours(gint64 first, gint64 last)
{
    return (M2nTimeSpan){START + first * HOUR, START + last * HOUR};
}

static inline M2nSplit
split_of(M2nTimeSpan train, M2nTimeSpan validation, M2nTimeSpan test)
{
    return (M2nSplit){{train, validation, test}};
}
