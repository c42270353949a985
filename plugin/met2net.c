/* The public API: a handle is a forecast, the variables asked for and the grid they are shown on. */
#include "plugin/met2net_private.h"

#include <string.h>

#include "engine/base/error.h"
#include "engine/base/suggest.h"
#include "plugin/field_metadata.h"
#include "plugin/forecast_file.h"
#include "plugin/output_grid.h"
#include "plugin/quantity.h"
#include "plugin/variable_text.h"

#define MAX_FIELDS 65535u /* as many bands as GDAL takes */

G_STATIC_ASSERT(MET2NET_ERROR_IO == (int)M2N_ERROR_IO + 1);
G_STATIC_ASSERT(MET2NET_ERROR_ARGUMENT == (int)M2N_ERROR_ARGUMENT + 1);

/* One line of UTF-8, whatever file names and options were quoted in the message. */
static void
put_message(const char *message, char *out, gsize size)
{
    g_autofree char *valid = g_utf8_make_valid(message, -1);
    const char *end = NULL;

    g_strlcpy(out, valid, size);
    if (!g_utf8_validate(out, -1, &end)) /* cut in the middle of a character */
        out[end - out] = '\0';
    for (char *c = out; *c != '\0'; c++)
        if (g_ascii_iscntrl(*c))
            *c = ' ';
}

int
m2n_handle_failed(GError *inner, met2net_error *error)
{
    if (error != NULL) {
        error->code = inner->domain == M2N_ERROR ? inner->code + 1 : MET2NET_ERROR_IO;
        put_message(inner->message, error->message, sizeof error->message);
    }
    g_error_free(inner);
    return 0;
}

/* ---- versions -------------------------------------------------------------------------------- */

int
met2net_api_version(void)
{
    return MET2NET_API;
}

const char *
met2net_version(void)
{
    return MET2NET_VERSION;
}

int
met2net_recognises(const void *bytes, size_t n)
{
    return m2n_forecast_file_recognises(bytes, n);
}

/* ---- open ------------------------------------------------------------------------------------ */

static gboolean
choose(met2net *f, guint place, const char *name, GError **error)
{
    const M2nDomain *d = m2n_forecast_domain(f->forecast);
    g_autofree const char **names = g_new0(const char *, d->n_variables + 1);

    for (guint v = 0; v < d->n_variables; v++) {
        names[v] = d->variables[v].name;
        if (strcmp(name, names[v]) == 0) {
            f->chosen[place] = v;
            return TRUE;
        }
    }
    g_autofree char *hint = m2n_suggest_text(name, names);
    g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "%s: the model has no variable \"%.64s\"%s",
                m2n_forecast_model(f->forecast), name, hint);
    return FALSE;
}

static gboolean
choose_variables(met2net *f, GError **error)
{
    const M2nDomain *d = m2n_forecast_domain(f->forecast);
    char **names = f->spec->variables;
    const guint n = names != NULL ? g_strv_length(names) : d->n_variables;

    f->chosen = g_new0(guint, n);
    f->info.n_variables = n;
    for (guint i = 0; i < n; i++) {
        f->chosen[i] = i;
        if (names != NULL && !choose(f, i, names[i], error))
            return FALSE;
    }
    return TRUE;
}

static char *
keep(met2net *f, char *text)
{
    g_ptr_array_add(f->texts, text);
    return text;
}

static void
describe_variable(met2net *f, guint i)
{
    const M2nVariable *v = &m2n_forecast_domain(f->forecast)->variables[f->chosen[i]];
    met2net_variable *out = &f->variables[i];

    out->name = v->name;
    out->long_name = m2n_variable_long_name(v);
    out->standard_name = m2n_variable_standard_name(v);
    out->units = keep(f, m2n_units_text(v->units));
    out->type_of_level = v->type_of_level;
    out->level = v->level;
    out->param_id = v->param_id;
    m2n_variable_bounds(v, &out->lower, &out->upper);
}

static gboolean
set_grid(met2net *f, GError **error)
{
    const M2nDomain *d = m2n_forecast_domain(f->forecast);
    const char *crs = f->spec->crs;

    f->grid = crs == NULL ? m2n_grid_ref(d->grid) : m2n_output_grid_new(d->grid, crs, error);
    if (f->grid == NULL) {
        g_prefix_error(error, "%s: ", f->spec->file != NULL ? f->spec->file : f->spec->model);
        return FALSE;
    }
    if (f->grid->n_points * sizeof(float) > f->spec->max_memory) {
        g_autofree char *bound = m2n_size_format(f->spec->max_memory);
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                    "%s: a field of %ux%u is more than MAX_MEMORY allows, %s", f->spec->model,
                    f->grid->width, f->grid->height, bound);
        return FALSE;
    }
    f->crs_wkt = m2n_crs_to_wkt(f->grid->crs, error);
    if (f->crs_wkt == NULL)
        g_prefix_error(error, "%s: ", f->spec->model);
    return f->crs_wkt != NULL;
}

static gboolean
fill_info(met2net *f, GError **error)
{
    const M2nDomain *d = m2n_forecast_domain(f->forecast);
    met2net_info *info = &f->info;

    info->width = f->grid->width;
    info->height = f->grid->height;
    memcpy(info->geotransform, f->grid->geo, sizeof info->geotransform);
    info->crs_wkt = f->crs_wkt;
    info->n_steps = m2n_forecast_steps(f->forecast) + (f->spec->initial_state ? 1 : 0);
    info->variables = f->variables = g_new0(met2net_variable, info->n_variables);
    info->init_time = m2n_forecast_init_time(f->forecast);
    info->time_step = d->time_step;
    info->first_lead = f->spec->initial_state ? 0 : d->time_step;
    info->model = m2n_forecast_model(f->forecast);
    info->inputs = (const char *const *)f->spec->inputs;
    for (guint i = 0; i < info->n_variables; i++)
        describe_variable(f, i);
    if ((guint64)info->n_steps * info->n_variables > MAX_FIELDS) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_SHAPE,
                    "%s: %u steps of %u variables: at most %u fields", info->model, info->n_steps,
                    info->n_variables, MAX_FIELDS);
        return FALSE;
    }
    f->field_metadata = g_new0(char **, (gsize)info->n_steps * info->n_variables);
    f->descriptions = g_new0(char *, (gsize)info->n_steps * info->n_variables);
    return TRUE;
}

met2net *
met2net_open(const char *name, const char *const *options, met2net_error *error)
{
    GError *inner = NULL;
    met2net *f = g_new0(met2net, 1);

    f->texts = g_ptr_array_new_with_free_func(g_free);
    f->spec = m2n_forecast_spec_new(name, options, &inner);
    if (f->spec != NULL)
        f->forecast = m2n_forecast_open(f->spec, &inner);
    if (f->forecast != NULL && choose_variables(f, &inner) && set_grid(f, &inner) &&
        fill_info(f, &inner))
        return f;
    met2net_close(f);
    m2n_handle_failed(inner, error);
    return NULL;
}

void
met2net_close(met2net *f)
{
    if (f == NULL)
        return;
    for (gsize i = 0; i < (gsize)f->info.n_steps * f->info.n_variables; i++) {
        if (f->field_metadata != NULL)
            g_strfreev(f->field_metadata[i]);
        if (f->descriptions != NULL)
            g_free(f->descriptions[i]);
    }
    g_free(f->field_metadata);
    g_free(f->descriptions);
    g_strfreev(f->metadata);
    g_free(f->crs_wkt);
    g_free(f->variables);
    g_free(f->chosen);
    g_ptr_array_unref(f->texts);
    g_clear_error(&f->failure);
    g_clear_pointer(&f->output, m2n_output_free);
    g_clear_pointer(&f->grid, m2n_grid_unref);
    g_clear_pointer(&f->forecast, m2n_forecast_free);
    g_clear_pointer(&f->spec, m2n_forecast_spec_free);
    g_free(f);
}

/* ---- describe -------------------------------------------------------------------------------- */

const met2net_info *
met2net_describe(const met2net *f)
{
    return &f->info;
}

const char *
met2net_note(const met2net *f)
{
    return m2n_forecast_note(f->forecast);
}

static void
add_item(GPtrArray *items, const char *key, char *value) /* (transfer full) value */
{
    g_ptr_array_add(items, g_strdup_printf("MET2NET_%s=%s", key, value));
    g_free(value);
}

/* (transfer full) File names without their folders: a result that is passed on should not tell
 * where its maker keeps things. */
static char *
input_names(const met2net *f)
{
    g_autoptr(GString) out = g_string_new(NULL);

    for (guint i = 0; f->info.inputs[i] != NULL; i++) {
        g_autofree char *base = g_path_get_basename(f->info.inputs[i]);
        g_string_append_printf(out, "%s%s", i > 0 ? ", " : "", base);
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}

const char *const *
met2net_metadata(met2net *f)
{
    if (f->metadata == NULL) {
        GPtrArray *items = g_ptr_array_new();
        char *hash = m2n_forecast_model_hash(f->forecast, NULL);
        const gint64 lead = m2n_forecast_steps(f->forecast) * f->info.time_step;
        guint members;
        const long member = m2n_forecast_member(f->forecast, &members);

        add_item(items, "INIT_TIME", m2n_time_format(f->info.init_time));
        add_item(items, "LEAD_TIME", m2n_duration_format(lead));
        add_item(items, "TIME_STEP", m2n_duration_format(f->info.time_step));
        add_item(items, "MODEL", g_path_get_basename(f->info.model));
        if (hash != NULL)
            add_item(items, "MODEL_SHA256", hash);
        add_item(items, "INPUT", input_names(f));
        if (member >= 0)
            add_item(items, "MEMBER", g_strdup_printf("%ld", member));
        add_item(items, "PRECISION", g_strdup(m2n_precision_name(f->spec->precision)));
        add_item(items, "VERSION", g_strdup(MET2NET_VERSION));
        g_ptr_array_add(items, NULL);
        f->metadata = (char **)g_ptr_array_free(items, FALSE);
    }
    return (const char *const *)f->metadata;
}

gssize
m2n_handle_field(const met2net *f, unsigned variable, unsigned step)
{
    if (variable >= f->info.n_variables || step >= f->info.n_steps)
        return -1;
    return (gssize)step * f->info.n_variables + variable;
}

static M2nFieldTime
field_time(const met2net *f, unsigned step)
{
    return (M2nFieldTime){.init_time = f->info.init_time,
                          .lead = f->info.first_lead + step * f->info.time_step,
                          .centre = m2n_forecast_centre(f->forecast)};
}

static const M2nVariable *
field_variable(const met2net *f, unsigned variable)
{
    return &m2n_forecast_domain(f->forecast)->variables[f->chosen[variable]];
}

const char *const *
met2net_field_metadata(met2net *f, unsigned variable, unsigned step)
{
    const gssize i = m2n_handle_field(f, variable, step);
    const M2nFieldTime time = field_time(f, step);

    if (i >= 0 && f->field_metadata[i] == NULL)
        f->field_metadata[i] = m2n_field_metadata(field_variable(f, variable), &time);
    return i >= 0 ? (const char *const *)f->field_metadata[i] : NULL;
}

const char *
met2net_field_description(met2net *f, unsigned variable, unsigned step)
{
    const gssize i = m2n_handle_field(f, variable, step);
    const M2nFieldTime time = field_time(f, step);

    if (i >= 0 && f->descriptions[i] == NULL)
        f->descriptions[i] = m2n_field_description(field_variable(f, variable), &time);
    return i >= 0 ? f->descriptions[i] : NULL;
}
