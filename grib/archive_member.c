/* One member of an ensemble: a window of several would be the weather of none. */
#include "engine/base/error.h"
#include "grib/archive_private.h"

#define LISTED 12 /* members that a message names */

static int
compare_members(gconstpointer x, gconstpointer y)
{
    const long a = *(const long *)x, b = *(const long *)y;

    return a < b ? -1 : a > b;
}

/* (transfer full) Ascending numbers of the members, none where nothing but a control (0) is in there. */
static GArray *
find_members(const GArray *messages)
{
    GArray *members = g_array_new(FALSE, FALSE, sizeof(long));

    for (guint i = 0; i < messages->len; i++) {
        const long member = g_array_index(messages, M2nArchiveMessage, i).header.member;
        gboolean known = member < 0;
        for (guint k = members->len; !known && k > 0; k--)
            known = g_array_index(members, long, k - 1) == member;
        if (!known)
            g_array_append_val(members, member);
    }
    g_array_sort(members, compare_members);
    if (members->len == 1 && g_array_index(members, long, 0) == 0)
        g_array_set_size(members, 0);
    return members;
}

/* (transfer full) "0 to 9", or "1, 3, 7" */
static char *
member_list(const GArray *members)
{
    const long first = g_array_index(members, long, 0);
    const long last = g_array_index(members, long, members->len - 1);
    GString *s = g_string_new(NULL);

    if (members->len > 2 && last - first == (long)members->len - 1) {
        g_string_printf(s, "%ld to %ld", first, last);
        return g_string_free(s, FALSE);
    }
    for (guint i = 0; i < MIN(members->len, LISTED); i++)
        g_string_append_printf(s, "%s%ld", i > 0 ? ", " : "", g_array_index(members, long, i));
    if (members->len > LISTED)
        g_string_append_printf(s, " ... %ld", last);
    return g_string_free(s, FALSE);
}

/* What belongs to no ensemble (an orography, say) stays. */
static void
keep_member(GArray *messages, long member)
{
    guint kept = 0;

    for (guint i = 0; i < messages->len; i++) {
        M2nArchiveMessage *m = &g_array_index(messages, M2nArchiveMessage, i);
        const gboolean stays = m->header.member < 0 || m->header.member == member;
        M2nArchiveMessage *to = &g_array_index(messages, M2nArchiveMessage, kept);
        if (stays && to != m) { /* exchanged, so that each header is cleared once */
            const M2nArchiveMessage other = *to;
            *to = *m;
            *m = other;
        }
        if (stays)
            kept++;
    }
    g_array_set_size(messages, kept);
}

gboolean
m2n_archive_keep_member(M2nArchive *a, long wanted, GError **error)
{
    g_autoptr(GArray) members = find_members(a->messages);
    gboolean found = wanted < 0 || (members->len == 0 && wanted == 0);

    for (guint i = 0; !found && i < members->len; i++)
        found = g_array_index(members, long, i) == wanted;
    if (!found && members->len == 0) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MISSING,
                    "%s: member %ld: its messages belong to no ensemble", a->name, wanted);
        return FALSE;
    }
    g_autofree char *list = members->len > 0 ? member_list(members) : NULL;
    if (!found) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MISSING, "%s: member %ld: it holds member%s %s",
                    a->name, wanted, members->len > 1 ? "s" : "", list);
        return FALSE;
    }
    a->members = members->len;
    if (members->len == 0)
        return TRUE;
    a->member = wanted >= 0 ? wanted : g_array_index(members, long, 0);
    if (members->len == 1)
        return TRUE;
    if (wanted < 0)
        a->note = g_strdup_printf("%s: an ensemble of members %s: member %ld is taken", a->name,
                                  list, a->member);
    char *name = g_strdup_printf("%s (member %ld)", a->name, a->member);
    g_free(a->name);
    a->name = name;
    keep_member(a->messages, a->member);
    return TRUE;
}
