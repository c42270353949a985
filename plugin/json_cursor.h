/* M2nJsonCursor: reads a small JSON text of known shape from front to back, strictly (RFC 8259),
 * with the line and column of every mistake.
 *
 * The caller says what it expects next; nothing recurses, so nesting cannot exhaust the stack. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

typedef struct {
    const char *file; /* for messages */
    const char *text, *at, *end;
} M2nJsonCursor;

/* FALSE, always: "file:line:column: message" as M2N_ERROR_FORMAT, for the place `at`.  A comment there is called so. */
gboolean m2n_cursor_fail(const M2nJsonCursor *j, const char *at, GError **error, const char *format,
                         ...) G_GNUC_PRINTF(4, 5);

/* What comes next, after white space: one of { [ " t f n - 0, where 0 is any digit, '?' anything
 * else, 'e' the end. */
char m2n_cursor_peek(M2nJsonCursor *j);

/* One object.  For each member `member` is called with the index of its key in `keys`
 * (NULL-terminated) and must read its value.  Unknown and repeated keys are errors. */
typedef gboolean (*M2nCursorMember)(M2nJsonCursor *j, guint key, gpointer data, GError **error);
gboolean m2n_cursor_object(M2nJsonCursor *j, const char *const *keys, M2nCursorMember member,
                           gpointer data, GError **error);

/* One value; `what` names it in the message when it is of another type: "what: expected ...", for strings with what
 * is `wanted`. */
gboolean m2n_cursor_string(M2nJsonCursor *j, const char *what, const char *wanted, char **out, GError **error);
gboolean m2n_cursor_boolean(M2nJsonCursor *j, const char *what, gboolean *out, GError **error);
gboolean m2n_cursor_integer(M2nJsonCursor *j, const char *what, gint64 *out, GError **error);
/* A string, or an array of 1 to `most` strings. (transfer full) NULL-terminated */
gboolean m2n_cursor_strings(M2nJsonCursor *j, const char *what, const char *wanted, guint most, char ***out,
                            GError **error);

/* Nothing but white space may follow. */
gboolean m2n_cursor_finish(M2nJsonCursor *j, GError **error);

G_END_DECLS
