/* A safetensors file with other metadata and the same tensors. */
#include "plugin/model_metadata.h"

#include <glib/gstdio.h>
#include <string.h>

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "grib/domain.h"
#include "plugin/source_vsi.h"

#define LARGEST_VALUE (16u << 20) /* bytes of a file */

/* "key=value" into the table.  FALSE: M2N_ERROR_ARGUMENT, _IO. */
static gboolean
take_setting(GHashTable *metadata, const char *setting, GError **error)
{
    const char *equals = strchr(setting, '=');
    char *value = NULL;

    if (equals == NULL || equals == setting) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "--set %s: expected KEY=VALUE or KEY=@FILE", setting);
        return FALSE;
    }
    if (equals[1] == '@') {
        gsize n;
        if (!m2n_vsi_text(equals + 2, LARGEST_VALUE, &value, &n, error))
            return FALSE;
        if (value == NULL) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "%s: more than %u bytes for one value", equals + 2, LARGEST_VALUE);
            return FALSE;
        }
        g_strchomp(value);
    } else {
        value = g_strdup(equals + 1);
    }
    if (!g_utf8_validate(value, -1, NULL)) {
        g_free(value);
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "--set %.*s: the value is not UTF-8",
                    (int)(equals - setting), setting);
        return FALSE;
    }
    g_hash_table_replace(metadata, g_strndup(setting, (gsize)(equals - setting)), value);
    return TRUE;
}

static GHashTable *
metadata_of(const M2nSafetensors *st)
{
    GHashTable *t = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_auto(GStrv) keys = m2n_safetensors_metadata_keys(st);

    for (char **k = keys; *k != NULL; k++)
        g_hash_table_replace(t, g_strdup(*k), g_strdup(m2n_safetensors_metadata(st, *k)));
    return t;
}

static gboolean
write_copy(const M2nSafetensors *st, GHashTable *metadata, const char *path, GError **error)
{
    g_autoptr(M2nSafetensorsWriter) w = m2n_safetensors_writer_new(path, error);
    g_autoptr(GList) keys = g_list_sort(g_hash_table_get_keys(metadata), (GCompareFunc)strcmp);

    if (w == NULL)
        return FALSE;
    for (const GList *k = keys; k != NULL; k = k->next)
        m2n_safetensors_writer_metadata(w, k->data, g_hash_table_lookup(metadata, k->data));
    for (guint i = 0; i < m2n_safetensors_count(st); i++) {
        const M2nTensorInfo *t = m2n_safetensors_nth(st, i);
        m2n_safetensors_writer_declare(w, t->name, t->dtype, t->shape, t->rank);
    }
    for (guint i = 0; i < m2n_safetensors_count(st); i++)
        if (!m2n_safetensors_writer_copy(w, st, m2n_safetensors_nth(st, i), error))
            return FALSE;
    return m2n_safetensors_writer_finish(w, error);
}

/* The new file as a model's domain, once it claims to be one. */
static gboolean
check(const char *path, GHashTable *metadata, GError **error)
{
    if (!g_hash_table_contains(metadata, "variables") || !g_hash_table_contains(metadata, "grid") ||
        !g_hash_table_contains(metadata, "time_step"))
        return TRUE;
    g_autoptr(M2nSource) source = m2n_source_open_file(path, error);
    g_autoptr(M2nSafetensors) st = source != NULL ? m2n_safetensors_open(source, error) : NULL;
    g_autoptr(M2nDomain) d = st != NULL ? m2n_domain_read(st, error) : NULL;

    return d != NULL;
}

gboolean
m2n_model_metadata_set(const char *path, const char *const *settings, GError **error)
{
    g_autoptr(M2nSource) source = m2n_source_open_file(path, error);
    g_autoptr(M2nSafetensors) st = source != NULL ? m2n_safetensors_open(source, error) : NULL;

    if (st == NULL)
        return FALSE;
    g_autoptr(GHashTable) metadata = metadata_of(st);
    for (const char *const *s = settings; *s != NULL; s++)
        if (!take_setting(metadata, *s, error))
            return FALSE;
    g_autofree char *trial = g_strdup_printf("%s.new", path);
    if (!write_copy(st, metadata, trial, error) || !check(trial, metadata, error)) {
        g_unlink(trial);
        return FALSE;
    }
    const gboolean ok = m2n_durable_rename(trial, path, error);
    g_unlink(trial); /* gone already when all went well */
    return ok;
}
