/* The table of settings and its readers. */
#include "engine/train/settings.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/json.h"

#define AT(member) offsetof(M2nSettings, member)
#define COUNT(name, member, low, high, affects, help)                                              \
    {                                                                                              \
        name, M2N_SETTING_COUNT, AT(member), low, high, {NULL, NULL}, affects, help                \
    }
#define NUMBER(name, member, low, high, affects, help)                                             \
    {                                                                                              \
        name, M2N_SETTING_NUMBER, AT(member), low, high, {NULL, NULL}, affects, help               \
    }

/* Upper limits keep sizes inside 32 bits and catch slips of a decimal point, nothing more. */
const M2nSettingInfo m2n_setting_infos[] = {
    COUNT("epochs", epochs, 1, 100000, TRUE, "Passes over the training windows"),
    COUNT("batch", batch, 1, 4096, TRUE, "Windows per step"),
    COUNT("epoch-windows", epoch_windows, 0, 1e9, TRUE,
          "Windows per epoch, drawn anew for each; 0 all"),
    NUMBER("learning-rate", learning_rate, 1e-12, 10, TRUE, "Peak learning rate"),
    NUMBER("final-learning-rate", final_learning_rate, 0, 10, TRUE,
           "Learning rate at the end of the cosine"),
    COUNT("warmup-epochs", warmup_epochs, 0, 100000, TRUE, "Epochs of linear rise before it"),
    NUMBER("beta1", beta1, 0, 0.999999, TRUE, "Adam: decay of the mean gradient"),
    NUMBER("beta2", beta2, 0, 0.99999999, TRUE, "Adam: decay of the mean square"),
    NUMBER("epsilon", epsilon, 1e-16, 1, TRUE, "Adam: added to the root"),
    NUMBER("weight-decay", weight_decay, 0, 10, TRUE, "Decoupled weight decay; 0 as published"),
    NUMBER("average-weights", average_weights, 0, 0.999999, TRUE,
           "Validate and save a moving average of the weights with this decay per step; 0 as published"),
    {"seed", M2N_SETTING_SEED, AT(seed), 0, 0, {NULL, NULL}, TRUE, "Random seed"},
    COUNT("patience", patience, 0, 100000, TRUE,
          "Stop after N epochs without a better validation; 0 never"),
    {"normalisation",
     M2N_SETTING_CHOICE,
     AT(minmax),
     0,
     0,
     {"zscore", "minmax"},
     TRUE,
     "zscore or minmax"},
    {"target",
     M2N_SETTING_CHOICE,
     AT(change),
     0,
     0,
     {"field", "change"},
     TRUE,
     "Predict the field, or its change from the last input"},
    COUNT("steps", config.steps, 1, 1000, TRUE, "Time steps in, and out"),
    COUNT("hid-S", config.hid_S, 2, 4096, TRUE, "Channels of encoder and decoder"),
    COUNT("hid-T", config.hid_T, 8, 16384, TRUE, "Channels of the translator"),
    COUNT("N-S", config.N_S, 1, 16, TRUE, "Stages of encoder and decoder"),
    COUNT("N-T", config.N_T, 1, 256, TRUE, "Blocks of the translator"),
    NUMBER("momentum-ema", config.momentum_ema, 0, 1, TRUE, "Share of itself the key branch keeps"),
    NUMBER("drop-path", config.drop_path, 0, 0.99, TRUE, "Probability of dropping a residual"),
    {"max-memory",
     M2N_SETTING_MEMORY,
     AT(max_memory),
     0,
     0,
     {NULL, NULL},
     FALSE,
     "Bytes to stay within (6G, 800M); 0 three quarters of the machine's"},
    COUNT("threads", threads, 0, 1024, FALSE, "Threads; 0 one per CPU"),
    NUMBER("checkpoint-minutes", checkpoint_minutes, 0, 1e6, FALSE,
           "Minutes between checkpoints inside an epoch; 0 at its end alone"),
    {NULL, M2N_SETTING_COUNT, 0, 0, 0, {NULL, NULL}, FALSE, NULL},
};

/* '_' and '-' are one, and so are capitals: hid_s, hid-S. */
static gboolean
same_name(const char *a, const char *b)
{
    for (; *a && *b; a++, b++) {
        const char x = *a == '_' ? '-' : g_ascii_tolower(*a);
        const char y = *b == '_' ? '-' : g_ascii_tolower(*b);

        if (x != y)
            return FALSE;
    }
    return *a == *b;
}

static guint
common_letters(const char *a, const char *b)
{
    guint n = 0;

    while (a[n] && g_ascii_tolower(a[n]) == g_ascii_tolower(b[n]))
        n++;
    return n;
}

static const M2nSettingInfo *
find_info(const char *name, const char *where, GError **error)
{
    const M2nSettingInfo *closest = m2n_setting_infos;

    for (const M2nSettingInfo *i = m2n_setting_infos; i->name; i++) {
        if (same_name(i->name, name))
            return i;
        if (common_letters(i->name, name) > common_letters(closest->name, name))
            closest = i;
    }
    if (common_letters(closest->name, name) >= 2)
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "%s: %s: no such setting (%s?)", where,
                    name, closest->name);
    else
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "%s: %s: no such setting", where, name);
    return NULL;
}

static gboolean
set_number(double *out, const M2nSettingInfo *info, const char *value, const char *where,
           GError **error)
{
    char *end = NULL;
    const double x = g_ascii_strtod(value, &end);
    const gboolean whole = info->kind == M2N_SETTING_COUNT;

    if (end == value || *end || isnan(x) || (whole && x != floor(x))) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "%s: %s: '%s' is not a %snumber", where,
                    info->name, value, whole ? "whole " : "");
        return FALSE;
    }
    if (!(x >= info->low && x <= info->high)) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "%s: %s: %s is outside %g to %g", where,
                    info->name, value, info->low, info->high);
        return FALSE;
    }
    *out = x;
    return TRUE;
}

static gboolean
set_memory(guint64 *out, const M2nSettingInfo *info, const char *value, const char *where,
           GError **error)
{
    static const char letters[] = "KMGT";
    char *end = NULL;
    double x = g_ascii_strtod(value, &end);
    const char *letter = end != value && *end ? strchr(letters, g_ascii_toupper(*end)) : NULL;

    if (letter) {
        x = ldexp(x, 10 * (int)(letter - letters + 1));
        end++;
        end += g_ascii_strcasecmp(end, "iB") == 0 ? 2 : g_ascii_strcasecmp(end, "B") == 0 ? 1 : 0;
    }
    if (end == value || *end || !(x >= 0 && x < 0x1p63)) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "%s: %s: '%s' is not a size such as 6G or 800M", where, info->name, value);
        return FALSE;
    }
    *out = (guint64)x;
    return TRUE;
}

gboolean
m2n_settings_set(M2nSettings *s, const char *name, const char *value, const char *where,
                 GError **error)
{
    const M2nSettingInfo *info = find_info(name, where, error);
    double x = 0;

    if (info == NULL)
        return FALSE;
    gpointer at = (guint8 *)s + info->offset;
    switch (info->kind) {
    case M2N_SETTING_COUNT:
        if (!set_number(&x, info, value, where, error))
            return FALSE;
        *(guint *)at = (guint)x;
        return TRUE;
    case M2N_SETTING_NUMBER:
        return set_number(at, info, value, where, error);
    case M2N_SETTING_SEED:
        if (!g_ascii_string_to_unsigned(value, 10, 0, G_MAXUINT64, at, NULL)) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                        "%s: %s: '%s' is not a whole number from 0", where, info->name, value);
            return FALSE;
        }
        return TRUE;
    case M2N_SETTING_MEMORY:
        return set_memory(at, info, value, where, error);
    case M2N_SETTING_CHOICE:
        break;
    }
    for (guint i = 0; i < 2; i++)
        if (g_ascii_strcasecmp(value, info->choices[i]) == 0) {
            *(gboolean *)at = (gboolean)i;
            return TRUE;
        }
    g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "%s: %s: '%s' is neither %s nor %s", where,
                info->name, value, info->choices[0], info->choices[1]);
    return FALSE;
}

char *
m2n_settings_get(const M2nSettings *s, const M2nSettingInfo *info)
{
    const guint8 *at = (const guint8 *)s + info->offset;
    char buffer[G_ASCII_DTOSTR_BUF_SIZE];

    switch (info->kind) {
    case M2N_SETTING_COUNT:
        return g_strdup_printf("%u", *(const guint *)(gconstpointer)at);
    case M2N_SETTING_NUMBER: {
        /* the shortest spelling that reads back as the same number */
        const double x = *(const double *)(gconstpointer)at;

        g_ascii_formatd(buffer, sizeof buffer, "%.15g", x);
        if (g_ascii_strtod(buffer, NULL) != x)
            g_ascii_dtostr(buffer, sizeof buffer, x);
        return g_strdup(buffer);
    }
    case M2N_SETTING_SEED:
    case M2N_SETTING_MEMORY:
        return g_strdup_printf("%" G_GUINT64_FORMAT, *(const guint64 *)(gconstpointer)at);
    case M2N_SETTING_CHOICE:
        return g_strdup(info->choices[*(const gboolean *)(gconstpointer)at ? 1 : 0]);
    }
    g_assert_not_reached();
}

gboolean
m2n_settings_check(const M2nSettings *s, const char *where, GError **error)
{
    if (s->final_learning_rate > s->learning_rate) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "%s: final-learning-rate: %g is above learning-rate %g", where,
                    s->final_learning_rate, s->learning_rate);
        return FALSE;
    }
    if (s->warmup_epochs >= s->epochs && s->warmup_epochs > 0) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "%s: warmup-epochs: %u leaves none of %u epochs", where, s->warmup_epochs,
                    s->epochs);
        return FALSE;
    }
    if (s->config.hid_T % M2N_HEADS != 0 || s->config.hid_S % 2 != 0) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "%s: %s: %u is not a multiple of %u",
                    where, s->config.hid_T % M2N_HEADS ? "hid-T" : "hid-S",
                    s->config.hid_T % M2N_HEADS ? s->config.hid_T : s->config.hid_S,
                    s->config.hid_T % M2N_HEADS ? M2N_HEADS : 2u);
        return FALSE;
    }
    return TRUE;
}

/* ---- JSON -------------------------------------------------------------------------------------
 */

/* (transfer full) A JSON value as the text _set() reads, or NULL for an array, object or null. */
static char *
value_text(JsonNode *node)
{
    char buffer[G_ASCII_DTOSTR_BUF_SIZE];

    if (!JSON_NODE_HOLDS_VALUE(node))
        return NULL;
    if (json_node_get_value_type(node) == G_TYPE_STRING)
        return g_strdup(json_node_get_string(node));
    if (json_node_get_value_type(node) == G_TYPE_INT64)
        return g_strdup_printf("%" G_GINT64_FORMAT, json_node_get_int(node));
    if (json_node_get_value_type(node) == G_TYPE_DOUBLE)
        return g_strdup(g_ascii_dtostr(buffer, sizeof buffer, json_node_get_double(node)));
    return NULL;
}

gboolean
m2n_settings_read_json(M2nSettings *s, const char *text, gssize length, const char *where,
                       GError **error)
{
    const gsize n = length < 0 ? strlen(text) : (gsize)length;
    g_autoptr(JsonNode) root = m2n_json_parse_object(text, n, where, error);

    if (root == NULL)
        return FALSE;
    JsonObject *object = json_node_get_object(root);
    g_autoptr(GList) names = json_object_get_members(object);
    for (guint pass = 0; pass < 2; pass++) /* the preset first: single values refine it */
        for (GList *l = names; l; l = l->next) {
            const char *name = l->data;
            g_autofree char *value = value_text(json_object_get_member(object, name));
            const gboolean preset = strcmp(name, "preset") == 0;

            if (preset != (pass == 0))
                continue;
            if (value == NULL) {
                g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT,
                            "%s: %s: expected a number or a string", where, name);
                return FALSE;
            }
            if (preset ? !m2n_settings_preset(s, value, where, error)
                       : !m2n_settings_set(s, name, value, where, error))
                return FALSE;
        }
    return TRUE;
}

char *
m2n_settings_to_json(const M2nSettings *s)
{
    g_autoptr(GString) out = g_string_new("{");

    for (const M2nSettingInfo *i = m2n_setting_infos; i->name; i++) {
        g_autofree char *value = m2n_settings_get(s, i);
        /* a seed may exceed what JSON numbers hold */
        const gboolean quoted = i->kind == M2N_SETTING_CHOICE || i->kind == M2N_SETTING_SEED;

        g_string_append_printf(out, "%s\"%s\": %s%s%s", i == m2n_setting_infos ? "" : ", ", i->name,
                               quoted ? "\"" : "", value, quoted ? "\"" : "");
    }
    g_string_append_c(out, '}');
    return g_string_free(g_steal_pointer(&out), FALSE);
}
