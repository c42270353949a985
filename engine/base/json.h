/* JSON from untrusted files: a strict check in front of json-glib, which by itself takes comments,
 * keeps silent about duplicate keys, recurses as deep as the text says, and aborts when memory runs
 * out. */
#pragma once
#include <json-glib/json-glib.h>

G_BEGIN_DECLS

#define M2N_JSON_MAX_DEPTH 32u
#define M2N_JSON_MAX_KEYS 10000u /* of one object: keys made to collide cost their square */
#define M2N_JSON_MAX_VALUES 2000000u /* about 200 MB as a tree of nodes */

/* TRUE: text[0, n) is one RFC 8259 value in UTF-8 without duplicate keys, without \u0000 and whole
 * numbers beyond 64 bits, no deeper than M2N_JSON_MAX_DEPTH, with at most M2N_JSON_MAX_VALUES values and
 * M2N_JSON_MAX_KEYS keys in an object, and nothing but spaces after it. FALSE: M2N_ERROR_FORMAT, message "<where>: JSON: <what> at byte <n>". */
gboolean m2n_json_check(const char *text, gsize n, const char *where, GError **error);

/* (transfer full) m2n_json_check(), then the tree.  NULL: M2N_ERROR_FORMAT; of the second also when it is
 * not an object. */
JsonNode *m2n_json_parse(const char *text, gsize n, const char *where, GError **error);
JsonNode *m2n_json_parse_object(const char *text, gsize n, const char *where, GError **error);

G_END_DECLS
