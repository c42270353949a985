/* Messages of many files, sorted by valid time, and what is known of them all. */
#include "grib/archive.h"

#include "engine/base/error.h"
#include "engine/base/memory_limit.h"
#include "grib/archive_private.h"
#include "grib/variable.h"

#define MOST_THREADS 8

typedef M2nArchiveMessage Message;

static void
clear_message(gpointer m)
{
    m2n_grib_header_clear(&((Message *)m)->header);
}

static void
clear_weights(gpointer p)
{
    M2nArchiveWeights *w = p;

    m2n_grid_unref(w->from);
    m2n_grid_unref(w->to);
    m2n_regrid_free(w->regrid);
    g_clear_pointer(&w->wind, m2n_wind_free);
}

void
m2n_archive_free(M2nArchive *a)
{
    g_array_unref(a->messages);
    g_array_unref(a->weights);
    g_ptr_array_unref(a->readers);
    g_ptr_array_unref(a->problems);
    g_free(a->name);
    g_free(a->note);
    g_free(a);
}

/* Newest run first among equals, so that an analysis outranks yesterday's forecast of the same time; then
 * the file's order. */
static int
compare_messages(gconstpointer x, gconstpointer y)
{
    const Message *a = x, *b = y;

    if (a->header.valid_time != b->header.valid_time)
        return a->header.valid_time < b->header.valid_time ? -1 : 1;
    if (a->header.reference_time != b->header.reference_time)
        return a->header.reference_time > b->header.reference_time ? -1 : 1;
    if (a->header.member != b->header.member) /* a member before what belongs to none */
        return a->header.member > b->header.member ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

/* ---- opening ------------------------------------------------------------------------------- */

guint64
m2n_archive_index_memory(const M2nArchive *a)
{
    guint64 bytes = 0;

    for (guint i = 0; i < a->readers->len; i++)
        bytes += m2n_grib_reader_memory(g_ptr_array_index(a->readers, i));
    return bytes;
}

/* What was found in a large file, for the next time. */
static void
keep_index(M2nArchive *a, M2nGribReader *r, guint first)
{
    g_autofree const M2nGribHeader **headers =
        g_new0(const M2nGribHeader *, m2n_grib_reader_count(r) + 1);

    for (guint i = first; i < a->messages->len; i++) {
        const Message *m = &g_array_index(a->messages, Message, i);
        headers[m->index] = &m->header;
    }
    m2n_grib_reader_keep_index(r, headers);
}

static gboolean
add_source(M2nArchive *a, M2nSource *source, gboolean skip_damaged, guint64 memory, GError **error)
{
    const guint64 index = m2n_archive_index_memory(a);
    M2nGribReader *r = m2n_grib_reader_open_within(source, memory - MIN(index, memory), error);

    if (r == NULL)
        return FALSE;
    g_ptr_array_add(a->readers, r);
    const guint first = a->messages->len;
    for (guint i = 0; i < m2n_grib_reader_count(r); i++) {
        g_autoptr(GError) problem = NULL;
        Message m = {.reader = r, .index = i};

        if (m2n_grib_reader_header(r, i, &m.header, &problem)) {
            g_array_append_val(a->messages, m);
            continue;
        }
        if (g_error_matches(problem, M2N_ERROR, M2N_ERROR_IO) ||
            g_error_matches(problem, M2N_ERROR, M2N_ERROR_MEMORY) ||
            (!skip_damaged && m2n_grib_reader_entry(r, i)->problem != NULL)) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        g_ptr_array_add(a->problems, g_strdup(problem->message));
    }
    keep_index(a, r, first);
    return TRUE;
}

M2nArchive *
m2n_archive_open_with(M2nSource *const *sources, guint n_sources, const M2nArchiveOptions *options,
                      GError **error)
{
    g_assert(n_sources > 0);
    g_autoptr(M2nArchive) a = g_new0(M2nArchive, 1);
    const guint64 memory = options->memory > 0 ? options->memory : m2n_memory_default();

    a->readers = g_ptr_array_new_with_free_func((GDestroyNotify)m2n_grib_reader_close);
    a->problems = g_ptr_array_new_with_free_func(g_free);
    a->messages = g_array_new(FALSE, TRUE, sizeof(Message));
    g_array_set_clear_func(a->messages, clear_message);
    a->weights = g_array_new(FALSE, TRUE, sizeof(M2nArchiveWeights));
    g_array_set_clear_func(a->weights, clear_weights);
    a->threads =
        options->threads > 0 ? options->threads : MIN(g_get_num_processors(), MOST_THREADS);
    a->member = -1;
    a->name = n_sources == 1
                  ? g_strdup(m2n_source_name(sources[0]))
                  : g_strdup_printf("%s and %u more", m2n_source_name(sources[0]), n_sources - 1);
    for (guint i = 0; i < n_sources; i++)
        if (!add_source(a, sources[i], options->skip_damaged, memory, error))
            return NULL;
    if (a->messages->len == 0) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "%s",
                    (const char *)g_ptr_array_index(a->problems, 0));
        return NULL;
    }
    if (!m2n_archive_keep_member(a, options->member, error))
        return NULL;
    g_array_sort(a->messages, compare_messages);
    return g_steal_pointer(&a);
}

M2nArchive *
m2n_archive_open(M2nSource *const *sources, guint n_sources, GError **error)
{
    const M2nArchiveOptions options = M2N_ARCHIVE_OPTIONS_DEFAULT;

    return m2n_archive_open_with(sources, n_sources, &options, error);
}

/* ---- what is in there -------------------------------------------------------------------------- */

long
m2n_archive_member(const M2nArchive *a, guint *members)
{
    *members = a->members;
    return a->member;
}

const char *
m2n_archive_note(const M2nArchive *a)
{
    return a->note;
}

gint64
m2n_archive_reference_time(const M2nArchive *a)
{
    return g_array_index(a->messages, Message, 0).header.reference_time;
}

/* The variable by that name, or what the message says of one that is not in the table. */
static void
name_variable(const M2nGribHeader *h, M2nVariable *v)
{
    char level[G_ASCII_DTOSTR_BUF_SIZE];
    g_autofree char *at_level =
        g_strconcat(h->name, "_", g_ascii_formatd(level, sizeof level, "%g", h->level), NULL);

    if (m2n_variable_from_name(h->name, v, NULL) || m2n_variable_from_name(at_level, v, NULL))
        return;
    memset(v, 0, sizeof *v);
    g_strlcpy(v->name, h->name, sizeof v->name);
    v->param_id = h->param_id;
    g_strlcpy(v->type_of_level, h->type_of_level, sizeof v->type_of_level);
    v->level = h->level;
    g_strlcpy(v->units, h->units, sizeof v->units);
}

M2nVariable *
m2n_archive_variables(const M2nArchive *a, guint *n)
{
    GArray *found = g_array_new(FALSE, FALSE, sizeof(M2nVariable));
    g_autoptr(GHashTable) known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < a->messages->len; i++) {
        M2nVariable v;
        name_variable(&g_array_index(a->messages, Message, i).header, &v);
        if (g_hash_table_add(known, g_strdup_printf("%ld %a %s", v.param_id, v.level, v.type_of_level)))
            g_array_append_val(found, v);
    }
    *n = found->len;
    return (M2nVariable *)(void *)g_array_free(found, FALSE);
}

guint
m2n_archive_count(const M2nArchive *a)
{
    return a->messages->len;
}

guint
m2n_archive_problems(const M2nArchive *a)
{
    return a->problems->len;
}

const char *
m2n_archive_problem(const M2nArchive *a, guint i)
{
    return g_ptr_array_index(a->problems, i);
}

long
m2n_archive_centre(const M2nArchive *a)
{
    return g_array_index(a->messages, Message, 0).header.centre;
}

const M2nGrid *
m2n_archive_grid(const M2nArchive *a, const M2nVariable *v)
{
    for (guint i = 0; i < a->messages->len; i++) {
        const Message *m = &g_array_index(a->messages, Message, i);
        if (m2n_archive_message_is(m, v))
            return m->header.grid;
    }
    return NULL;
}
