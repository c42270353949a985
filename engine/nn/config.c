#include "engine/nn/config.h"

#include <math.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/ops/attention.h"

/* Largest single quantity of a forward pass, in floats: 4 TiB, so that sizes times batch, bytes and
 * threads stay far from the end of 64 bits. */
#define MAX_FLOATS ((guint64)1 << 40)

G_STATIC_ASSERT(M2N_HEADS == M2N_ATTENTION_HEADS);

G_GNUC_PRINTF(4, 5)
static gboolean
fail(GError **error, M2nError code, const char *where, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, M2N_ERROR, (int)code, "%s: config: %s", where, what);
    return FALSE;
}

static gboolean
check_ranges(const M2nConfig *c, const char *where, GError **error)
{
    const struct {
        const char *name;
        guint value, low, high;
    } sizes[] = {
        {"steps", c->steps, 1, 1024},
        {"variables", c->variables, 1, M2N_ATTENTION_MAX_VARIABLES},
        {"height", c->height, 1, 1u << 15},
        {"width", c->width, 1, 1u << 15},
        {"hid_S", c->hid_S, 2, 1024},
        {"hid_T", c->hid_T, M2N_HEADS, 8192},
        {"N_S", c->N_S, 1, 16},
        {"N_T", c->N_T, 0, 256},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++)
        if (sizes[i].value < sizes[i].low || sizes[i].value > sizes[i].high)
            return fail(error, M2N_ERROR_SHAPE, where, "%s is %u, expected %u to %u", sizes[i].name,
                        sizes[i].value, sizes[i].low, sizes[i].high);
    return TRUE;
}

gboolean
m2n_config_check(const M2nConfig *c, const char *where, GError **error)
{
    if (!check_ranges(c, where, error))
        return FALSE;
    if (c->hid_S % 2 != 0)
        return fail(error, M2N_ERROR_SHAPE, where, "hid_S is %u, expected an even number",
                    c->hid_S);
    if (c->hid_T % M2N_HEADS != 0)
        return fail(error, M2N_ERROR_SHAPE, where, "hid_T is %u, expected a multiple of %u",
                    c->hid_T, M2N_HEADS);
    const guint shrink = m2n_config_shrink(c);
    if (c->height % shrink != 0 || c->width % shrink != 0)
        return fail(error, M2N_ERROR_SHAPE, where, "grid is %u x %u, expected multiples of %u",
                    c->width, c->height, shrink);
    const guint64 grid = (guint64)c->height * c->width;
    if (grid * c->variables * c->steps * c->hid_S > MAX_FLOATS ||
        grid / shrink / shrink * c->variables * c->hid_T * 4 > MAX_FLOATS)
        return fail(error, M2N_ERROR_SHAPE, where, "the network is too large");
    if (!(c->momentum_ema >= 0 && c->momentum_ema <= 1))
        return fail(error, M2N_ERROR_SHAPE, where, "momentum_ema is %g, expected 0 to 1",
                    c->momentum_ema);
    if (!(c->drop_path >= 0 && c->drop_path < 1))
        return fail(error, M2N_ERROR_SHAPE, where, "drop_path is %g, expected 0 to below 1",
                    c->drop_path);
    return TRUE;
}

static gboolean
read_size(JsonObject *o, const char *key, guint *value, const char *where, GError **error)
{
    JsonNode *node = json_object_get_member(o, key);

    if (node == NULL)
        return fail(error, M2N_ERROR_FORMAT, where, "%s is missing", key);
    if (json_node_get_value_type(node) != G_TYPE_INT64 || json_node_get_int(node) < 0 ||
        json_node_get_int(node) > G_MAXINT)
        return fail(error, M2N_ERROR_FORMAT, where, "%s is not a whole number", key);
    *value = (guint)json_node_get_int(node);
    return TRUE;
}

static gboolean
read_number(JsonObject *o, const char *key, double *value, const char *where, GError **error)
{
    JsonNode *node = json_object_get_member(o, key);

    if (node == NULL)
        return TRUE; /* training only: the default stays */
    if (json_node_get_value_type(node) != G_TYPE_DOUBLE &&
        json_node_get_value_type(node) != G_TYPE_INT64)
        return fail(error, M2N_ERROR_FORMAT, where, "%s is not a number", key);
    *value = json_node_get_double(node);
    return TRUE;
}

/* The number of entries of the `variables` metadata; *listed FALSE when there is none. */
static gboolean
count_variables(const M2nSafetensors *st, const char *where, gboolean *listed, guint *n,
                GError **error)
{
    const char *text = m2n_safetensors_metadata(st, "variables");

    *listed = text != NULL;
    if (text == NULL)
        return TRUE;
    g_autofree char *object = g_strconcat("{\"variables\":", text, "}", NULL);
    g_autoptr(JsonNode) root = m2n_json_parse_object(object, strlen(object), where, error);
    if (root == NULL)
        return FALSE;
    JsonNode *list = json_object_get_member(json_node_get_object(root), "variables");
    if (!JSON_NODE_HOLDS_ARRAY(list))
        return fail(error, M2N_ERROR_FORMAT, where, "variables is not a list");
    *n = json_array_get_length(json_node_get_array(list));
    return TRUE;
}

static gboolean
read_variables(const M2nSafetensors *st, JsonObject *o, const char *where, guint *n, GError **error)
{
    gboolean listed;
    guint count = 0;

    if (!count_variables(st, where, &listed, &count, error))
        return FALSE;
    if (listed && !json_object_has_member(o, "variables")) {
        *n = count;
        return TRUE;
    }
    if (!read_size(o, "variables", n, where, error))
        return FALSE;
    if (listed && count != *n)
        return fail(error, M2N_ERROR_FORMAT, where, "variables is %u, but %u are listed", *n,
                    count);
    return TRUE;
}

gboolean
m2n_config_read(const M2nSafetensors *st, M2nConfig *config, GError **error)
{
    const char *where = m2n_source_name(m2n_safetensors_source(st));
    const char *text = m2n_safetensors_metadata(st, "config");
    M2nConfig c = M2N_CONFIG_DEFAULT;

    if (text == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "%s: no config in its metadata", where);
        return FALSE;
    }
    g_autofree char *name = g_strdup_printf("%s: config", where);
    g_autoptr(JsonNode) root = m2n_json_parse_object(text, strlen(text), name, error);
    if (root == NULL)
        return FALSE;
    JsonObject *o = json_node_get_object(root);
    if (!read_size(o, "steps", &c.steps, where, error) ||
        !read_size(o, "height", &c.height, where, error) ||
        !read_size(o, "width", &c.width, where, error) ||
        !read_size(o, "hid_S", &c.hid_S, where, error) ||
        !read_size(o, "hid_T", &c.hid_T, where, error) ||
        !read_size(o, "N_S", &c.N_S, where, error) || !read_size(o, "N_T", &c.N_T, where, error) ||
        !read_number(o, "momentum_ema", &c.momentum_ema, where, error) ||
        !read_number(o, "drop_path", &c.drop_path, where, error) ||
        !read_variables(st, o, where, &c.variables, error) || !m2n_config_check(&c, where, error))
        return FALSE;
    *config = c;
    return TRUE;
}

char *
m2n_config_to_json(const M2nConfig *c)
{
    char momentum[G_ASCII_DTOSTR_BUF_SIZE], drop[G_ASCII_DTOSTR_BUF_SIZE];

    return g_strdup_printf("{\"steps\": %u, \"variables\": %u, \"height\": %u, \"width\": %u, "
                           "\"hid_S\": %u, \"hid_T\": %u, \"N_S\": %u, \"N_T\": %u, "
                           "\"momentum_ema\": %s, \"drop_path\": %s}",
                           c->steps, c->variables, c->height, c->width, c->hid_S, c->hid_T, c->N_S,
                           c->N_T, g_ascii_dtostr(momentum, sizeof momentum, c->momentum_ema),
                           g_ascii_dtostr(drop, sizeof drop, c->drop_path));
}
