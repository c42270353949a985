/* The reading half of what we know of eccodes: keys to M2nGribHeader.  It prints and, on
 * corrupt data, aborts; both are kept from the program we live in.  Grid and data never reach it, see grib_bare.h. */
#include "grib/grib_eccodes.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/error.h"

#define TABLES_AT_ONCE 10 /* files */

/* ---- eccodes' voice and temper ------------------------------------------------------------- */

/* Not in every version, nor in the same header. */
extern void codes_set_codes_assertion_failed_proc(void (*proc)(const char *message))
    __attribute__((weak));

static _Thread_local int quiet;       /* depth of M2N_ECCODES_QUIET in this thread */
static _Thread_local jmp_buf *rescue; /* where a failed assertion of this thread leads */
static _Thread_local char last_words[256];

static void
log_or_not(const codes_context *c, int level, const char *message)
{
    (void)c;
    if (quiet == 0) /* as eccodes itself would: another user of it in this process */
        fprintf(stderr, "%s: %s\n", level == 2 ? "ECCODES ERROR  " : "ECCODES INFO   ", message);
}

static void
on_assertion(const char *message)
{
    if (rescue == NULL) { /* another user of eccodes in this process: what eccodes does */
        fprintf(stderr, "%s\n", message);
        abort();
    }
    g_strlcpy(last_words, message, sizeof last_words);
    longjmp(*rescue, 1);
}

/* One thread of ours at a time: whether eccodes' own locks hold depends on how it was built (Debian's: OpenMP's), and a
 * failed assertion may leave them held.  A fork waits until no thread is inside, or the child would find locks held by a
 * thread that it does not have. */
static GMutex inside;

static void
before_fork(void)
{
    g_mutex_lock(&inside);
}

static void
after_fork_in_parent(void)
{
    g_mutex_unlock(&inside);
}

static void
after_fork_in_child(void)
{
    g_mutex_init(&inside);
}

static void
install(void)
{
    static gsize once = 0;

    if (!g_once_init_enter(&once))
        return;
    codes_context_set_logging_proc(codes_context_get_default(), log_or_not);
    if (codes_set_codes_assertion_failed_proc != NULL)
        codes_set_codes_assertion_failed_proc(on_assertion);
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    g_once_init_leave(&once, 1);
}

static void
enter(void)
{
    install();
    if (quiet++ == 0)
        g_mutex_lock(&inside);
}

static void
leave(void)
{
    if (--quiet == 0)
        g_mutex_unlock(&inside);
}

void
m2n_eccodes_quiet_begin(void)
{
    enter();
}

void
m2n_eccodes_quiet_end(void)
{
    leave();
}

/* eccodes opens its tables when it first needs them, one inside the other (seven were seen at once), and takes one that it could
 * not open for one that does not exist, as long as the process lives. */
static gboolean
can_open_tables(GError **error)
{
    int fd[TABLES_AT_ONCE], n = 0;

    while (n < TABLES_AT_ONCE && (fd[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        n++;
    const int reason = errno;
    for (int i = 0; i < n; i++)
        close(fd[i]);
    if (n == TABLES_AT_ONCE || (reason != EMFILE && reason != ENFILE))
        return TRUE;
    g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "eccodes' tables: %s", g_strerror(reason));
    return FALSE;
}

gboolean
m2n_eccodes_guard(gboolean (*call)(gpointer data, GError **error), gpointer data, GError **error)
{
    jmp_buf here, *const before = rescue;
    const int depth = quiet;

    if (rescue == NULL && !can_open_tables(error))
        return FALSE;
    enter();
    if (setjmp(here) == 0) {
        rescue = &here;
        const gboolean ok = call(data, error);
        rescue = before;
        leave();
        return ok;
    }
    rescue = before; /* what `call` had allocated is lost: eccodes is in no state to free it */
    quiet = depth + 1;
    leave();
    char *newline = strchr(last_words, '\n');
    if (newline != NULL)
        *newline = 0;
    g_clear_error(error);
    /* its allocator asserts: then nothing is wrong with the message, and to leave it out would change results */
    const gboolean memory = strstr(last_words, "grib_context.c") != NULL;
    g_set_error(error, M2N_ERROR, memory ? M2N_ERROR_MEMORY : M2N_ERROR_FORMAT,
                "eccodes gives up%s: %s", memory ? " for want of memory" : "", last_words);
    return FALSE;
}

/* ---- keys ---------------------------------------------------------------------------------- */

/* Every failure names the key, so that the user can find it with grib_dump. */
static gboolean
fail(const char *key, int err, GError **error)
{
    g_set_error(error, M2N_ERROR, err == CODES_OUT_OF_MEMORY ? M2N_ERROR_MEMORY : M2N_ERROR_FORMAT,
                "%s: %s", key, codes_get_error_message(err));
    return FALSE;
}

static gboolean
get_long(codes_handle *h, const char *key, long *v, GError **error)
{
    const int err = codes_get_long(h, key, v);
    return err == CODES_SUCCESS || fail(key, err, error);
}

static gboolean
get_text(codes_handle *h, const char *key, char *v, gsize n, GError **error)
{
    gsize length = n;
    const int err = codes_get_string(h, key, v, &length);

    return err == CODES_SUCCESS || fail(key, err, error);
}

static long
long_or(codes_handle *h, const char *key, long otherwise)
{
    long v;

    return codes_get_long(h, key, &v) == CODES_SUCCESS && v != CODES_MISSING_LONG ? v : otherwise;
}

/* Source: days_from_civil, H. Hinnant's note on calendar algorithms. */
gint64
m2n_grib_time(long year, long month, long day, long seconds)
{
    const gint64 y = month <= 2 ? year - 1 : year;
    const gint64 era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    const gint64 of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    const gint64 days = of_era * 365 + of_era / 4 - of_era / 100 + of_year;

    return (era * 146097 + days - 719468) * 86400 + seconds;
}

static gboolean
unix_time(long date, long hhmmss, gint64 *t, GError **error)
{
    const long month = date / 100 % 100, day = date % 100;
    const long h = hhmmss / 10000, m = hhmmss / 100 % 100, s = hhmmss % 100;

    if (date < 0 || month < 1 || month > 12 || day < 1 || day > 31 || hhmmss < 0 || h > 24 ||
        m > 59 || s > 60) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "date %ld, time %06ld", date, hhmmss);
        return FALSE;
    }
    *t = m2n_grib_time(date / 10000, month, day, h * 3600 + m * 60 + s);
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
    *t = m2n_grib_time(v[0], v[1], v[2], v[3] * 3600 + v[4] * 60 + v[5]);
    return TRUE;
}

/* Steps in seconds where eccodes can say so; else (months, years) the calendar's valid date. */
static gboolean
read_time(codes_handle *h, M2nGribHeader *f, GError **error)
{
    long date, time, start = 0, end = 0;
    gsize length = sizeof f->step_range;

    if (!get_long(h, "dataDate", &date, error) || !get_long(h, "dataTime", &time, error) ||
        !unix_time(date, time * 100 + CLAMP(long_or(h, "second", 0), 0, 59), &f->reference_time,
                   error))
        return FALSE;
    f->valid_time = f->reference_time;
    g_strlcpy(f->statistics, "instant", sizeof f->statistics);
    if (codes_get_string(h, "stepRange", f->step_range, &length) != CODES_SUCCESS) {
        f->step_range[0] = 0; /* a satellite image has no steps */
        return TRUE;
    }
    if (!get_text(h, "stepType", f->statistics, sizeof f->statistics, error))
        return FALSE;
    gint64 stated; /* before the unit is set: with that, newer eccodes computes the end anew */
    const gboolean has_end =
        f->edition == 2 && interval_end(h, &stated); /* for GRIB1 eccodes makes the keys up */
    length = 2;
    const gboolean steps = codes_set_string(h, "stepUnits", "s", &length) == CODES_SUCCESS &&
                           codes_get_long(h, "startStep", &start) == CODES_SUCCESS &&
                           codes_get_long(h, "endStep", &end) == CODES_SUCCESS;
    if (steps) {
        f->valid_time = f->reference_time + end;
        f->span = MAX(0, end - start);
    }
    if (has_end) {
        f->valid_time = stated;
        f->span = steps ? MAX(0, stated - f->reference_time - start) : 0;
        return TRUE;
    }
    if (steps)
        return TRUE;
    return get_long(h, "validityDate", &date, error) && get_long(h, "validityTime", &time, error) &&
           unix_time(date, time * 100, &f->valid_time, error);
}

/* Names and level.  Pressure levels are in hPa whatever the message counts in. */
static gboolean
read_names(codes_handle *h, M2nGribHeader *f, GError **error)
{
    gsize n = sizeof f->type_of_level;

    if (!get_text(h, "shortName", f->name, sizeof f->name, error) ||
        !get_text(h, "units", f->units, sizeof f->units, error) ||
        !get_long(h, "paramId", &f->param_id, error))
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
    f->member = long_or(h, "perturbationNumber", -1);
    return TRUE;
}

/* ---- messages ------------------------------------------------------------------------------ */

typedef struct {
    const guint8 *message;
    gsize length;
    M2nGribHeader *header;
} Call;

static gboolean
header_call(gpointer data, GError **error)
{
    Call *c = data;
    g_autoptr(codes_handle) h = codes_handle_new_from_message(NULL, c->message, c->length);

    if (h == NULL)
        return fail("message", CODES_INVALID_MESSAGE, error);
    return read_names(h, c->header, error) && read_time(h, c->header, error);
}

gboolean
m2n_eccodes_header(const guint8 *bare, gsize length, M2nGribHeader *header, GError **error)
{
    Call c = {bare, length, header};

    return m2n_eccodes_guard(header_call, &c, error);
}

long
m2n_eccodes_version(void)
{
    return codes_get_api_version();
}
