/* The log of a training run as JSON lines. */
#include "engine/train/log.h"

#include <math.h>
#include <string.h>

#include <json-glib/json-glib.h>

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/json.h"

static void
append_number(GString *out, const char *name, double x)
{
    char buffer[G_ASCII_DTOSTR_BUF_SIZE];

    if (isfinite(x))
        g_string_append_printf(out, ", \"%s\": %s", name,
                               g_ascii_formatd(buffer, sizeof buffer, "%.9g", x));
    else
        g_string_append_printf(out, ", \"%s\": null", name); /* JSON has no NaN */
}

char *
m2n_train_record_to_json(const M2nTrainRecord *r)
{
    g_autoptr(GString) out = g_string_new(NULL);

    g_string_append_printf(out, "{\"epoch\": %u, \"step\": %" G_GUINT64_FORMAT, r->epoch, r->step);
    append_number(out, "learning_rate", r->learning_rate);
    append_number(out, "loss_reconstruction", r->loss_reconstruction);
    append_number(out, "loss_latent", r->loss_latent);
    append_number(out, "loss_prediction", r->loss_prediction);
    append_number(out, "validation_mse", r->validation_mse);
    g_string_append_printf(out, ", \"best\": %s", r->best ? "true" : "false");
    append_number(out, "seconds", r->seconds);
    append_number(out, "samples_per_second", r->samples_per_second);
    g_string_append_printf(out, ", \"memory_bytes\": %" G_GUINT64_FORMAT "}", r->memory_bytes);
    return g_string_free(g_steal_pointer(&out), FALSE);
}

static double
number(JsonObject *o, const char *name)
{
    JsonNode *node = json_object_get_member(o, name);

    return node != NULL && JSON_NODE_HOLDS_VALUE(node) ? json_node_get_double(node) : NAN;
}

static gboolean
truth(JsonObject *o, const char *name)
{
    JsonNode *node = json_object_get_member(o, name);

    return node != NULL && JSON_NODE_HOLDS_VALUE(node) && json_node_get_boolean(node);
}

static gboolean
parse_record(const char *line, M2nTrainRecord *r)
{
    g_autoptr(JsonNode) root = m2n_json_parse_object(line, strlen(line), "line", NULL);

    if (root == NULL)
        return FALSE;
    JsonObject *o = json_node_get_object(root);
    if (!(number(o, "epoch") >= 1 && number(o, "step") >= 0))
        return FALSE;
    *r = (M2nTrainRecord){
        .epoch = (guint)CLAMP(number(o, "epoch"), 0.0, 1e9),
        .step = (guint64)CLAMP(number(o, "step"), 0.0, 0x1p53),
        .learning_rate = number(o, "learning_rate"),
        .loss_reconstruction = number(o, "loss_reconstruction"),
        .loss_latent = number(o, "loss_latent"),
        .loss_prediction = number(o, "loss_prediction"),
        .validation_mse = number(o, "validation_mse"),
        .best = truth(o, "best"),
        .seconds = number(o, "seconds"),
        .samples_per_second = number(o, "samples_per_second"),
        .memory_bytes = (guint64)CLAMP(number(o, "memory_bytes"), 0.0, 0x1p62),
    };
    return TRUE;
}

GArray *
m2n_train_log_read(const char *path, GError **error)
{
    g_autoptr(GArray) records = g_array_new(FALSE, TRUE, sizeof(M2nTrainRecord));
    g_autofree char *text = NULL;
    g_autoptr(GError) why = NULL;

    if (!g_file_get_contents(path, &text, NULL, &why)) {
        if (g_error_matches(why, G_FILE_ERROR, G_FILE_ERROR_NOENT))
            return g_steal_pointer(&records);
        g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: %s", path, why->message);
        return NULL;
    }
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **l = lines; *l; l++) {
        M2nTrainRecord r;

        if (parse_record(*l, &r))
            g_array_append_val(records, r);
    }
    return g_steal_pointer(&records);
}

gboolean
m2n_train_log_write(const char *path, const GArray *records, GError **error)
{
    g_autoptr(GString) out = g_string_new(NULL);

    for (guint i = 0; i < records->len; i++) {
        g_autofree char *line =
            m2n_train_record_to_json(&g_array_index(records, M2nTrainRecord, i));

        g_string_append_printf(out, "%s\n", line);
    }
    return m2n_durable_write(path, out, error);
}
