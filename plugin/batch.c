/* Many forecasts: a queue of jobs and the threads that work on it.
 *
 * In a group rank 0 keeps the queue and the list of files; the others ask it for every job, saying what came of
 * those before, and for every file. */
#include "plugin/batch.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "plugin/batch_job.h"

typedef struct {
    const M2nBatchOptions *o;
    const M2nBatchListener *listener;
    M2nTemplateSplit split;
    M2nBatchJob *jobs;
    guint n_jobs;
    GMutex lock;       /* of everything below, and of the listener */
    guint next;        /* job to take */
    GHashTable *taken; /* path -> input that writes it; both owned */
    GHashTable *noted; /* notes that were told; owned */
    double *done;      /* [n_jobs] 0..1 */
    double total;      /* their sum */
    M2nBatchResult result;
} Batch;

typedef struct {
    Batch *batch;
    guint job;
} Ticket;

/* ---- the queue ----------------------------------------------------------------------------------- */

static gboolean
batch_init(Batch *b, const M2nBatchOptions *o, const M2nBatchListener *listener, GError **error)
{
    *b = (Batch){.o = o, .listener = listener};
    if (!m2n_template_check(o->output, &b->split, error))
        return FALSE;
    g_mutex_init(&b->lock);
    b->taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    b->noted = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    b->jobs = m2n_batch_jobs(o, &b->n_jobs);
    b->done = g_new0(double, b->n_jobs);
    return TRUE;
}

static void
batch_clear(Batch *b)
{
    m2n_batch_jobs_free(b->jobs, b->n_jobs);
    g_free(b->done);
    g_hash_table_unref(b->taken);
    g_hash_table_unref(b->noted);
    g_mutex_clear(&b->lock);
}

/* FALSE: none left, or stopped. */
static gboolean
take_here(Batch *b, guint *job)
{
    g_mutex_lock(&b->lock);
    const gboolean ok = !b->result.cancelled && b->next < b->n_jobs;
    if (ok)
        *job = b->next++;
    g_mutex_unlock(&b->lock);
    return ok;
}

/* NULL: `path` is now that of `input`; else (transfer full) the input it already belongs to. */
static char *
claim_here(Batch *b, const char *path, const char *input)
{
    g_mutex_lock(&b->lock);
    char *other = g_strdup(g_hash_table_lookup(b->taken, path));
    if (other == NULL)
        g_hash_table_insert(b->taken, g_strdup(path), g_strdup(input));
    g_mutex_unlock(&b->lock);
    return other;
}

/* ---- the queue of another process ---------------------------------------------------------------- */

#define TAKE                                                                                       \
    "take %u %u %u %u %d" /* M2nBatchResult since the last time -> number of a job, or nothing */
#define CLAIM "claim %u:%s%s" /* length of the path, path, input -> nothing, or another input */

static gboolean
take_there(Batch *b, guint *job)
{
    g_mutex_lock(&b->lock);
    const M2nBatchResult r = b->result;
    b->result = (M2nBatchResult){.cancelled = r.cancelled};
    g_mutex_unlock(&b->lock);
    g_autofree char *request =
        g_strdup_printf(TAKE, r.done, r.skipped, r.failed, r.files, r.cancelled);
    g_autofree char *answer = m2n_group_ask(b->o->group, request);
    return sscanf(answer, "%u", job) == 1;
}

static char *
claim_there(Batch *b, const char *path, const char *input)
{
    g_autofree char *request = g_strdup_printf(CLAIM, (guint)strlen(path), path, input);
    g_autofree char *answer = m2n_group_ask(b->o->group, request);

    return *answer != '\0' ? g_steal_pointer(&answer) : NULL;
}

static char *
answer(const char *request, gpointer data)
{
    Batch *b = data;
    M2nBatchResult r;
    guint job, length;
    int cancelled, at;

    if (sscanf(request, TAKE, &r.done, &r.skipped, &r.failed, &r.files, &cancelled) == 5) {
        g_mutex_lock(&b->lock);
        b->result.done += r.done;
        b->result.skipped += r.skipped;
        b->result.failed += r.failed;
        b->result.files += r.files;
        b->result.cancelled |= cancelled;
        b->total += r.done + r.skipped + r.failed;
        g_mutex_unlock(&b->lock);
        return take_here(b, &job) ? g_strdup_printf("%u", job) : g_strdup("");
    }
    if (sscanf(request, "claim %u:%n", &length, &at) != 1)
        g_assert_not_reached(); /* the requests are ours */
    g_autofree char *path = g_strndup(request + at, length);
    char *other = claim_here(b, path, request + at + length);
    return other != NULL ? other : g_strdup("");
}

static gboolean
take_job(Batch *b, guint *job)
{
    return m2n_group_rank(b->o->group) == 0 ? take_here(b, job) : take_there(b, job);
}

static char *
claim_path(Batch *b, const char *path, const char *input)
{
    return m2n_group_rank(b->o->group) == 0 ? claim_here(b, path, input)
                                            : claim_there(b, path, input);
}

/* ---- telling ------------------------------------------------------------------------------------- */

static void
tell(Batch *b, M2nBatchEvent event, const char *text)
{
    g_mutex_lock(&b->lock);
    b->result.files += event == M2N_BATCH_WROTE;
    if (b->listener->event != NULL)
        b->listener->event(event, text, b->listener->user_data);
    g_mutex_unlock(&b->lock);
}

/* Once for each `subject`, however many jobs it comes up in. */
static void
tell_once(Batch *b, M2nBatchEvent event, const char *subject, const char *text)
{
    g_mutex_lock(&b->lock);
    const gboolean is_new = g_hash_table_add(b->noted, g_strdup(subject));
    g_mutex_unlock(&b->lock);
    if (is_new)
        tell(b, event, text);
}

/* Progress of one job into that of the batch. */
static gboolean
report(double done, const char *message, gpointer user_data)
{
    const Ticket *ticket = user_data;
    Batch *b = ticket->batch;
    (void)message;

    g_mutex_lock(&b->lock);
    b->total += done - b->done[ticket->job];
    b->done[ticket->job] = done;
    g_autofree char *text = g_strdup_printf("%u of %u forecasts%s",
                                            b->result.done + b->result.skipped + b->result.failed,
                                            b->n_jobs, b->result.failed > 0 ? ", some failed" : "");
    if (b->listener->progress != NULL && !b->result.cancelled &&
        !b->listener->progress(b->total / b->n_jobs, text, b->listener->user_data))
        b->result.cancelled = TRUE;
    const gboolean go_on = !b->result.cancelled;
    g_mutex_unlock(&b->lock);
    return go_on;
}

/* ---- one job ------------------------------------------------------------------------------------- */

/* FALSE: M2N_ERROR_ARGUMENT: another job writes the same file. */
static gboolean
claim_paths(Batch *b, const M2nOpenJob *job, GError **error)
{
    const char *input = job->spec->file != NULL ? job->spec->file : job->spec->inputs[0];

    for (guint i = 0; i < job->files->len; i++) {
        const M2nBatchFile *f = job->files->pdata[i];
        const char *const beside[] = {job->spec->model, job->spec->file, NULL};
        if (!m2n_durable_is_no_input(f->path, (const char *const *)job->spec->inputs, error) ||
            !m2n_durable_is_no_input(f->path, beside, error))
            return FALSE;
        g_autofree char *other = claim_path(b, f->path, input);
        if (other == NULL)
            continue;
        g_set_error(
            error, M2N_ERROR, M2N_ERROR_ARGUMENT,
            "%s: its output %s is also that of %s; put {input}, {init} or {member} into the output name",
            input, f->path, other);
        return FALSE;
    }
    return TRUE;
}

/* TRUE: at least one file has to be written; *todo[i] tells which. */
static gboolean
find_work(Batch *b, const M2nOpenJob *job, gboolean *todo)
{
    gboolean any = FALSE;

    for (guint i = 0; i < job->files->len; i++) {
        const M2nBatchFile *f = job->files->pdata[i];
        g_autofree char *why = NULL;
        todo[i] = b->o->overwrite || !m2n_job_file_is_done(job, f, b->o->format, &why);
        any |= todo[i];
        if (todo[i] && why != NULL) {
            g_autofree char *text = g_strdup_printf("%s: written again: %s", f->path, why);
            tell(b, M2N_BATCH_REDO, text);
        }
    }
    return any;
}

static gboolean
write_files(Batch *b, const M2nOpenJob *job, const gboolean *todo, const float *values,
            GError **error)
{
    for (guint i = 0; i < job->files->len; i++) {
        const M2nBatchFile *f = job->files->pdata[i];
        g_autofree float *room = NULL;
        if (!todo[i])
            continue;
        const M2nProduct p = m2n_job_product(job, f, values, &room);
        if (!m2n_product_write(&p, f->path, b->o->format, &b->o->product, error))
            return FALSE;
        tell(b, M2N_BATCH_WROTE, f->path);
    }
    return TRUE;
}

typedef enum { DONE, SKIPPED, FAILED } Outcome;

/* *open is the job before this one, and then this one: while it is open, the index of its input and its
 * model stay in memory, and most jobs share them. */
static Outcome
run_job(Batch *b, Ticket *ticket, M2nOpenJob **open, GError **error)
{
    M2nOpenJob *job = m2n_job_open(b->o, &b->split, &b->jobs[ticket->job], error);

    g_clear_pointer(open, m2n_job_free);
    *open = job;
    if (job == NULL || !claim_paths(b, job, error))
        return FAILED;
    const char *note = m2n_forecast_note(job->forecast);
    if (note != NULL)
        tell_once(b, M2N_BATCH_NOTE, note, note);
    g_autofree gboolean *todo = g_new0(gboolean, job->files->len);
    if (!find_work(b, job, todo)) {
        tell(b, M2N_BATCH_SKIPPED, b->jobs[ticket->job].inputs[0]);
        return SKIPPED;
    }
    g_auto(GStrv) doubts = NULL;
    g_autofree float *values = m2n_job_compute(job, &doubts, report, ticket, error);
    for (guint v = 0; values != NULL && doubts[v] != NULL; v++) { /* the mean is another at another time */
        g_autofree char *subject = g_strdup_printf("%u %s", v, b->jobs[ticket->job].inputs[0]);
        if (*doubts[v] != '\0')
            tell_once(b, M2N_BATCH_DOUBT, subject, doubts[v]);
    }
    return values != NULL && write_files(b, job, todo, values, error) ? DONE : FAILED;
}

/* Names the input where the message does not. */
static char *
failure_text(const M2nBatchJob *job, const GError *error)
{
    if (strstr(error->message, job->inputs[0]) != NULL)
        return g_strdup(error->message);
    return g_strdup_printf("%s: %s", job->inputs[0], error->message);
}

static gpointer
work(gpointer data)
{
    Batch *b = data;
    g_autoptr(M2nOpenJob) open = NULL;
    guint index;

    while (take_job(b, &index)) {
        Ticket ticket = {b, index};
        g_autoptr(GError) error = NULL;
        const Outcome outcome = run_job(b, &ticket, &open, &error);
        const gboolean stopped = g_error_matches(error, M2N_ERROR, M2N_ERROR_CANCELLED);
        if (outcome == FAILED && !stopped) {
            g_autofree char *text = failure_text(&b->jobs[index], error);
            tell(b, M2N_BATCH_FAILED, text);
        }
        g_mutex_lock(&b->lock);
        b->result.done += outcome == DONE;
        b->result.skipped += outcome == SKIPPED;
        b->result.failed += outcome == FAILED && !stopped;
        b->result.cancelled |= stopped;
        g_mutex_unlock(&b->lock);
        if (!stopped)
            report(1, NULL, &ticket);
    }
    return NULL;
}

gboolean
m2n_batch_run(const M2nBatchOptions *options, const M2nBatchListener *listener,
              M2nBatchResult *result, GError **error)
{
    Batch b;

    if (!batch_init(&b, options, listener, error))
        return FALSE;
    m2n_group_serve(options->group, answer, &b);
    const guint n = CLAMP(options->jobs, 1, MAX(b.n_jobs, 1));
    g_autofree GThread **threads = g_new0(GThread *, n);
    for (guint i = 1; i < n; i++) /* the caller is the first worker */
        threads[i] = g_thread_try_new("met2net-batch", work, &b, NULL);
    work(&b);
    for (guint i = 1; i < n; i++)
        if (threads[i] != NULL)
            g_thread_join(threads[i]);
    m2n_group_serve_end(options->group);
    *result = b.result;
    batch_clear(&b);
    return TRUE;
}
