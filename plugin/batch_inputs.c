/* Lists, patterns and standard input, as one list of names. */
#include "plugin/batch_inputs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/folder.h"

#define MAX_DEPTH 32 /* of "**": a loop of symbolic links ends here */

typedef struct {
    GPtrArray *names;
    GHashTable *seen; /* borrows the names */
} Names;

static void
add_name(Names *n, char *name) /* (transfer full) */
{
    if (g_hash_table_contains(n->seen, name)) {
        g_free(name);
        return;
    }
    g_ptr_array_add(n->names, name);
    g_hash_table_add(n->seen, name);
}

static gboolean
is_pattern(const char *name)
{
    return strpbrk(name, "*?[") != NULL;
}

/* One character class "[a-z]" or "[!a-z]" at *p against c; *p moves behind it.  An open bracket is itself. */
static gboolean
match_class(const char **p, char c)
{
    const char *at = *p + 1;
    const gboolean not = *at == '!' || *at == '^';
    gboolean in = FALSE, first = TRUE;

    for (at += not ; *at != 0 && (first || *at != ']'); at++, first = FALSE) {
        if (at[1] == '-' && at[2] != 0 && at[2] != ']') {
            in |= at[0] <= c && c <= at[2];
            at += 2;
        } else {
            in |= *at == c;
        }
    }
    if (*at == 0) {
        ++*p;
        return c == '[';
    }
    *p = at + 1;
    return in != not ;
}

static gboolean
matches(const char *pattern, const char *text)
{
    while (*pattern != 0 && *pattern != '*') {
        if (*text == 0)
            return FALSE;
        if (*pattern == '[') {
            if (!match_class(&pattern, *text))
                return FALSE;
        } else if (*pattern != '?' && *pattern != *text) {
            return FALSE;
        } else {
            pattern++;
        }
        text++;
    }
    if (*pattern == 0)
        return *text == 0;
    for (;; text++) {
        if (matches(pattern + 1, text))
            return TRUE;
        if (*text == 0)
            return FALSE;
    }
}

/* Folders that are not ours to list are passed over, as shells do: below a mount point there is a lost+found. */
static gboolean
is_folder_for_us(const char *path)
{
    return g_file_test(path, G_FILE_TEST_IS_DIR) && (access(path, R_OK) == 0 || errno != EACCES);
}

/* FALSE: M2N_ERROR_IO, a folder could not be listed. */
static gboolean
expand_parts(Names *n, const char *folder, char **parts, guint depth, GError **error)
{
    const gboolean last = parts[1] == NULL, any_depth = g_str_equal(parts[0], "**");
    gboolean ok = TRUE;

    if (depth > MAX_DEPTH)
        return TRUE;
    if (any_depth && !last && !expand_parts(n, folder, parts + 1, depth + 1, error))
        return FALSE;
    g_autoptr(GError) problem = NULL;
    g_auto(GStrv) entries = m2n_folder_names(folder, &problem);
    if (entries == NULL && !g_error_matches(problem, M2N_ERROR, M2N_ERROR_MISSING)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    for (char **entry = entries; ok && entries != NULL && *entry != NULL; entry++) {
        if (**entry == '.' && parts[0][0] != '.') /* hidden, unless the pattern asks for them */
            continue;
        g_autofree char *path =
            g_str_equal(folder, ".") ? g_strdup(*entry) : g_build_filename(folder, *entry, NULL);
        const gboolean is_folder = is_folder_for_us(path);
        if (any_depth && is_folder)
            ok = expand_parts(n, path, parts, depth + 1, error);
        else if (any_depth || !matches(parts[0], *entry))
            continue;
        else if (last)
            add_name(n, g_steal_pointer(&path));
        else if (is_folder)
            ok = expand_parts(n, path, parts + 1, depth + 1, error);
    }
    return ok;
}

static gboolean
expand_pattern(Names *n, const char *pattern, GError **error)
{
    const guint before = n->names->len;
    g_auto(GStrv) parts = g_strsplit(pattern, "/", -1);
    GString *folder = g_string_new(pattern[0] == '/' ? "/" : "");
    guint first = pattern[0] == '/';

    while (parts[first] != NULL && parts[first + 1] != NULL && !is_pattern(parts[first])) {
        g_string_append_printf(folder, "%s%s",
                               folder->len > 0 && folder->str[folder->len - 1] != '/' ? "/" : "",
                               parts[first]);
        first++;
    }
    const gboolean listed = expand_parts(n, folder->len > 0 ? folder->str : ".", parts + first, 0, error);
    g_string_free(folder, TRUE);
    if (!listed) {
        g_prefix_error(error, "%s: ", pattern);
        return FALSE;
    }
    if (n->names->len > before)
        return TRUE;
    g_set_error(error, M2N_ERROR, M2N_ERROR_MISSING, "%s: no file matches", pattern);
    return FALSE;
}

static gboolean
expand_one(Names *n, const char *name, GError **error)
{
    if (is_pattern(name) && !g_file_test(name, G_FILE_TEST_EXISTS))
        return expand_pattern(n, name, error);
    add_name(n, g_strdup(name));
    return TRUE;
}

/* The lines of a list; `folder` is put before relative names. */
static gboolean
expand_lines(Names *n, const char *text, const char *folder, GError **error)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (guint i = 0; lines[i] != NULL; i++) {
        const char *name = g_strstrip(lines[i]);
        if (*name == 0 || *name == '#')
            continue;
        g_autofree char *path = folder == NULL || g_path_is_absolute(name)
                                    ? g_strdup(name)
                                    : g_build_filename(folder, name, NULL);
        if (!expand_one(n, path, error))
            return FALSE;
    }
    return TRUE;
}

/* All lines of an open file.  What is no text is seen by its first octets: it may have no end. */
static gboolean
expand_stream(Names *n, FILE *f, const char *name, const char *folder, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    char buffer[4096];
    size_t got;

    while ((got = fread(buffer, 1, sizeof buffer, f)) > 0) {
        g_string_append_len(text, buffer, (gssize)got);
        if (g_str_has_prefix(text->str, "GRIB") || memchr(buffer, 0, got) != NULL) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "%s: expected names, a line each%s", name,
                        f == stdin ? "; GRIB itself is read from /vsistdin/" : "");
            return FALSE;
        }
    }
    if (ferror(f)) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: cannot be read: %s", name, g_strerror(errno));
        return FALSE;
    }
    return expand_lines(n, text->str, folder, error);
}

/* It may be a pipe: @<(find ...) */
static gboolean
expand_list(Names *n, const char *list, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(list);
    FILE *f = fopen(list, "rb");

    if (f == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: %s", list, g_strerror(errno));
        return FALSE;
    }
    const gboolean ok = expand_stream(n, f, list, g_str_equal(folder, ".") ? NULL : folder, error);
    fclose(f);
    return ok;
}

char **
m2n_inputs_expand(const char *const *names, GError **error)
{
    Names n = {g_ptr_array_new_with_free_func(g_free), g_hash_table_new(g_str_hash, g_str_equal)};
    gboolean ok = TRUE;

    for (guint i = 0; ok && names[i] != NULL; i++) {
        if (g_str_equal(names[i], "-"))
            ok = expand_stream(&n, stdin, "standard input", NULL, error);
        else if (names[i][0] == '@')
            ok = expand_list(&n, names[i] + 1, error);
        else
            ok = expand_one(&n, names[i], error);
    }
    g_hash_table_unref(n.seen);
    if (ok && n.names->len == 0) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MISSING, "%s: no name in it", names[0]);
        ok = FALSE;
    }
    if (!ok) {
        g_ptr_array_unref(n.names);
        return NULL;
    }
    g_ptr_array_add(n.names, NULL);
    return (char **)g_ptr_array_free(n.names, FALSE);
}

void
m2n_inputs_share(M2nGroup *group, char ***inputs)
{
    const gboolean first = m2n_group_rank(group) == 0;
    g_autoptr(GString) all = g_string_new(NULL); /* each with its NUL */
    guint64 length;

    if (group == NULL)
        return;
    for (guint i = 0; first && (*inputs)[i] != NULL; i++)
        g_string_append_len(all, (*inputs)[i], (gssize)strlen((*inputs)[i]) + 1);
    length = all->len;
    m2n_group_broadcast(group, 0, &length, sizeof length);
    g_string_set_size(all, length);
    m2n_group_broadcast(group, 0, all->str, length);
    if (first)
        return;
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();
    for (const char *p = all->str; p < all->str + length; p += strlen(p) + 1)
        g_strv_builder_add(names, p);
    *inputs = g_strv_builder_end(names);
}
