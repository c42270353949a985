/* Names and shapes of a model file against those its configuration asks for. */
#include "engine/nn/model_match.h"

#include <string.h>

#include "engine/base/error.h"
#include "engine/nn/model.h"

static char *
shape_text(const guint64 *shape, guint rank)
{
    GString *s = g_string_new("(");

    for (guint i = 0; i < rank; i++)
        g_string_append_printf(s, "%s%" G_GUINT64_FORMAT, i > 0 ? ", " : "", shape[i]);
    g_string_append_c(s, ')');
    return g_string_free(s, FALSE);
}

static gboolean
check_shape(const char *where, const M2nParameter *want, const M2nTensorInfo *t, GError **error)
{
    if (t->rank == want->rank && memcmp(t->shape, want->shape, t->rank * sizeof *t->shape) == 0)
        return TRUE;
    g_autofree char *expected = shape_text(want->shape, want->rank);
    g_autofree char *found = shape_text(t->shape, t->rank);
    g_set_error(error, M2N_ERROR, M2N_ERROR_SHAPE, "%s: tensor %s: expected shape %s, found %s",
                where, t->name, expected, found);
    return FALSE;
}

gboolean
m2n_model_match(const M2nSafetensors *st, const M2nParameters *p, const M2nTensorInfo **tensor,
                GError **error)
{
    const char *where = m2n_source_name(m2n_safetensors_source(st));

    for (guint i = 0; i < m2n_safetensors_count(st); i++) {
        const M2nTensorInfo *t = m2n_safetensors_nth(st, i);
        const char *name = m2n_parameter_canonical_name(t->name);
        const M2nParameter *want = name != NULL ? m2n_parameters_find(p, name) : NULL;

        if (name == NULL)
            continue;
        if (want == NULL || tensor[want - p->list] != NULL) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "%s: tensor %s is %s", where, t->name,
                        want == NULL ? "not part of this network" : "there twice");
            return FALSE;
        }
        if (!check_shape(where, want, t, error))
            return FALSE;
        tensor[want - p->list] = t;
    }
    for (guint i = 0; i < p->n; i++)
        if (tensor[i] == NULL) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "%s: tensor %s is missing", where,
                        p->list[i].name);
            return FALSE;
        }
    return TRUE;
}

gboolean
m2n_model_check(const M2nSafetensors *st, GError **error)
{
    M2nConfig c;

    if (!m2n_config_read(st, &c, error))
        return FALSE;
    g_autoptr(M2nParameters) p = m2n_parameters_new(&c);
    g_autofree const M2nTensorInfo **tensor = g_new0(const M2nTensorInfo *, p->n);

    return m2n_model_match(st, p, tensor, error);
}
