#include "plugin/cli/train_start.h"
#include "plugin/variable_text.h"

#include <string.h>

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/group.h"
#include "engine/nn/model.h"
#include "plugin/shared_model.h"

/* The settings that say which network it is and what its numbers mean; all others are the new run's own. */
static const char *const of_network[] = {"normalisation", "target", "steps", "hid-S",
                                         "hid-T",         "N-S",    "N-T",   NULL};

gboolean
m2n_train_start_open(M2nTrainStart *s, const char *model, const char *output, GError **error)
{
    g_autoptr(M2nSource) source = m2n_source_open_file(model, error);

    if (source == NULL)
        return FALSE;
    if (m2n_durable_is_same(model, output)) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "--init: %s is what the run would write (--output)", model);
        return FALSE;
    }
    s->model = m2n_safetensors_open(source, error);
    if (s->model == NULL || !m2n_model_check(s->model, error))
        return FALSE;
    s->domain = m2n_domain_read(s->model, error);
    g_autofree char *hash = s->domain != NULL ? m2n_shared_hash(source, error) : NULL;
    if (hash == NULL)
        return FALSE;
    g_autofree char *name = g_filename_display_basename(model);
    g_strlcpy(s->origin.name, name, sizeof s->origin.name);
    g_strlcpy(s->origin.sha256, hash, sizeof s->origin.sha256);
    return TRUE;
}

static char *
describe_origin(const M2nOrigin *o)
{
    return o->name[0] != '\0' ? g_strdup_printf("%s (SHA-256 %.12s)", o->name, o->sha256)
                              : g_strdup("random weights");
}

gboolean
m2n_train_start_resume(M2nTrainStart *s, const char *checkpoint, GError **error)
{
    g_autoptr(M2nSafetensors) st = m2n_checkpoint_open(checkpoint, error);

    if (st == NULL)
        return FALSE;
    const M2nOrigin began = m2n_origin_read(st);
    if (s->model != NULL && strcmp(began.sha256, s->origin.sha256) != 0) {
        g_autofree char *x = describe_origin(&began), *y = describe_origin(&s->origin);
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "--resume: init: the run began with %s, given is %s", x, y);
        return FALSE;
    }
    m2n_train_start_clear(s);
    s->domain = began.name[0] != '\0' ? m2n_domain_read(st, error) : NULL;
    return began.name[0] == '\0' || s->domain != NULL;
}

void
m2n_train_start_clear(M2nTrainStart *s)
{
    g_clear_pointer(&s->model, m2n_safetensors_free);
    g_clear_pointer(&s->domain, m2n_domain_free);
    s->origin = (M2nOrigin){0};
}

/* ---- against settings and data ------------------------------------------------------------------- */

gboolean
m2n_train_start_settings(const M2nTrainStart *s, M2nSettings *settings, GError **error)
{
    if (!m2n_config_read(s->model, &settings->config, error))
        return FALSE;
    settings->minmax = s->domain->normalisation == M2N_MINMAX;
    settings->change = s->domain->target == M2N_TARGET_CHANGE;
    return TRUE;
}

gboolean
m2n_train_start_check(const M2nTrainStart *s, const M2nSettings *settings, GError **error)
{
    M2nSettings own = *settings;

    if (!m2n_train_start_settings(s, &own, error))
        return FALSE;
    for (const M2nSettingInfo *i = m2n_setting_infos; i->name; i++) {
        g_autofree char *x = m2n_settings_get(&own, i), *y = m2n_settings_get(settings, i);

        if (g_strv_contains(of_network, i->name) && strcmp(x, y) != 0) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "--init: %s: %s has %s, given is %s",
                        i->name, s->origin.name, x, y);
            return FALSE;
        }
    }
    return TRUE;
}

static char *
list_variables(const M2nDomain *d)
{
    g_autoptr(GString) s = g_string_new(NULL);

    for (guint v = 0; v < d->n_variables; v++) {
        g_autofree char *units = m2n_units_text(d->variables[v].units);
        g_string_append_printf(s, "%s%s [%s]", v > 0 ? ", " : "", d->variables[v].name, units);
    }
    return g_string_free(g_steal_pointer(&s), FALSE);
}

static gboolean
same_variables(const M2nTrainStart *s, const M2nDataset *d, GError **error)
{
    g_autofree char *x = list_variables(s->domain), *y = list_variables(m2n_dataset_domain(d));

    if (strcmp(x, y) == 0)
        return TRUE;
    g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "--init: variables: %s has %s, %s has %s",
                s->origin.name, x, m2n_dataset_name(d), y);
    return FALSE;
}

gboolean
m2n_train_start_statistics(const M2nTrainStart *s, M2nDataset *d, M2nGroup *group, GError **error)
{
    const guint n = m2n_dataset_domain(d)->n_variables;
    const gboolean first = m2n_group_rank(group) == 0;
    guint given = first && s->domain != NULL ? n : 0;
    const gboolean ok = given == 0 || same_variables(s, d, error);

    if (!m2n_group_agree(group, ok, error))
        return FALSE;
    m2n_group_broadcast(group, 0, &given, sizeof given);
    if (given == 0)
        return TRUE;
    g_autofree M2nVariable *variables = g_new0(M2nVariable, MAX(n, given));
    if (first)
        memcpy(variables, s->domain->variables, n * sizeof *variables);
    m2n_group_broadcast(group, 0, variables, given * sizeof *variables);
    m2n_dataset_set_statistics(d, variables);
    return TRUE;
}
