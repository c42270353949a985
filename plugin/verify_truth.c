/* Fields by time, and their climatology. */
#include "plugin/verify_truth.h"

#include "engine/base/error.h"
#include "plugin/quantity.h"

#define DAY 86400
#define DAYS                                                                                       \
    366 /* slots of the year; 1 March is slot 60 in every year, so that seasons stay in place */
#define HALF_WINDOW 31
#define KEPT ((guint64)1 << 30) /* at most, of fields: a verified month of hourly 0.25 degree Europe */
#define SEASONAL (330 * (gint64)DAY) /* the shortest span that shows a year's course */

/* Sums over the fields of one time of day on one day of the year. */
typedef struct {
    guint n;
    double sum[]; /* [V * points] */
} Sum;

struct M2nTruth {
    M2nInput *input;
    const M2nDomain *domain;
    M2nRegridMethod method;
    gint64 *times;
    gsize n_times, values; /* values: V * points */
    GHashTable *fields;    /* time -> float[values], both owned */
    GQueue order;          /* of gint64*, borrowed from the table: the oldest read first */
    gsize room;            /* fields to keep, >= 2 */
    guint64 reading, most_sums; /* bytes */
    GHashTable *sums;      /* gint64 (day slot * DAY + time of day) -> Sum; NULL: no climatology */
    gboolean seasonal;
    float *climatology; /* [values], the last one asked for */
    gint64 climatology_key;
    gboolean climatology_known;
};

M2nTruth *
m2n_truth_open(const char *const *names, const M2nDomain *domain, M2nRegridMethod method,
               guint64 max_memory, GError **error)
{
    g_autoptr(M2nTruth) t = g_new0(M2nTruth, 1);

    t->fields = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    g_queue_init(&t->order);
    t->domain = domain;
    t->method = method;
    t->values = domain->n_variables * domain->grid->n_points;
    const guint64 field = t->values * sizeof(float), kept = MIN(max_memory / 4, KEPT);
    t->room = kept / field;
    t->reading = max_memory / 4;
    t->most_sums = max_memory / 2;
    if (t->room < 2) {
        g_autofree char *needed = m2n_size_format(2 * field), *bound = m2n_size_format(kept);
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                    "%s: two times take %s, allowed are %s of what verification may take", names[0],
                    needed, bound);
        return NULL;
    }
    t->climatology_key = -1;
    t->input = m2n_input_open_with(names, -1, t->reading, error);
    if (t->input == NULL)
        return NULL;
    m2n_input_set_memory(t->input, t->reading);
    t->times = m2n_input_times(t->input, domain, &t->n_times, error);
    return t->times != NULL ? g_steal_pointer(&t) : NULL;
}

void
m2n_truth_free(M2nTruth *t)
{
    g_clear_pointer(&t->input, m2n_input_free);
    g_queue_clear(&t->order);
    g_hash_table_unref(t->fields);
    g_clear_pointer(&t->sums, g_hash_table_unref);
    g_free(t->times);
    g_free(t->climatology);
    g_free(t);
}

guint64
m2n_truth_memory(const M2nTruth *t)
{
    const guint64 sums = t->sums != NULL ? g_hash_table_size(t->sums) : 0;

    /* while the climatology of a time is made: its sum, its mean */
    return t->reading + t->values * (t->room * sizeof(float) + (sums + 1) * sizeof(double) +
                                     sizeof(float));
}

const char *
m2n_truth_note(const M2nTruth *t)
{
    return m2n_input_note(t->input);
}

const gint64 *
m2n_truth_times(const M2nTruth *t, gsize *n)
{
    *n = t->n_times;
    return t->times;
}

gboolean
m2n_truth_has(const M2nTruth *t, gint64 time)
{
    return m2n_time_find(t->times, t->n_times, time) < t->n_times;
}

const float *
m2n_truth_field(M2nTruth *t, gint64 time, GError **error)
{
    const float *kept = g_hash_table_lookup(t->fields, &time);

    if (kept != NULL)
        return kept;
    g_autofree float *field = g_try_new(float, t->values);
    if (field == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                    "%" G_GSIZE_FORMAT " values do not fit in memory", t->values);
        return NULL;
    }
    if (!m2n_input_read_window(t->input, t->domain, 1, time, t->method, field, NULL, NULL, error))
        return NULL;
    if (g_hash_table_size(t->fields) >= t->room)
        g_hash_table_remove(t->fields, g_queue_pop_head(&t->order));
    gint64 *key = g_memdup2(&time, sizeof time);
    g_queue_push_tail(&t->order, key);
    kept = field;
    g_hash_table_insert(t->fields, key, g_steal_pointer(&field));
    return kept;
}

/* ---- climatology --------------------------------------------------------------------------------- */

static gint64
time_of_day(gint64 time)
{
    return ((time % DAY) + DAY) % DAY;
}

/* 0 .. 365, 29 February being 59. */
static gint64
day_slot(gint64 time)
{
    g_autoptr(GDateTime) d = g_date_time_new_from_unix_utc(time);
    const int day = d != NULL ? g_date_time_get_day_of_year(d) - 1 : 0;
    const gboolean leap = d != NULL && g_date_is_leap_year((GDateYear)g_date_time_get_year(d));

    return day >= 59 && !leap ? day + 1 : day;
}

static gint64
sum_key(const M2nTruth *t, gint64 time)
{
    return (t->seasonal ? day_slot(time) * DAY : 0) + time_of_day(time);
}

static gboolean
add_field(M2nTruth *t, gint64 time, GError **error)
{
    const gint64 key = sum_key(t, time);
    const float *field = m2n_truth_field(t, time, error);
    Sum *s = g_hash_table_lookup(t->sums, &key);

    if (field == NULL)
        return FALSE;
    if (s == NULL) {
        s = g_try_malloc0(sizeof *s + t->values * sizeof(double));
        if (s == NULL) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                        "the climatology does not fit in memory");
            return FALSE;
        }
        g_hash_table_insert(t->sums, g_memdup2(&key, sizeof key), s);
    }
    s->n++;
    for (gsize i = 0; i < t->values; i++)
        s->sum[i] += (double)field[i];
    return TRUE;
}

/* Whether the sums of times [begin, end) may be had. */
static gboolean
sums_fit(const M2nTruth *t, gsize begin, gsize end, GError **error)
{
    g_autoptr(GHashTable) keys = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);

    for (gsize i = begin; i < end; i++) {
        const gint64 key = sum_key(t, t->times[i]);
        g_hash_table_add(keys, g_memdup2(&key, sizeof key));
    }
    const guint64 need = (guint64)g_hash_table_size(keys) * t->values * sizeof(double);
    if (need <= t->most_sums)
        return TRUE;
    g_autofree char *needed = m2n_size_format(need), *bound = m2n_size_format(t->most_sums);
    g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                "climatology: means at %u times of the %s take %s, allowed are %s; fewer variables or a "
                "shorter span for it take less",
                g_hash_table_size(keys), t->seasonal ? "year" : "day", needed, bound);
    return FALSE;
}

gboolean
m2n_truth_make_climatology(M2nTruth *t, gint64 first, gint64 last, char **what,
                           M2nProgressFunc progress, gpointer user_data, GError **error)
{
    gsize begin = 0, end = t->n_times;

    while (begin < end && t->times[begin] < first)
        begin++;
    while (end > begin && t->times[end - 1] > last)
        end--;
    if (begin == end) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MISSING,
                    "climatology: the data hold no time in its span");
        return FALSE;
    }
    t->seasonal = t->times[end - 1] - t->times[begin] >= SEASONAL;
    if (!sums_fit(t, begin, end, error))
        return FALSE;
    t->sums = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    for (gsize i = begin; i < end; i++) {
        if (!add_field(t, t->times[i], error))
            return FALSE;
        if (progress != NULL &&
            !progress((double)(i + 1 - begin) / (double)(end - begin), "climatology", user_data)) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_CANCELLED,
                        "stopped while making the climatology");
            return FALSE;
        }
    }
    g_autofree char *from = m2n_time_format(t->times[begin]),
                    *to = m2n_time_format(t->times[end - 1]);
    *what =
        g_strdup_printf("mean at the same time of day%s, %" G_GSIZE_FORMAT " times from %s to %s",
                        t->seasonal ? " and season (61-day window)" : "", end - begin, from, to);
    return TRUE;
}

/* Adds the sums of one key with weight w. */
static void
add_sum(M2nTruth *t, gint64 key, double w, double *total, double *acc)
{
    const Sum *s = g_hash_table_lookup(t->sums, &key);

    if (s == NULL)
        return;
    *total += w * s->n;
    for (gsize i = 0; i < t->values; i++)
        acc[i] += w * s->sum[i];
}

const float *
m2n_truth_climatology(M2nTruth *t, gint64 time)
{
    double total = 0;

    if (t->sums == NULL)
        return NULL;
    const gint64 key = sum_key(t, time);
    if (t->climatology != NULL && key == t->climatology_key)
        return t->climatology_known ? t->climatology : NULL;
    g_autofree double *acc = g_new0(double, t->values);
    if (t->climatology == NULL)
        t->climatology = g_new(float, t->values);
    if (!t->seasonal)
        add_sum(t, key, 1, &total, acc);
    for (gint64 d = 1 - HALF_WINDOW; t->seasonal && d < HALF_WINDOW; d++) {
        const gint64 slot = (day_slot(time) + d + DAYS) % DAYS;
        add_sum(t, slot * DAY + time_of_day(time), 1 - (double)ABS(d) / HALF_WINDOW, &total, acc);
    }
    for (gsize i = 0; total > 0 && i < t->values; i++)
        t->climatology[i] = (float)(acc[i] / total);
    t->climatology_key = key;
    t->climatology_known = total > 0;
    return t->climatology_known ? t->climatology : NULL;
}
