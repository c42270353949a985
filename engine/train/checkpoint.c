/* Models and checkpoints as files. */
#include "engine/train/checkpoint.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/json.h"

#define FORMAT "met2net-checkpoint"
#define SUFFIX ".safetensors"

char *
m2n_run_file(const char *model, M2nRunFile which)
{
    static const char *const ends[] = {".last.safetensors", ".checkpoint.safetensors", ".log.jsonl",
                                       ".svg"};
    const gsize n = strlen(model), cut = g_str_has_suffix(model, SUFFIX) ? strlen(SUFFIX) : 0;
    g_autofree char *stem = g_strndup(model, n - cut);

    return g_strconcat(stem, ends[which], NULL);
}

/* ---- writing ---------------------------------------------------------------------------------- */

static void
declare(M2nSafetensorsWriter *w, const M2nParameter *p, const char *prefix)
{
    g_autofree char *name = g_strconcat(prefix, p->name, NULL);

    m2n_safetensors_writer_declare(w, name, "F32", p->shape, p->rank);
}

/* "hid_q.conv1.weight" -> "hid_k.conv1.weight" */
static char *
key_name(const M2nParameter *p)
{
    return g_strconcat("hid_k", p->name + strlen("hid_k"), NULL);
}

static gboolean
is_translator(const M2nLearner *l, const M2nParameter *p)
{
    return p->offset >= m2n_learner_translator(l);
}

static void
declare_all(M2nSafetensorsWriter *w, const M2nLearner *l, gboolean average)
{
    const M2nParameters *all = m2n_learner_parameters(l);

    for (guint i = 0; i < all->n; i++)
        declare(w, &all->list[i], "");
    for (guint i = 0; i < all->n; i++)
        if (is_translator(l, &all->list[i])) {
            g_autofree char *name = key_name(&all->list[i]);

            m2n_safetensors_writer_declare(w, name, "F32", all->list[i].shape, all->list[i].rank);
        }
    for (guint i = 0; i < all->n; i++)
        declare(w, &all->list[i], "adam_mean/");
    for (guint i = 0; i < all->n; i++)
        declare(w, &all->list[i], "adam_square/");
    for (guint i = 0; average && i < all->n; i++)
        declare(w, &all->list[i], "average/");
}

static void
append_number(GString *s, const char *name, double x)
{
    char buffer[G_ASCII_DTOSTR_BUF_SIZE];

    /* 17 digits: every bit of a double comes back */
    if (isfinite(x))
        g_string_append_printf(s, ", \"%s\": %s", name,
                               g_ascii_formatd(buffer, sizeof buffer, "%.17e", x));
}

static char *
place_to_json(const M2nTrainPlace *p)
{
    g_autoptr(GString) s = g_string_new(NULL);

    g_string_append_printf(
        s,
        "{\"epoch\": %u, \"epoch_step\": %" G_GUINT64_FORMAT ", \"step\": %" G_GUINT64_FORMAT
        ", \"best_epoch\": %u, \"stopped_early\": %s",
        p->epoch, p->epoch_step, p->step, p->best_epoch, p->stopped_early ? "true" : "false");
    append_number(s, "sum_reconstruction", p->sum.reconstruction);
    append_number(s, "sum_latent", p->sum.latent);
    append_number(s, "sum_prediction", p->sum.prediction);
    append_number(s, "best", p->best);
    append_number(s, "seconds", p->seconds);
    g_string_append_c(s, '}');
    return g_string_free(g_steal_pointer(&s), FALSE);
}

/* Whether there is one. */
static gboolean
write_origin(M2nSafetensorsWriter *w, const M2nOrigin *origin)
{
    if (origin->name[0] == '\0')
        return FALSE;
    m2n_safetensors_writer_metadata(w, "init", origin->name);
    m2n_safetensors_writer_metadata(w, "init_sha256", origin->sha256);
    return TRUE;
}

gboolean
m2n_checkpoint_write(const char *path, M2nLearner *l, const M2nMoments *moments,
                     const M2nSettings *s, const M2nTrainPlace *place, const M2nBatchSource *source,
                     GError **error)
{
    const gsize total = m2n_learner_parameters(l)->total, translator = m2n_learner_translator(l);
    const gsize bytes = total * sizeof(float);
    const float *average = moments->average;
    g_autoptr(M2nSafetensorsWriter) w = m2n_safetensors_writer_new(path, error);
    g_autofree char *settings = m2n_settings_to_json(s), *json = place_to_json(place);

    if (w == NULL)
        return FALSE;
    m2n_safetensors_writer_metadata(w, "format", FORMAT);
    m2n_safetensors_writer_metadata(w, "settings", settings);
    m2n_safetensors_writer_metadata(w, "place", json);
    m2n_safetensors_writer_metadata(w, "data", source->fingerprint);
    if (write_origin(w, &place->origin))
        source->describe(source->data, w);
    declare_all(w, l, average != NULL);
    return m2n_safetensors_writer_append(w, m2n_learner_query(l), bytes, error) &&
           m2n_safetensors_writer_append(w, m2n_learner_key(l) + translator,
                                         bytes - translator * sizeof(float), error) &&
           m2n_safetensors_writer_append(w, moments->mean, bytes, error) &&
           m2n_safetensors_writer_append(w, moments->square, bytes, error) &&
           (average == NULL || m2n_safetensors_writer_append(w, average, bytes, error)) &&
           m2n_safetensors_writer_finish(w, error);
}

gboolean
m2n_model_write(const char *path, const M2nConfig *config, const M2nParameters *p,
                const float *weights, const M2nOrigin *origin, const M2nBatchSource *source,
                GError **error)
{
    g_autoptr(M2nSafetensorsWriter) w = m2n_safetensors_writer_new(path, error);
    g_autofree char *json = m2n_config_to_json(config);

    if (w == NULL)
        return FALSE;
    m2n_safetensors_writer_metadata(w, "format", "met2net");
    m2n_safetensors_writer_metadata(w, "format_version", "1");
    m2n_safetensors_writer_metadata(w, "config", json);
    write_origin(w, origin);
    source->describe(source->data, w);
    for (guint i = 0; i < p->n; i++)
        declare(w, &p->list[i], "");
    return m2n_safetensors_writer_append(w, weights, p->total * sizeof(float), error) &&
           m2n_safetensors_writer_finish(w, error);
}

/* ---- reading ---------------------------------------------------------------------------------- */

M2nSafetensors *
m2n_checkpoint_open(const char *path, GError **error)
{
    g_autoptr(M2nSource) source = m2n_source_open_file(path, error);
    g_autoptr(M2nSafetensors) st = source ? m2n_safetensors_open(source, error) : NULL;

    if (st == NULL)
        return NULL;
    if (g_strcmp0(m2n_safetensors_metadata(st, "format"), FORMAT) != 0) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "%s: not a checkpoint of met2net-train",
                    path);
        return NULL;
    }
    return g_steal_pointer(&st);
}

M2nOrigin
m2n_origin_read(const M2nSafetensors *st)
{
    const char *name = m2n_safetensors_metadata(st, "init");
    const char *sha256 = m2n_safetensors_metadata(st, "init_sha256");
    M2nOrigin origin = {0};

    g_strlcpy(origin.name, name != NULL ? name : "", sizeof origin.name);
    g_strlcpy(origin.sha256, sha256 != NULL ? sha256 : "", sizeof origin.sha256);
    return origin;
}

static const char *
text_of(const M2nSafetensors *st, const char *path, const char *key, GError **error)
{
    const char *text = m2n_safetensors_metadata(st, key);

    if (text == NULL)
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "%s: metadata: %s is missing", path, key);
    return text;
}

gboolean
m2n_checkpoint_settings(const char *path, M2nSettings *s, GError **error)
{
    g_autoptr(M2nSafetensors) st = m2n_checkpoint_open(path, error);
    const char *text = st ? text_of(st, path, "settings", error) : NULL;

    return text != NULL && m2n_settings_read_json(s, text, -1, path, error);
}

/* *out keeps its value when there is no such key. */
static gboolean
take_number(JsonObject *o, const char *path, const char *name, double high, double *out,
            GError **error)
{
    JsonNode *node = json_object_get_member(o, name);
    GType type = node != NULL ? json_node_get_value_type(node) : G_TYPE_DOUBLE;
    const double x = type != G_TYPE_DOUBLE && type != G_TYPE_INT64 ? NAN
                     : node != NULL                                ? json_node_get_double(node)
                                                                   : *out;

    if (node != NULL && !(x >= 0 && x <= high)) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "%s: metadata: place: %s out of range",
                    path, name);
        return FALSE;
    }
    *out = x;
    return TRUE;
}

static gboolean
read_place(const char *path, const char *text, M2nTrainPlace *p, GError **error)
{
    enum {
        EPOCH,
        EPOCH_STEP,
        STEP,
        BEST_EPOCH,
        RECONSTRUCTION,
        LATENT,
        PREDICTION,
        BEST,
        SECONDS,
        N
    };
    static const struct {
        const char *name;
        double high, absent;
    } keys[N] = {{"epoch", G_MAXUINT, 0},
                 {"epoch_step", 0x1p53, 0},
                 {"step", 0x1p53, 0},
                 {"best_epoch", G_MAXUINT, 0},
                 {"sum_reconstruction", DBL_MAX, 0},
                 {"sum_latent", DBL_MAX, 0},
                 {"sum_prediction", DBL_MAX, 0},
                 {"best", DBL_MAX, INFINITY},
                 {"seconds", DBL_MAX, 0}};
    g_autoptr(JsonNode) root = m2n_json_parse_object(text, strlen(text), path, error);
    double v[N];

    if (root == NULL)
        return FALSE;
    JsonObject *o = json_node_get_object(root);
    for (guint i = 0; i < N; i++) {
        v[i] = keys[i].absent;
        if (!take_number(o, path, keys[i].name, keys[i].high, &v[i], error))
            return FALSE;
    }
    JsonNode *stopped = json_object_get_member(o, "stopped_early");
    *p = (M2nTrainPlace){
        .epoch = (guint)v[EPOCH],
        .epoch_step = (guint64)v[EPOCH_STEP],
        .step = (guint64)v[STEP],
        .sum = {v[RECONSTRUCTION], v[LATENT], v[PREDICTION]},
        .best = v[BEST],
        .best_epoch = (guint)v[BEST_EPOCH],
        .seconds = v[SECONDS],
        .stopped_early = stopped != NULL && json_node_get_value_type(stopped) == G_TYPE_BOOLEAN &&
                         json_node_get_boolean(stopped),
    };
    return TRUE;
}

static gboolean
read_tensor(const M2nSafetensors *st, const char *path, const M2nParameter *p, const char *name,
            float *out, GError **error)
{
    const M2nTensorInfo *t = m2n_safetensors_find(st, name);

    if (t == NULL || t->rank != p->rank ||
        memcmp(t->shape, p->shape, p->rank * sizeof *p->shape) != 0) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_SHAPE, "%s: %s: %s", path, name,
                    t == NULL ? "missing" : "has another shape than the settings ask for");
        return FALSE;
    }
    return m2n_safetensors_read_f32(st, t, 0, p->elements, out, error);
}

static gboolean
read_all(const M2nSafetensors *st, const char *path, M2nLearner *l, const M2nMoments *moments,
         GError **error)
{
    const M2nParameters *all = m2n_learner_parameters(l);

    for (guint i = 0; i < all->n; i++) {
        const M2nParameter *p = &all->list[i];
        g_autofree char *m = g_strconcat("adam_mean/", p->name, NULL);
        g_autofree char *s = g_strconcat("adam_square/", p->name, NULL);
        g_autofree char *a = g_strconcat("average/", p->name, NULL);
        g_autofree char *k = is_translator(l, p) ? key_name(p) : g_strdup(p->name);

        if (!read_tensor(st, path, p, p->name, m2n_learner_query(l) + p->offset, error) ||
            !read_tensor(st, path, p, k, m2n_learner_key(l) + p->offset, error) ||
            !read_tensor(st, path, p, m, moments->mean + p->offset, error) ||
            !read_tensor(st, path, p, s, moments->square + p->offset, error) ||
            (moments->average != NULL &&
             !read_tensor(st, path, p, a, moments->average + p->offset, error)))
            return FALSE;
    }
    return TRUE;
}

gboolean
m2n_checkpoint_read(const char *path, M2nLearner *l, const M2nMoments *moments,
                    M2nTrainPlace *place, const char *fingerprint, GError **error)
{
    g_autoptr(M2nSafetensors) st = m2n_checkpoint_open(path, error);
    const char *data = st ? text_of(st, path, "data", error) : NULL;
    const char *text = data ? text_of(st, path, "place", error) : NULL;

    if (text == NULL || !read_place(path, text, place, error))
        return FALSE;
    place->origin = m2n_origin_read(st);
    if (strcmp(data, fingerprint) != 0) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "%s: was made from other data, other spans or another target than given now",
                    path);
        return FALSE;
    }
    return read_all(st, path, l, moments, error);
}
