/* The reading half of what we know of eccodes: keys to M2nGribHeader, packed data to floats. */
#include "grib/grib_reader.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/error.h"
#include "grib/grib_eccodes.h"
#include "grib/grib_spec.h"

#define MISSING 9.999e20 /* not a value any quantity takes */

struct M2nGribReader {
    M2nSource *source;
    GArray *entries; /* of M2nGribEntry */
    GMutex lock;
    GHashTable
        *grids; /* grid section bytes -> M2nGribHeader with the grid part alone; under `lock` */
};

typedef struct { /* whom an error is about */
    const M2nGribReader *reader;
    guint number;
} Where;

/* ---- eccodes' voice ------------------------------------------------------------------------ */

static _Thread_local int quiet; /* depth of M2N_ECCODES_QUIET in this thread */

static void
log_or_not(const codes_context *c, int level, const char *message)
{
    (void)c;
    if (quiet == 0) /* as eccodes itself would: another user of it in this process */
        fprintf(stderr, "%s: %s\n", level == 2 ? "ECCODES ERROR  " : "ECCODES INFO   ", message);
}

void
m2n_eccodes_quiet_begin(void)
{
    static gsize once = 0;

    if (g_once_init_enter(&once)) {
        codes_context_set_logging_proc(codes_context_get_default(), log_or_not);
        g_once_init_leave(&once, 1);
    }
    quiet++;
}

void
m2n_eccodes_quiet_end(void)
{
    quiet--;
}

static void
free_layout(gpointer h)
{
    m2n_grib_header_clear(h);
    g_free(h);
}

M2nGribReader *
m2n_grib_reader_open(M2nSource *source, GError **error)
{
    GArray *entries = m2n_grib_scan(source, error);

    if (entries == NULL)
        return NULL;
    M2nGribReader *r = g_new0(M2nGribReader, 1);
    r->source = m2n_source_ref(source);
    r->entries = entries;
    r->grids = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref,
                                     free_layout);
    g_mutex_init(&r->lock);
    return r;
}

void
m2n_grib_reader_close(M2nGribReader *r)
{
    m2n_source_unref(r->source);
    g_array_unref(r->entries);
    g_hash_table_unref(r->grids);
    g_mutex_clear(&r->lock);
    g_free(r);
}

guint
m2n_grib_reader_count(const M2nGribReader *r)
{
    return r->entries->len;
}

const M2nGribEntry *
m2n_grib_reader_entry(const M2nGribReader *r, guint i)
{
    g_assert(i < r->entries->len);
    return &g_array_index(r->entries, M2nGribEntry, i);
}

const char *
m2n_grib_reader_name(const M2nGribReader *r)
{
    return m2n_source_name(r->source);
}

void
m2n_grib_header_clear(M2nGribHeader *h)
{
    if (h->grid != NULL)
        m2n_grid_unref(h->grid);
    h->grid = NULL;
}

/* ---- keys ---------------------------------------------------------------------------------- */

/* Every failure names file, message and key, so that the user can find it with grib_dump. */
static gboolean
fail(const Where *w, const char *key, int err, GError **error)
{
    g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "%s: message %u: %s: %s",
                m2n_source_name(w->reader->source), w->number, key, codes_get_error_message(err));
    return FALSE;
}

static gboolean
get_long(const Where *w, codes_handle *h, const char *key, long *v, GError **error)
{
    const int err = codes_get_long(h, key, v);
    return err == CODES_SUCCESS || fail(w, key, err, error);
}

static gboolean
get_text(const Where *w, codes_handle *h, const char *key, char *v, gsize n, GError **error)
{
    gsize length = n;
    const int err = codes_get_string(h, key, v, &length);

    return err == CODES_SUCCESS || fail(w, key, err, error);
}

static long
long_or(codes_handle *h, const char *key, long otherwise)
{
    long v;

    return codes_get_long(h, key, &v) == CODES_SUCCESS && v != CODES_MISSING_LONG ? v : otherwise;
}

/* Seconds since 1970 of a Gregorian date; climatologies have year 0.  Source: days_from_civil, H. Hinnant's
 * note on calendar algorithms. */
static gint64
civil_time(long year, long month, long day, long seconds)
{
    const gint64 y = month <= 2 ? year - 1 : year;
    const gint64 era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    const gint64 of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    const gint64 days = of_era * 365 + of_era / 4 - of_era / 100 + of_year;

    return (era * 146097 + days - 719468) * 86400 + seconds;
}

static gboolean
unix_time(const Where *w, long date, long hhmmss, gint64 *t, GError **error)
{
    const long month = date / 100 % 100, day = date % 100;
    const long h = hhmmss / 10000, m = hhmmss / 100 % 100, s = hhmmss % 100;

    if (date < 0 || month < 1 || month > 12 || day < 1 || day > 31 || hhmmss < 0 || h > 24 ||
        m > 59 || s > 60) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "%s: message %u: date %ld, time %06ld",
                    m2n_source_name(w->reader->source), w->number, date, hhmmss);
        return FALSE;
    }
    *t = civil_time(date / 10000, month, day, h * 3600 + m * 60 + s);
    return TRUE;
}

/* The end of the interval that statistics cover, where the message says it outright. */
static gboolean
interval_end(codes_handle *h, gint64 *t)
{
    static const char *const keys[] = {
        "yearOfEndOfOverallTimeInterval",   "monthOfEndOfOverallTimeInterval",
        "dayOfEndOfOverallTimeInterval",    "hourOfEndOfOverallTimeInterval",
        "minuteOfEndOfOverallTimeInterval", "secondOfEndOfOverallTimeInterval"};
    long v[6];

    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++)
        if (codes_get_long(h, keys[i], &v[i]) != CODES_SUCCESS || v[i] < 0 || v[i] > 9999)
            return FALSE;
    if (v[0] == 0 || v[1] < 1 || v[1] > 12 || v[2] < 1 || v[2] > 31)
        return FALSE;
    *t = civil_time(v[0], v[1], v[2], v[3] * 3600 + v[4] * 60 + v[5]);
    return TRUE;
}

/* Steps in seconds where eccodes can say so; else (months, years) the calendar's valid date. */
static gboolean
read_time(const Where *w, codes_handle *h, M2nGribHeader *f, GError **error)
{
    long date, time, start = 0, end = 0;
    gsize length = sizeof f->step_range;

    if (!get_long(w, h, "dataDate", &date, error) || !get_long(w, h, "dataTime", &time, error) ||
        !unix_time(w, date, time * 100 + CLAMP(long_or(h, "second", 0), 0, 59), &f->reference_time,
                   error))
        return FALSE;
    f->valid_time = f->reference_time;
    g_strlcpy(f->statistics, "instant", sizeof f->statistics);
    if (codes_get_string(h, "stepRange", f->step_range, &length) != CODES_SUCCESS) {
        f->step_range[0] = 0; /* a satellite image has no steps */
        return TRUE;
    }
    if (!get_text(w, h, "stepType", f->statistics, sizeof f->statistics, error))
        return FALSE;
    length = 2;
    const gboolean steps = codes_set_string(h, "stepUnits", "s", &length) == CODES_SUCCESS &&
                           codes_get_long(h, "startStep", &start) == CODES_SUCCESS &&
                           codes_get_long(h, "endStep", &end) == CODES_SUCCESS;
    gint64 stated;
    if (steps) {
        f->valid_time = f->reference_time + end;
        f->span = MAX(0, end - start);
    }
    if (f->edition == 2 && interval_end(h, &stated)) { /* for GRIB1 eccodes makes the keys up */
        f->valid_time = stated;
        f->span = steps ? MAX(0, stated - f->reference_time - start) : 0;
        return TRUE;
    }
    if (steps)
        return TRUE;
    return get_long(w, h, "validityDate", &date, error) &&
           get_long(w, h, "validityTime", &time, error) &&
           unix_time(w, date, time * 100, &f->valid_time, error);
}

/* Names, level and packing.  Pressure levels are in hPa whatever the message counts in. */
static gboolean
read_names(const Where *w, codes_handle *h, M2nGribHeader *f, GError **error)
{
    gsize n = sizeof f->type_of_level;

    if (!get_text(w, h, "shortName", f->name, sizeof f->name, error) ||
        !get_text(w, h, "units", f->units, sizeof f->units, error) ||
        !get_long(w, h, "paramId", &f->param_id, error) ||
        !get_text(w, h, "packingType", f->packing, sizeof f->packing, error))
        return FALSE;
    if (codes_get_string(h, "typeOfLevel", f->type_of_level, &n) != CODES_SUCCESS)
        g_strlcpy(f->type_of_level, "unknown", sizeof f->type_of_level); /* centres' own surfaces */
    if (codes_get_double(h, "level", &f->level) != CODES_SUCCESS)
        f->level = 0;
    if (g_str_equal(f->type_of_level, "isobaricInPa")) {
        g_strlcpy(f->type_of_level, "isobaricInhPa", sizeof f->type_of_level);
        f->level /= 100;
    }
    n = sizeof f->centre_name;
    if (codes_get_string(h, "centre", f->centre_name, &n) != CODES_SUCCESS)
        f->centre_name[0] = 0;
    f->centre = long_or(h, "identificationOfOriginatingGeneratingCentre", -1);
    if (f->centre < 0)
        f->centre = long_or(h, "centre", 255);
    f->member = long_or(h, "perturbationNumber", 0);
    return TRUE;
}

/* ---- the grid ------------------------------------------------------------------------------ */

/* The grid section inside a message; n 0 when a GRIB1 message has none. */
static const guint8 *
grid_section(const M2nGribEntry *e, const guint8 *message, gsize length, gsize *n)
{
    const guint8 *p = message + 8, *end = message + length;

    *n = 0;
    if (e->edition == 2) {
        *n = e->size[3];
        return message + 16 + e->size[1] + e->size[2];
    }
    const gsize first = (gsize)p[0] << 16 | (gsize)p[1] << 8 | p[2];
    if (length < 40 || (p[7] & 0x80) == 0 || first + 6 > (gsize)(end - p))
        return p;
    p += first;
    *n = (gsize)p[0] << 16 | (gsize)p[1] << 8 | p[2];
    if (*n > (gsize)(end - p))
        *n = 0;
    return p;
}

/* The grid part of a header, from the section's octets. */
static M2nGribHeader *
layout_new(const Where *w, int edition, const guint8 *section, gsize n, gsize values,
           GError **error)
{
    M2nGridSpec s;
    M2nGribHeader *h = NULL;
    gboolean ok = edition == 2 ? m2n_grid_spec_read_2(&s, section, n, error)
                               : m2n_grid_spec_read_1(&s, section, n, error);

    if (ok) {
        if (s.n_points == 0)
            s.n_points = values;
        if ((s.kind == M2N_SPEC_LATLON || s.kind == M2N_SPEC_GAUSSIAN) && !s.centre_stated &&
            !isnan(s.lat2) && s.lat1 != s.lat2)
            s.j_positive = s.lat1 < s.lat2; /* the corners outrank the flag */
        h = g_new0(M2nGribHeader, 1);
        h->grid = m2n_grid_spec_place(&s);
        h->uv_relative = s.uv_relative;
        h->i_negative = s.i_negative;
        h->j_positive = s.j_positive;
        h->j_consecutive = s.j_consecutive;
        h->alternating = s.alternating;
    }
    m2n_grid_spec_clear(&s);
    if (h == NULL)
        g_prefix_error(error, "%s: message %u: ", m2n_source_name(w->reader->source), w->number);
    return h;
}

/* How many values a GRIB1 message holds, where its grid section does not say. */
static long
values_of(codes_handle *h)
{
    gsize n = 0;

    return codes_get_size(h, "values", &n) == CODES_SUCCESS ? (long)n : 0;
}

/* Messages of one file mostly share a grid: it is made once per distinct section. */
static gboolean
read_grid(M2nGribReader *r, const Where *w, codes_handle *handle, const M2nGribEntry *e,
          const guint8 *message, gsize length, M2nGribHeader *h, GError **error)
{
    gsize n;
    const guint8 *section = grid_section(e, message, length, &n);
    const long values = e->edition == 1 ? values_of(handle) : 0;

    if (n == 0) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT,
                    "%s: message %u: no grid section (a predefined grid)",
                    m2n_source_name(r->source), w->number);
        return FALSE;
    }
    g_autoptr(GBytes) key = g_bytes_new(section, n);
    g_mutex_lock(&r->lock);
    const M2nGribHeader *found = g_hash_table_lookup(r->grids, key);
    if (found == NULL || (e->edition == 1 && found->grid->n_points != (gsize)values)) {
        M2nGribHeader *made = layout_new(w, e->edition, section, n, (gsize)MAX(0, values), error);
        if (made == NULL) {
            g_mutex_unlock(&r->lock);
            return FALSE;
        }
        found = made;
        g_hash_table_replace(r->grids, g_bytes_ref(key), made);
    }
    h->grid = m2n_grid_ref(found->grid);
    h->uv_relative = found->uv_relative;
    h->i_negative = found->i_negative;
    h->j_positive = found->j_positive;
    h->j_consecutive = found->j_consecutive;
    h->alternating = found->alternating;
    g_mutex_unlock(&r->lock);
    return TRUE;
}

/* ---- messages ------------------------------------------------------------------------------ */

/* (transfer full) eccodes' view of `message`, which must outlive it. */
static codes_handle *
open_message(const Where *w, const guint8 *message, gsize length, GError **error)
{
    codes_handle *h = codes_handle_new_from_message(NULL, message, length);

    if (h == NULL)
        fail(w, "message", CODES_INVALID_MESSAGE, error);
    return h;
}

static gboolean
usable(const Where *w, const M2nGribEntry *e, GError **error)
{
    if (e->problem == NULL)
        return TRUE;
    g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "%s: message %u: %s",
                m2n_source_name(w->reader->source), e->number, e->problem);
    return FALSE;
}

gboolean
m2n_grib_reader_header(M2nGribReader *r, guint i, M2nGribHeader *h, GError **error)
{
    const M2nGribEntry *e = m2n_grib_reader_entry(r, i);
    const Where w = {r, e->number};
    g_auto(M2nGribHeader) f = {.number = e->number, .edition = e->edition};
    gsize length;
    M2N_ECCODES_QUIET;

    if (!usable(&w, e, error))
        return FALSE;
    g_autofree guint8 *message = m2n_grib_message(r->source, e, FALSE, &length, error);
    if (message == NULL)
        return FALSE;
    g_autoptr(codes_handle) handle = open_message(&w, message, length, error);
    if (handle == NULL || !read_names(&w, handle, &f, error) || !read_time(&w, handle, &f, error) ||
        !read_grid(r, &w, handle, e, message, length, &f, error))
        return FALSE;
    *h = f;
    f.grid = NULL;
    return TRUE;
}

/* Stored order to north-up, west to east; MISSING to NaN. */
static void
orient(const M2nGribHeader *h, const double *in, float *out)
{
    const M2nGrid *g = h->grid;
    const gsize rows = g->height;
    gsize start = 0; /* of the row in out */

    for (gsize row = 0; row < rows; row++) {
        const gsize n = g->row_points != NULL ? g->row_points[row] : g->width;
        const gsize j = h->j_positive ? rows - 1 - row : row;
        const gsize from = g->row_points != NULL && h->j_positive ? g->n_points - start - n
                           : g->row_points != NULL                ? start
                                                                  : j * n;
        for (gsize column = 0; column < n; column++) {
            const gsize i = h->i_negative ? n - 1 - column : column;
            gsize k = from + i;
            if (h->j_consecutive)
                k = i * rows + (h->alternating && i % 2 == 1 ? rows - 1 - j : j);
            else if (h->alternating && j % 2 == 1)
                k = from + n - 1 - i;
            out[start + column] = in[k] == MISSING ? NAN : (float)in[k];
        }
        start += n;
    }
}

gboolean
m2n_grib_reader_values(M2nGribReader *r, guint i, const M2nGribHeader *header, float *out,
                       GError **error)
{
    const M2nGribEntry *e = m2n_grib_reader_entry(r, i);
    const Where w = {r, e->number};
    const gsize n = header->grid->n_points;
    gsize length, got = n;
    M2N_ECCODES_QUIET;

    if (!usable(&w, e, error))
        return FALSE;
    g_autofree guint8 *message = m2n_grib_message(r->source, e, TRUE, &length, error);
    if (message == NULL)
        return FALSE;
    g_autoptr(codes_handle) h = open_message(&w, message, length, error);
    if (h == NULL)
        return FALSE;
    gsize size = 0;
    int err = codes_get_size(h, "values", &size);
    if (err != CODES_SUCCESS || size != n)
        return fail(&w, "number of values", err != CODES_SUCCESS ? err : CODES_WRONG_ARRAY_SIZE,
                    error);
    g_autofree double *v = g_try_new(double, n);
    if (v == NULL && n > 0) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                    "%s: message %u: %" G_GSIZE_FORMAT " points", m2n_source_name(r->source),
                    w.number, n);
        return FALSE;
    }
    codes_set_double(h, "missingValue", MISSING);
    err = codes_get_double_array(h, "values", v, &got);
    if (err != CODES_SUCCESS || got != n)
        return fail(&w, "values", err != CODES_SUCCESS ? err : CODES_WRONG_ARRAY_SIZE, error);
    orient(header, v, out);
    return TRUE;
}

M2nField *
m2n_grib_reader_field(M2nGribReader *r, guint i, GError **error)
{
    g_auto(M2nGribHeader) h = {0};

    if (!m2n_grib_reader_header(r, i, &h, error))
        return NULL;
    g_autoptr(M2nField) f = g_new0(M2nField, 1);
    f->values = g_try_new(float, h.grid->n_points);
    if (f->values == NULL && h.grid->n_points > 0) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                    "%s: message %u: %" G_GSIZE_FORMAT " points", m2n_source_name(r->source),
                    h.number, h.grid->n_points);
        return NULL;
    }
    if (!m2n_grib_reader_values(r, i, &h, f->values, error))
        return NULL;
    g_strlcpy(f->name, h.name, sizeof f->name);
    g_strlcpy(f->units, h.units, sizeof f->units);
    g_strlcpy(f->type_of_level, h.type_of_level, sizeof f->type_of_level);
    f->param_id = h.param_id;
    f->level = h.level;
    f->reference_time = h.reference_time;
    f->valid_time = h.valid_time;
    f->span = h.span;
    f->grid = g_steal_pointer(&h.grid);
    return g_steal_pointer(&f);
}
