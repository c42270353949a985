/* A strict JSON reader that knows what it expects. */
#include "plugin/json_cursor.h"

#include <stdarg.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/suggest.h"

gboolean
m2n_cursor_fail(const M2nJsonCursor *j, const char *at, GError **error, const char *format, ...)
{
    va_list args;
    guint line = 1, column = 1;

    for (const char *p = j->text; p < at; p++) {
        column = *p == '\n' ? 1 : column + 1;
        line += *p == '\n';
    }
    const gboolean slashes = j->end - at > 1 && *at == '/' && (at[1] == '/' || at[1] == '*');
    const gboolean comment = slashes || (at < j->end && *at == '#');
    va_start(args, format);
    g_autofree char *message = comment ? g_strdup("JSON has no comments") : g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "%s:%u:%u: %s", j->file, line, column, message);
    return FALSE;
}

char
m2n_cursor_peek(M2nJsonCursor *j)
{
    while (j->at < j->end && strchr(" \t\r\n", *j->at) != NULL && *j->at != '\0')
        j->at++;
    if (j->at == j->end)
        return 'e';
    if (g_ascii_isdigit(*j->at))
        return '0';
    return *j->at != '\0' && strchr("{}[]:,\"tfn-", *j->at) != NULL ? *j->at : '?';
}

static gboolean
expect(M2nJsonCursor *j, char c, GError **error)
{
    if (m2n_cursor_peek(j) != c)
        return m2n_cursor_fail(j, j->at, error, c == '}' || c == ']' ? "expected ',' or '%c'" : "expected '%c'", c);
    j->at++;
    return TRUE;
}

/* The four digits after "\u"; -1 when there are none. */
static gint32
take_hex4(M2nJsonCursor *j)
{
    gint32 code = 0;

    for (guint i = 0; i < 4; i++, j->at++) {
        if (j->at == j->end || !g_ascii_isxdigit(*j->at))
            return -1;
        code = code * 16 + g_ascii_xdigit_value(*j->at);
    }
    return code;
}

/* After the backslash. */
static gboolean
take_escape(M2nJsonCursor *j, GString *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *known = j->at < j->end && *j->at != '\0' ? strchr(from, *j->at) : NULL;

    if (known != NULL) {
        g_string_append_c(out, to[known - from]);
        j->at++;
        return TRUE;
    }
    if (j->at == j->end || *j->at++ != 'u')
        return FALSE;
    gint32 code = take_hex4(j);
    if (code >= 0xd800 && code < 0xdc00) { /* the first half of a pair */
        if (j->end - j->at < 2 || j->at[0] != '\\' || j->at[1] != 'u')
            return FALSE;
        j->at += 2;
        const gint32 low = take_hex4(j);
        if (low < 0xdc00 || low > 0xdfff)
            return FALSE;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    } else if (code >= 0xdc00 && code < 0xe000) {
        return FALSE;
    }
    if (code <= 0) /* a NUL would cut the C string short: what was checked is not what is opened */
        return FALSE;
    g_string_append_unichar(out, (gunichar)code);
    return TRUE;
}

gboolean
m2n_cursor_string(M2nJsonCursor *j, const char *what, const char *wanted, char **out, GError **error)
{
    g_autoptr(GString) s = g_string_new(NULL);

    if (m2n_cursor_peek(j) != '"')
        return m2n_cursor_fail(j, j->at, error, "%s: expected %s", what, wanted);
    const char *start = j->at++;
    while (j->at < j->end && *j->at != '"') {
        if ((guchar)*j->at < 0x20)
            return m2n_cursor_fail(j, j->at, error, "control character in a string");
        if (*j->at != '\\') {
            g_string_append_c(s, *j->at++);
            continue;
        }
        const char *escape = j->at++;
        if (!take_escape(j, s))
            return m2n_cursor_fail(j, escape, error, "wrong escape in a string");
    }
    if (j->at == j->end)
        return m2n_cursor_fail(j, start, error, "string without an end");
    j->at++;
    g_free(*out);
    *out = g_string_free(g_steal_pointer(&s), FALSE);
    return TRUE;
}

gboolean
m2n_cursor_boolean(M2nJsonCursor *j, const char *what, gboolean *out, GError **error)
{
    const char kind = m2n_cursor_peek(j);
    const char *word = kind == 't' ? "true" : "false";

    if ((gsize)(j->end - j->at) < strlen(word) || strncmp(j->at, word, strlen(word)) != 0)
        return m2n_cursor_fail(j, j->at, error, "%s: expected true or false", what);
    j->at += strlen(word);
    *out = kind == 't';
    return TRUE;
}

gboolean
m2n_cursor_integer(M2nJsonCursor *j, const char *what, gint64 *out, GError **error)
{
    const char kind = m2n_cursor_peek(j);
    const char *start = j->at;
    char *end = NULL;

    if (kind == '0' || kind == '-') {
        g_autofree char *word = g_strndup(j->at, MIN((gsize)(j->end - j->at), (gsize)24));
        *out = g_ascii_strtoll(word, &end, 10);
        j->at += end - word;
    }
    const char *digits = start + (kind == '-');
    const gboolean padded = j->at - digits > 1 && *digits == '0';
    if (j->at == start || padded || (j->at < j->end && strchr(".eE", *j->at) != NULL))
        return m2n_cursor_fail(j, start, error, "%s: expected a whole number", what);
    return TRUE;
}

gboolean
m2n_cursor_strings(M2nJsonCursor *j, const char *what, const char *wanted, guint most, char ***out,
                   GError **error)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(g_free);
    const gboolean many = m2n_cursor_peek(j) == '[';
    const char *start = j->at;

    j->at += many;
    if (many && m2n_cursor_peek(j) == ']')
        return m2n_cursor_fail(j, start, error, "%s: an empty list; expected %s", what, wanted);
    do {
        char *one = NULL;
        if (all->len == most)
            return m2n_cursor_fail(j, start, error, "%s: more than %u", what, most);
        if (!m2n_cursor_string(j, what, wanted, &one, error))
            return FALSE;
        g_ptr_array_add(all, one);
    } while (many && m2n_cursor_peek(j) == ',' && j->at++ != NULL);
    if (many && !expect(j, ']', error))
        return FALSE;
    g_ptr_array_add(all, NULL);
    g_strfreev(*out);
    *out = (char **)g_ptr_array_free(g_steal_pointer(&all), FALSE);
    return TRUE;
}

static gboolean
take_member(M2nJsonCursor *j, const char *const *keys, guint64 *seen, M2nCursorMember member,
            gpointer data, GError **error)
{
    g_autofree char *key = NULL;
    guint i = 0;

    m2n_cursor_peek(j);
    const char *start = j->at;
    if (!m2n_cursor_string(j, "key", "a name in double quotes", &key, error))
        return FALSE;
    while (keys[i] != NULL && strcmp(keys[i], key) != 0)
        i++;
    if (keys[i] == NULL) {
        g_autofree char *hint = m2n_suggest_text(key, keys);
        return m2n_cursor_fail(j, start, error, "unknown key \"%.64s\"%s", key, hint);
    }
    if ((*seen >> i & 1) != 0)
        return m2n_cursor_fail(j, start, error, "key \"%s\" given twice", key);
    *seen |= G_GUINT64_CONSTANT(1) << i;
    return expect(j, ':', error) && member(j, i, data, error);
}

gboolean
m2n_cursor_object(M2nJsonCursor *j, const char *const *keys, M2nCursorMember member, gpointer data,
                  GError **error)
{
    guint64 seen = 0;

    if (!expect(j, '{', error))
        return FALSE;
    if (m2n_cursor_peek(j) == '}') {
        j->at++;
        return TRUE;
    }
    do {
        if (!take_member(j, keys, &seen, member, data, error))
            return FALSE;
    } while (m2n_cursor_peek(j) == ',' && j->at++ != NULL);
    return expect(j, '}', error);
}

gboolean
m2n_cursor_finish(M2nJsonCursor *j, GError **error)
{
    return m2n_cursor_peek(j) == 'e' ||
           m2n_cursor_fail(j, j->at, error, "text after the end of the object");
}
