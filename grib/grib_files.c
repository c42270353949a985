/* Forecasts as GRIB2 files: which message goes where, in which order. */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "grib/grib_plan.h"

/* (transfer full) What tells a variable's file from the others: "t2m"; "850hPa", "surface". NULL: nothing. */
static char *
file_key(const M2nGribWriter *w, guint variable)
{
    const M2nVariable *v = &m2n_grib_writer_domain(w)->variables[variable];

    switch (m2n_grib_writer_options(w)->files) {
    case M2N_FILES_PER_VARIABLE:
        return g_strdup(v->name);
    case M2N_FILES_PER_LEVEL:
        if (g_str_equal(v->type_of_level, "isobaricInhPa"))
            return g_strdup_printf("%ghPa", v->level);
        if (g_str_equal(v->type_of_level, "heightAboveGround"))
            return g_strdup_printf("%gm", v->level);
        return g_strdup(v->type_of_level);
    default:
        return NULL;
    }
}

/* (transfer full) "dir/out.grib2" and "t2m" to "dir/out_t2m.grib2". */
static char *
path_with_key(const char *path, const char *key)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');

    if (key == NULL)
        return g_strdup(path);
    if (dot == NULL || (slash != NULL && dot < slash) || dot == path)
        dot = path + strlen(path);
    return g_strdup_printf("%.*s_%s%s", (int)(dot - path), path, key, dot);
}

GStrv
m2n_grib_writer_paths(const M2nGribWriter *w, const char *path)
{
    g_autoptr(GPtrArray) paths = g_ptr_array_new();

    for (guint i = 0; i < m2n_grib_writer_domain(w)->n_variables; i++) {
        g_autofree char *key = file_key(w, i);
        char *p = path_with_key(path, key);
        if (g_ptr_array_find_with_equal_func(paths, p, g_str_equal, NULL))
            g_free(p);
        else
            g_ptr_array_add(paths, p);
    }
    g_ptr_array_add(paths, NULL);
    return (GStrv)g_ptr_array_free(g_steal_pointer(&paths), FALSE);
}

typedef struct {
    M2nGribWriter *writer;
    const char *path; /* of the whole forecast */
    gint64 init_time;
    guint steps;
    const float *fields;
    M2nProgressFunc progress;
    gpointer user_data;
    guint done;
} Save;

static gboolean
io_failed(const char *path, GError **error)
{
    g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: %s", path, g_strerror(errno));
    return FALSE;
}

static gboolean
put(Save *s, FILE *f, const char *target, guint step, guint variable, GError **error)
{
    const M2nDomain *d = m2n_grib_writer_domain(s->writer);
    const gsize field = ((gsize)step * d->n_variables + variable) * d->grid->n_points;
    const gint64 valid = s->init_time + (gint64)(step + 1) * d->time_step;
    g_autoptr(GBytes) m =
        m2n_grib_writer_message(s->writer, variable, s->init_time, valid, s->fields + field, error);
    gsize n = 0;

    if (m == NULL) {
        g_prefix_error(error, "%s: ", target);
        return FALSE;
    }
    const void *bytes = g_bytes_get_data(m, &n);
    if (fwrite(bytes, 1, n, f) != n)
        return io_failed(target, error);
    s->done++;
    if (s->progress != NULL && !s->progress((double)s->done / ((double)s->steps * d->n_variables),
                                            "writing GRIB2", s->user_data)) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_CANCELLED, "%s: writing was stopped", target);
        return FALSE;
    }
    return TRUE;
}

/* The messages that belong into `target`, in the order asked for. */
static gboolean
put_all(Save *s, FILE *f, const char *target, GError **error)
{
    const guint n = m2n_grib_writer_domain(s->writer)->n_variables;
    const gboolean variable_major = m2n_grib_writer_options(s->writer)->variable_major;

    for (guint k = 0; k < s->steps * n; k++) {
        const guint step = variable_major ? k % s->steps : k / n;
        const guint variable = variable_major ? k / s->steps : k % n;
        g_autofree char *key = file_key(s->writer, variable);
        g_autofree char *path = path_with_key(s->path, key);

        if (g_str_equal(path, target) && !put(s, f, target, step, variable, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean
save_file(Save *s, const char *target, GError **error)
{
    g_autofree char *part = g_strdup_printf("%s.XXXXXX", target);
    const int fd = g_mkstemp_full(part, O_RDWR, 0666);

    if (fd < 0)
        return io_failed(target, error);
    FILE *f = fdopen(fd, "wb");
    if (f == NULL)
        close(fd);
    gboolean ok = f != NULL ? put_all(s, f, target, error) : io_failed(target, error);
    if (ok && (fflush(f) != 0 || fsync(fd) != 0))
        ok = io_failed(target, error);
    if (f != NULL && fclose(f) != 0 && ok)
        ok = io_failed(target, error);
    ok = ok && m2n_durable_rename(part, target, error);
    g_unlink(part); /* gone already when all went well */
    return ok;
}

gboolean
m2n_grib_writer_save(M2nGribWriter *w, const char *path, gint64 init_time, guint steps,
                     const float *fields, M2nProgressFunc progress, gpointer user_data,
                     GError **error)
{
    g_auto(GStrv) paths = m2n_grib_writer_paths(w, path);
    Save s = {w, path, init_time, steps, fields, progress, user_data, 0};

    for (char **p = paths; *p != NULL; p++)
        if (!save_file(&s, *p, error))
            return FALSE;
    return TRUE;
}
