/* Reading safetensors: the header is checked whole at open, so that reads need no further checks.
 */
#include "engine/base/safetensors.h"

#include <string.h>

#include "engine/base/error.h"
#include "engine/base/half.h"
#include "engine/base/json.h"

#define MAX_HEADER 100000000u
#define MAX_TENSORS (M2N_JSON_MAX_KEYS - 1)
#define MAX_NAME 1024u
#define CHUNK 4096u /* elements converted at a time: 8 KiB of stack */

struct M2nSafetensors {
    M2nSource *source;
    JsonNode *root;        /* owns every name and metadata string */
    JsonObject *metadata;  /* or NULL */
    M2nTensorInfo *tensor; /* [count], by offset */
    guint count;
    GHashTable *by_name; /* name -> M2nTensorInfo in `tensor` */
};

static const struct {
    const char *name;
    guint bytes;
} dtypes[] = {
    {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1},
    {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},
    {"U32", 4},  {"F32", 4}, {"I64", 8}, {"U64", 8},     {"F64", 8},
};

/* 0 when unknown */
static guint
dtype_bytes(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(dtypes); i++)
        if (strcmp(name, dtypes[i].name) == 0)
            return dtypes[i].bytes;
    return 0;
}

G_GNUC_PRINTF(3, 4)
static gboolean
bad(const M2nSafetensors *st, GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "%s: %s", m2n_source_name(st->source), what);
    return FALSE;
}

static gboolean
get_size(JsonArray *a, guint i, guint64 *v)
{
    JsonNode *node = json_array_get_element(a, i);

    if (json_node_get_value_type(node) != G_TYPE_INT64 || json_node_get_int(node) < 0)
        return FALSE;
    *v = (guint64)json_node_get_int(node);
    return TRUE;
}

static gboolean
get_array(JsonObject *o, const char *key, JsonArray **a)
{
    JsonNode *node = json_object_get_member(o, key);

    *a = node != NULL && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
    return *a != NULL;
}

static gboolean
parse_shape(const M2nSafetensors *st, JsonArray *shape, M2nTensorInfo *t, GError **error)
{
    guint64 bytes = dtype_bytes(t->dtype);

    t->rank = json_array_get_length(shape);
    if (t->rank > M2N_MAX_RANK)
        return bad(st, error, "tensor %s: %u dimensions, at most %u are read", t->name, t->rank,
                   M2N_MAX_RANK);
    t->elements = 1;
    for (guint i = 0; i < t->rank; i++)
        if (!get_size(shape, i, &t->shape[i]) ||
            !g_uint64_checked_mul(&t->elements, t->elements, t->shape[i]))
            return bad(st, error, "tensor %s: shape out of range", t->name);
    if (!g_uint64_checked_mul(&bytes, bytes, t->elements))
        return bad(st, error, "tensor %s: shape out of range", t->name);
    if (bytes != t->bytes)
        return bad(st, error,
                   "tensor %s: shape needs %" G_GUINT64_FORMAT
                   " bytes, data_offsets hold %" G_GUINT64_FORMAT,
                   t->name, bytes, t->bytes);
    return TRUE;
}

/* `t->offset` is relative to the data section here. */
static gboolean
parse_tensor(const M2nSafetensors *st, const char *name, JsonNode *node, M2nTensorInfo *t,
             GError **error)
{
    JsonArray *shape, *offsets;
    guint64 end;

    t->name = name;
    if (strlen(name) > MAX_NAME)
        return bad(st, error, "a tensor name has %" G_GSIZE_FORMAT " bytes, at most %u are read",
                   strlen(name), MAX_NAME);
    for (const char *c = name; *c != '\0'; c++)
        if ((guchar)*c < 0x20)
            return bad(st, error, "a tensor name holds a control character");
    if (!JSON_NODE_HOLDS_OBJECT(node))
        return bad(st, error, "tensor %s: not an object", name);
    JsonObject *o = json_node_get_object(node);
    JsonNode *dtype = json_object_get_member(o, "dtype");
    if (dtype == NULL || json_node_get_value_type(dtype) != G_TYPE_STRING ||
        !get_array(o, "shape", &shape) || !get_array(o, "data_offsets", &offsets) ||
        json_object_get_size(o) != 3)
        return bad(st, error, "tensor %s: not exactly dtype, shape and data_offsets", name);
    if (dtype_bytes(json_node_get_string(dtype)) == 0)
        return bad(st, error, "tensor %s: dtype %s is not known", name,
                   json_node_get_string(dtype));
    g_strlcpy(t->dtype, json_node_get_string(dtype), sizeof t->dtype);
    if (json_array_get_length(offsets) != 2 || !get_size(offsets, 0, &t->offset) ||
        !get_size(offsets, 1, &end) || end < t->offset)
        return bad(st, error, "tensor %s: data_offsets are not a range", name);
    t->bytes = end - t->offset;
    return parse_shape(st, shape, t, error);
}

static gboolean
parse_metadata(M2nSafetensors *st, JsonNode *node, GError **error)
{
    if (!JSON_NODE_HOLDS_OBJECT(node))
        return bad(st, error, "__metadata__ is not an object");
    st->metadata = json_node_get_object(node);
    g_autoptr(GList) values = json_object_get_values(st->metadata);
    for (GList *l = values; l != NULL; l = l->next)
        if (json_node_get_value_type(l->data) != G_TYPE_STRING)
            return bad(st, error, "__metadata__ holds something else than strings");
    return TRUE;
}

static int
by_offset(gconstpointer a, gconstpointer b)
{
    const M2nTensorInfo *x = a, *y = b;

    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    if (x->bytes != y->bytes) /* the empty ones first */
        return x->bytes < y->bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* No hole, no overlap, no tail; turns offsets into offsets from the start of the source. */
static gboolean
check_tiling(M2nSafetensors *st, guint64 data_start, GError **error)
{
    const guint64 data_size = m2n_source_size(st->source) - data_start;
    guint64 at = 0;

    qsort(st->tensor, st->count, sizeof *st->tensor, by_offset);
    for (guint i = 0; i < st->count; i++) {
        M2nTensorInfo *t = &st->tensor[i];

        if (t->offset != at)
            return bad(st, error,
                       "tensor %s: data begin at %" G_GUINT64_FORMAT
                       ", expected %" G_GUINT64_FORMAT,
                       t->name, t->offset, at);
        if (t->bytes > data_size - at)
            return bad(st, error, "tensor %s: data end after the end of the file", t->name);
        at += t->bytes;
        t->offset += data_start;
        g_hash_table_insert(st->by_name, (gpointer)t->name, t);
    }
    if (at != data_size)
        return bad(st, error, "%" G_GUINT64_FORMAT " bytes follow the last tensor", data_size - at);
    return TRUE;
}

static gboolean
parse_header(M2nSafetensors *st, guint64 data_start, GError **error)
{
    JsonObject *root = json_node_get_object(st->root);
    JsonObjectIter iter;
    const char *name;
    JsonNode *node;

    if (json_object_get_size(root) > MAX_TENSORS)
        return bad(st, error, "%u tensors, at most %u are read", json_object_get_size(root),
                   MAX_TENSORS);
    st->tensor = g_new0(M2nTensorInfo, json_object_get_size(root) + 1);
    json_object_iter_init(&iter, root);
    while (json_object_iter_next(&iter, &name, &node)) {
        if (strcmp(name, "__metadata__") == 0) {
            if (!parse_metadata(st, node, error))
                return FALSE;
        } else if (!parse_tensor(st, name, node, &st->tensor[st->count++], error)) {
            return FALSE;
        }
    }
    return check_tiling(st, data_start, error);
}

/* What people give for a model by mistake, told by its first octets, which were read as a length. */
static const char *
what_instead(guint64 length)
{
    const guint64 le = GUINT64_TO_LE(length);
    const char *start = (const char *)&le;

    return memcmp(start, "GRIB", 4) == 0      ? " but GRIB"
           : start[0] == '{'                  ? " but JSON"
           : memcmp(start, "\x89HDF", 4) == 0 ? " but HDF5 or NetCDF"
           : memcmp(start, "CDF", 3) == 0     ? " but NetCDF"
           : memcmp(start, "PK\3\4", 4) == 0
               ? " but a zip file, as PyTorch saves its models; convert it to safetensors there"
               : "";
}

static gboolean
read_header(M2nSafetensors *st, GError **error)
{
    const guint64 size = m2n_source_size(st->source);
    guint64 length;

    if (size < 8)
        return bad(st, error, "not safetensors: shorter than 8 bytes");
    if (!m2n_source_read(st->source, 0, &length, 8, error))
        return FALSE;
    length = GUINT64_FROM_LE(length);
    if (length > MAX_HEADER || length > size - 8)
        return bad(st, error, "not safetensors%s", what_instead(length));
    g_autofree char *text = g_try_malloc(length + 1);
    if (text == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                    "%s: no memory for its header of %" G_GUINT64_FORMAT " bytes",
                    m2n_source_name(st->source), length);
        return FALSE;
    }
    if (!m2n_source_read(st->source, 8, text, length, error))
        return FALSE;
    if (length == 0 || text[0] != '{')
        return bad(st, error, "not safetensors: header does not begin with '{'");
    st->root = m2n_json_parse_object(text, length, m2n_source_name(st->source), error);
    return st->root != NULL && parse_header(st, 8 + length, error);
}

M2nSafetensors *
m2n_safetensors_open(M2nSource *source, GError **error)
{
    g_autoptr(M2nSafetensors) st = g_new0(M2nSafetensors, 1);

    st->source = m2n_source_ref(source);
    st->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    return read_header(st, error) ? g_steal_pointer(&st) : NULL;
}

void
m2n_safetensors_free(M2nSafetensors *st)
{
    g_hash_table_unref(st->by_name);
    g_free(st->tensor);
    g_clear_pointer(&st->root, json_node_unref);
    m2n_source_unref(st->source);
    g_free(st);
}

M2nSource *
m2n_safetensors_source(const M2nSafetensors *st)
{
    return st->source;
}

guint
m2n_safetensors_count(const M2nSafetensors *st)
{
    return st->count;
}

const M2nTensorInfo *
m2n_safetensors_nth(const M2nSafetensors *st, guint i)
{
    g_assert(i < st->count);
    return &st->tensor[i];
}

const M2nTensorInfo *
m2n_safetensors_find(const M2nSafetensors *st, const char *name)
{
    return g_hash_table_lookup(st->by_name, name);
}

const char *
m2n_safetensors_metadata(const M2nSafetensors *st, const char *key)
{
    JsonNode *node = st->metadata != NULL ? json_object_get_member(st->metadata, key) : NULL;

    return node != NULL ? json_node_get_string(node) : NULL;
}

GStrv
m2n_safetensors_metadata_keys(const M2nSafetensors *st)
{
    g_autoptr(GList) names = st->metadata != NULL ? json_object_get_members(st->metadata) : NULL;
    g_autoptr(GStrvBuilder) keys = g_strv_builder_new();

    names = g_list_sort(names, (GCompareFunc)strcmp);
    for (const GList *l = names; l != NULL; l = l->next)
        g_strv_builder_add(keys, l->data);
    return g_strv_builder_end(keys);
}

gboolean
m2n_safetensors_read_raw(const M2nSafetensors *st, const M2nTensorInfo *t, guint64 first, gsize n,
                         gpointer out, GError **error)
{
    const guint64 size = dtype_bytes(t->dtype);

    g_assert(first <= t->elements && n <= t->elements - first);
    return m2n_source_read(st->source, t->offset + first * size, out, (gsize)(n * size), error);
}

gboolean
m2n_safetensors_read_f32(const M2nSafetensors *st, const M2nTensorInfo *t, guint64 first, gsize n,
                         float *out, GError **error)
{
    const gboolean f16 = strcmp(t->dtype, "F16") == 0;
    guint16 chunk[CHUNK];

    if (strcmp(t->dtype, "F32") == 0)
        return m2n_safetensors_read_raw(st, t, first, n, out, error);
    if (!f16 && strcmp(t->dtype, "BF16") != 0)
        return bad(st, error, "tensor %s: dtype %s, expected F32, F16 or BF16", t->name, t->dtype);
    for (gsize done = 0; done < n;) {
        const gsize now = MIN(n - done, CHUNK);

        if (!m2n_safetensors_read_raw(st, t, first + done, now, chunk, error))
            return FALSE;
        for (gsize i = 0; i < now; i++)
            out[done + i] = f16 ? m2n_float_from_f16(chunk[i]) : m2n_float_from_bf16(chunk[i]);
        done += now;
    }
    return TRUE;
}
