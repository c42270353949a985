/* A recursive-descent scanner of RFC 8259 that builds nothing but the keys of the open objects. */
#include "engine/base/json.h"

#include <string.h>

#include "engine/base/error.h"

typedef struct {
    const char *text;
    gsize n, at;
    guint depth, values;
    const char *problem; /* first thing found wrong */
} Scan;

static gboolean scan_value(Scan *s);

static gboolean
wrong(Scan *s, const char *problem)
{
    if (s->problem == NULL)
        s->problem = problem;
    return FALSE;
}

static int
peek(const Scan *s)
{
    return s->at < s->n ? (guchar)s->text[s->at] : -1;
}

static gboolean
take(Scan *s, char c)
{
    if (peek(s) != c)
        return FALSE;
    s->at++;
    return TRUE;
}

static void
skip_space(Scan *s)
{
    while (s->at < s->n && strchr(" \t\r\n", s->text[s->at]) != NULL && s->text[s->at] != '\0')
        s->at++;
}

/* Four hexadecimal digits, or -1. */
static int
scan_hex4(Scan *s)
{
    int u = 0;

    for (guint i = 0; i < 4; i++, s->at++) {
        const int digit = s->at < s->n ? g_ascii_xdigit_value(s->text[s->at]) : -1;
        if (digit < 0)
            return -1;
        u = u * 16 + digit;
    }
    return u;
}

static gboolean
scan_escape(Scan *s, GString *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const int c = peek(s);
    const char *which = c > 0 ? strchr(from, c) : NULL;

    if (c < 0)
        return wrong(s, "unfinished string");
    s->at++;
    if (which != NULL) {
        g_string_append_c(out, to[which - from]);
        return TRUE;
    }
    int u = c == 'u' ? scan_hex4(s) : -1;
    if (u >= 0xD800 && u < 0xDC00) { /* first half of a pair */
        const int low = take(s, '\\') && take(s, 'u') ? scan_hex4(s) : -1;
        u = low >= 0xDC00 && low < 0xE000 ? 0x10000 + ((u - 0xD800) << 10) + (low - 0xDC00) : -1;
    } else if (u >= 0xDC00 && u < 0xE000) {
        u = -1;
    }
    if (u <= 0) /* \u0000 too: C strings end there, so two keys could look alike */
        return wrong(s, "bad escape");
    g_string_append_unichar(out, (gunichar)u);
    return TRUE;
}

/* (transfer full) the string with escapes resolved; NULL when wrong. */
static char *
scan_string(Scan *s)
{
    g_autoptr(GString) out = g_string_new(NULL);

    if (!take(s, '"')) {
        wrong(s, "a string is expected");
        return NULL;
    }
    for (;;) {
        const gsize start = s->at;

        while (s->at < s->n && (guchar)s->text[s->at] >= 0x20 && s->text[s->at] != '"' &&
               s->text[s->at] != '\\')
            s->at++;
        g_string_append_len(out, s->text + start, (gssize)(s->at - start));
        if (take(s, '"'))
            return g_string_free(g_steal_pointer(&out), FALSE);
        if (!take(s, '\\')) {
            wrong(s, s->at < s->n ? "control character in a string" : "unfinished string");
            return NULL;
        }
        if (!scan_escape(s, out))
            return NULL;
    }
}

static gboolean
scan_digits(Scan *s)
{
    const gsize start = s->at;

    while (s->at < s->n && g_ascii_isdigit(s->text[s->at]))
        s->at++;
    return s->at > start || wrong(s, "a digit is expected");
}

/* json-glib takes 2^64 + 1 for -1. */
static gboolean
fits_64_bits(const char *digits, gsize n)
{
    static const char most[] = "9223372036854775807";
    const gsize length = sizeof most - 1;

    return n < length || (n == length && memcmp(digits, most, length) <= 0);
}

static gboolean
scan_number(Scan *s)
{
    take(s, '-');
    const gsize start = s->at;
    if (!take(s, '0') && !scan_digits(s))
        return FALSE;
    const gboolean fits = fits_64_bits(s->text + start, s->at - start);
    const gboolean fraction = take(s, '.');
    if (fraction && !scan_digits(s))
        return FALSE;
    if (take(s, 'e') || take(s, 'E')) {
        if (!take(s, '+'))
            take(s, '-');
        return scan_digits(s);
    }
    return fraction || fits || wrong(s, "a whole number does not fit 64 bits");
}

static gboolean
scan_word(Scan *s, const char *word)
{
    const gsize length = strlen(word);

    if (s->n - s->at < length || memcmp(s->text + s->at, word, length) != 0)
        return wrong(s, "a value is expected");
    s->at += length;
    return TRUE;
}

static gboolean
scan_member(Scan *s, GHashTable *keys)
{
    skip_space(s);
    char *key = scan_string(s);

    if (key == NULL)
        return FALSE;
    if (!g_hash_table_add(keys, key))
        return wrong(s, "duplicate key");
    if (g_hash_table_size(keys) > M2N_JSON_MAX_KEYS)
        return wrong(s, "too many keys");
    skip_space(s);
    return take(s, ':') ? scan_value(s) : wrong(s, "':' is expected");
}

static gboolean
scan_object(Scan *s)
{
    g_autoptr(GHashTable) keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    s->at++;
    skip_space(s);
    if (take(s, '}'))
        return TRUE;
    do {
        if (!scan_member(s, keys))
            return FALSE;
        skip_space(s);
    } while (take(s, ','));
    return take(s, '}') || wrong(s, "',' or '}' is expected");
}

static gboolean
scan_array(Scan *s)
{
    s->at++;
    skip_space(s);
    if (take(s, ']'))
        return TRUE;
    do {
        if (!scan_value(s))
            return FALSE;
        skip_space(s);
    } while (take(s, ','));
    return take(s, ']') || wrong(s, "',' or ']' is expected");
}

static gboolean
scan_value(Scan *s)
{
    gboolean ok;

    skip_space(s);
    if (++s->values > M2N_JSON_MAX_VALUES)
        return wrong(s, "too many values");
    switch (peek(s)) {
    case '{':
    case '[':
        if (s->depth == M2N_JSON_MAX_DEPTH)
            return wrong(s, "nested too deep");
        s->depth++;
        ok = peek(s) == '{' ? scan_object(s) : scan_array(s);
        s->depth--;
        return ok;
    case '"': {
        g_autofree char *string = scan_string(s);
        return string != NULL;
    }
    case 't':
        return scan_word(s, "true");
    case 'f':
        return scan_word(s, "false");
    case 'n':
        return scan_word(s, "null");
    default:
        return scan_number(s);
    }
}

gboolean
m2n_json_check(const char *text, gsize n, const char *where, GError **error)
{
    Scan s = {.text = text, .n = n};

    if (!g_utf8_validate_len(text, n, NULL))
        wrong(&s, "not UTF-8");
    else if (scan_value(&s)) {
        skip_space(&s);
        if (s.at < n)
            wrong(&s, "something follows the value");
    }
    if (s.problem != NULL)
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "%s: JSON: %s at byte %" G_GSIZE_FORMAT,
                    where, s.problem, s.at);
    return s.problem == NULL;
}

JsonNode *
m2n_json_parse(const char *text, gsize n, const char *where, GError **error)
{
    g_autoptr(JsonParser) parser = json_parser_new_immutable();
    g_autoptr(GError) cause = NULL;

    if (!m2n_json_check(text, n, where, error))
        return NULL;
    if (n > G_MAXINT || !json_parser_load_from_data(parser, text, (gssize)n, &cause)) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "%s: JSON: %s", where,
                    cause != NULL ? cause->message : "too long");
        return NULL;
    }
    return json_parser_steal_root(parser);
}

JsonNode *
m2n_json_parse_object(const char *text, gsize n, const char *where, GError **error)
{
    g_autoptr(JsonNode) root = m2n_json_parse(text, n, where, error);

    if (root == NULL)
        return NULL;
    if (!JSON_NODE_HOLDS_OBJECT(root)) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "%s: JSON: an object is expected", where);
        return NULL;
    }
    return g_steal_pointer(&root);
}
