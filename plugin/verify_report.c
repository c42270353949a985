/* A verification as text: table, CSV, JSON. */
#include "plugin/verify_report.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#define NAMES_SHOWN 3

static const char *const weighting_name[M2N_N_WEIGHTINGS] = {"plain", "area"};

static void
contender_free(gpointer data)
{
    M2nContender *c = data;

    g_free(c->name);
    m2n_scores_free(c->scores);
    g_free(c);
}

M2nReport *
m2n_report_new(void)
{
    M2nReport *r = g_new0(M2nReport, 1);

    r->contenders = g_ptr_array_new_with_free_func(contender_free);
    r->notes = g_ptr_array_new_with_free_func(g_free);
    return r;
}

void
m2n_report_free(M2nReport *r)
{
    g_free(r->forecast);
    g_strfreev(r->truth);
    g_free(r->climatology);
    g_strfreev(r->variables);
    g_strfreev(r->units);
    g_free(r->leads);
    g_ptr_array_unref(r->contenders);
    g_ptr_array_unref(r->notes);
    g_free(r);
}

void
m2n_report_add(M2nReport *r, const char *name, M2nScores *scores)
{
    M2nContender *c = g_new0(M2nContender, 1);

    c->name = g_strdup(name);
    c->scores = scores;
    g_ptr_array_add(r->contenders, c);
}

void
m2n_report_note(M2nReport *r, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_ptr_array_add(r->notes, g_strdup_vprintf(format, args));
    va_end(args);
}

char *
m2n_report_names(const char *const *names)
{
    const guint n = g_strv_length((char **)names);

    return n <= NAMES_SHOWN ? g_strjoinv(", ", (char **)names) : g_strdup_printf("%s and %u more", names[0], n - 1);
}

static const M2nContender *
contender(const M2nReport *r, guint i)
{
    return g_ptr_array_index(r->contenders, i);
}

/* lead == n_leads: over all of them */
static M2nScore
score_of(const M2nReport *r, guint i, guint v, guint lead, M2nWeighting weighting)
{
    const M2nScores *scores = contender(r, i)->scores;

    return lead < r->n_leads ? m2n_scores_get(scores, v, lead, weighting)
                             : m2n_scores_overall(scores, v, weighting);
}

static char *
iso_time(gint64 t)
{
    g_autoptr(GDateTime) d = g_date_time_new_from_unix_utc(t);
    return d != NULL ? g_date_time_format(d, "%Y-%m-%dT%H:%MZ")
                     : g_strdup_printf("%" G_GINT64_FORMAT, t);
}

/* The library may run under any locale: a decimal point, whatever it says. */
static const char *
number(char *buffer, gsize n, const char *format, double v)
{
    return g_ascii_formatd(buffer, (gint)n, format, v);
}

static void
cell(GString *out, guint width, const char *format, double v)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];

    if (isnan(v))
        g_strlcpy(text, "-", sizeof text);
    else
        number(text, sizeof text, format, v);
    g_string_append_printf(out, " %*s", (int)width, text);
}

/* Four significant digits without an exponent for anything a weather variable measures. */
static const char *
digits_for(double scale)
{
    return scale >= 1000   ? "%.0f"
           : scale >= 100  ? "%.1f"
           : scale >= 10   ? "%.2f"
           : scale >= 1    ? "%.3f"
           : scale >= 0.1  ? "%.4f"
           : scale >= 1e-3 ? "%.5f"
                           : "%.3e";
}

static void
table_header(const M2nReport *r, guint v, M2nWeighting weighting, GString *out)
{
    g_string_append_printf(out, "\n%s [%s], %s means\n", r->variables[v], r->units[v],
                           weighting == M2N_WEIGHTED ? "area-weighted" : "plain");
    g_string_append_printf(out, "%8s %9s %9s %9s %7s", "lead", "RMSE", "MAE", "bias", "ACC");
    for (guint i = 1; i < r->contenders->len; i++)
        g_string_append_printf(out, " | %19s %6s", contender(r, i)->name, "skill");
    g_string_append_c(out, '\n');
}

static char *
lead_label(gint64 seconds)
{
    if (seconds % 3600 == 0)
        return g_strdup_printf("%" G_GINT64_FORMAT " h", seconds / 3600);
    return g_strdup_printf("%" G_GINT64_FORMAT " min", seconds / 60);
}

static void
table_row(const M2nReport *r, guint v, guint lead, M2nWeighting weighting, const char *format,
          GString *out)
{
    g_autofree char *label = lead < r->n_leads ? lead_label(r->leads[lead]) : g_strdup("all");
    const M2nScore s = score_of(r, 0, v, lead, weighting);

    g_string_append_printf(out, "%8s", label);
    cell(out, 9, format, s.rmse);
    cell(out, 9, format, s.mae);
    cell(out, 9, format, s.bias);
    cell(out, 7, "%.3f", s.acc);
    for (guint i = 1; i < r->contenders->len; i++) {
        const M2nScore other = score_of(r, i, v, lead, weighting);
        g_string_append(out, " |");
        cell(out, 19, format, other.rmse);
        cell(out, 6, "%.3f", m2n_skill(s.mse, other.mse));
    }
    g_string_append_c(out, '\n');
}

char *
m2n_report_table(const M2nReport *r, M2nWeighting weighting, guint max_rows)
{
    GString *out = g_string_new(NULL);
    g_autofree char *first = iso_time(r->first), *last = iso_time(r->last);
    g_autofree char *truth = m2n_report_names((const char *const *)r->truth);
    const guint every = max_rows > 0 ? (r->n_leads + max_rows - 1) / max_rows : 1;

    g_string_append_printf(out, "%s against %s\n%u forecast%s from %s to %s\n", r->forecast,
                           truth, r->n_starts, r->n_starts == 1 ? "" : "s", first, last);
    if (r->climatology != NULL)
        g_string_append_printf(out, "climatology: %s\n", r->climatology);
    for (guint i = 0; i < r->notes->len; i++)
        g_string_append_printf(out, "note: %s\n", (const char *)g_ptr_array_index(r->notes, i));
    for (guint v = 0; v < r->n_variables; v++) {
        const char *format = digits_for(score_of(r, 0, v, r->n_leads, weighting).rmse);
        table_header(r, v, weighting, out);
        for (guint lead = 0; lead < r->n_leads; lead++)
            if ((lead + 1) % every == 0 || lead + 1 == r->n_leads)
                table_row(r, v, lead, weighting, format, out);
        table_row(r, v, r->n_leads, weighting, format, out);
    }
    return g_string_free(out, FALSE);
}

char *
m2n_report_protocol(const M2nReport *r)
{
    GString *out =
        g_string_new("Published protocol: mean over grid, steps and samples, every point the "
                     "same, physical units\n");

    g_string_append_printf(out, "%-24s %-8s %12s %12s %12s\n", "", "", "MSE", "MAE", "RMSE");
    for (guint i = 0; i < r->contenders->len; i++)
        for (guint v = 0; v < r->n_variables; v++) {
            const M2nScore s = score_of(r, i, v, r->n_leads, M2N_PLAIN);
            g_string_append_printf(out, "%-24s %-8s", contender(r, i)->name, r->variables[v]);
            cell(out, 12, "%.6g", s.mse);
            cell(out, 12, "%.6g", s.mae);
            cell(out, 12, "%.6g", s.rmse);
            g_string_append_c(out, '\n');
        }
    return g_string_free(out, FALSE);
}

static void
csv_number(GString *out, double v)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];

    g_string_append_c(out, ',');
    if (!isnan(v))
        g_string_append(out, number(text, sizeof text, "%.10g", v));
}

/* RFC 4180: names come from files. */
static void
csv_text(GString *out, const char *text)
{
    if (strpbrk(text, ",\"\n") == NULL) {
        g_string_append(out, text);
        return;
    }
    g_auto(GStrv) parts = g_strsplit(text, "\"", -1);
    g_autofree char *quoted = g_strjoinv("\"\"", parts);
    g_string_append_printf(out, "\"%s\"", quoted);
}

static void
csv_row(const M2nReport *r, guint c, guint v, guint lead, M2nWeighting weighting, GString *out)
{
    const M2nScore s = score_of(r, c, v, lead, weighting);

    csv_text(out, contender(r, c)->name);
    g_string_append_c(out, ',');
    csv_text(out, r->variables[v]);
    g_string_append_c(out, ',');
    csv_text(out, r->units[v]);
    csv_number(out, (double)r->leads[lead] / 3600);
    g_string_append_printf(out, ",%s", weighting_name[weighting]);
    csv_number(out, s.mse);
    csv_number(out, s.rmse);
    csv_number(out, s.mae);
    csv_number(out, s.bias);
    csv_number(out, s.acc);
    for (guint i = 1; i < r->contenders->len; i++)
        csv_number(out, m2n_skill(s.mse, score_of(r, i, v, lead, weighting).mse));
    g_string_append_printf(out, ",%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT "\n", s.times,
                           s.missing);
}

char *
m2n_report_csv(const M2nReport *r)
{
    GString *out =
        g_string_new("forecast,variable,units,lead_hours,weighting,mse,rmse,mae,bias,acc");

    for (guint i = 1; i < r->contenders->len; i++)
        g_string_append_printf(out, ",skill_against_%s", contender(r, i)->name);
    g_string_append(out, ",times,missing_points\n");
    for (guint c = 0; c < r->contenders->len; c++)
        for (guint v = 0; v < r->n_variables; v++)
            for (guint lead = 0; lead < r->n_leads; lead++)
                for (M2nWeighting k = M2N_PLAIN; k < M2N_N_WEIGHTINGS; k++)
                    csv_row(r, c, v, lead, k, out);
    return g_string_free(out, FALSE);
}

static void
json_number(JsonBuilder *b, const char *key, double v)
{
    json_builder_set_member_name(b, key);
    if (isfinite(v))
        json_builder_add_double_value(b, v);
    else
        json_builder_add_null_value(b);
}

static void
json_string(JsonBuilder *b, const char *key, const char *v)
{
    json_builder_set_member_name(b, key);
    if (v != NULL)
        json_builder_add_string_value(b, v);
    else
        json_builder_add_null_value(b);
}

static void
json_score(JsonBuilder *b, const M2nScore *s)
{
    json_number(b, "mse", s->mse);
    json_number(b, "rmse", s->rmse);
    json_number(b, "mae", s->mae);
    json_number(b, "bias", s->bias);
    json_number(b, "acc", s->acc);
    json_builder_set_member_name(b, "times");
    json_builder_add_int_value(b, (gint64)s->times);
    json_builder_set_member_name(b, "missing_points");
    json_builder_add_int_value(b, (gint64)s->missing);
}

static void
json_skill(const M2nReport *r, guint v, guint lead, M2nWeighting weighting, double mse,
           JsonBuilder *b)
{
    json_builder_set_member_name(b, "skill");
    json_builder_begin_object(b);
    for (guint i = 1; i < r->contenders->len; i++)
        json_number(b, contender(r, i)->name,
                    m2n_skill(mse, score_of(r, i, v, lead, weighting).mse));
    json_builder_end_object(b);
}

static void
json_entry(const M2nReport *r, guint c, guint v, guint lead, M2nWeighting weighting, JsonBuilder *b)
{
    const M2nScore s = score_of(r, c, v, lead, weighting);

    json_builder_begin_object(b);
    json_string(b, "forecast", contender(r, c)->name);
    json_string(b, "variable", r->variables[v]);
    json_string(b, "units", r->units[v]);
    if (lead < r->n_leads)
        json_number(b, "lead_hours", (double)r->leads[lead] / 3600);
    json_string(b, "weighting", weighting_name[weighting]);
    json_score(b, &s);
    json_skill(r, v, lead, weighting, s.mse, b);
    json_builder_end_object(b);
}

static void
json_entries(const M2nReport *r, guint first_lead, guint end_lead, JsonBuilder *b)
{
    json_builder_begin_array(b);
    for (guint c = 0; c < r->contenders->len; c++)
        for (guint v = 0; v < r->n_variables; v++)
            for (guint lead = first_lead; lead < end_lead; lead++)
                for (M2nWeighting k = M2N_PLAIN; k < M2N_N_WEIGHTINGS; k++)
                    json_entry(r, c, v, lead, k, b);
    json_builder_end_array(b);
}

char *
m2n_report_json(const M2nReport *r)
{
    g_autoptr(JsonBuilder) b = json_builder_new();
    g_autoptr(JsonGenerator) generator = json_generator_new();
    g_autofree char *first = iso_time(r->first), *last = iso_time(r->last);
    g_autofree char *truth = g_strjoinv(", ", r->truth);

    json_builder_begin_object(b);
    json_string(b, "forecast", r->forecast);
    json_string(b, "truth", truth);
    json_string(b, "climatology", r->climatology);
    json_string(b, "first_init_time", first);
    json_string(b, "last_init_time", last);
    json_builder_set_member_name(b, "forecasts");
    json_builder_add_int_value(b, r->n_starts);
    json_builder_set_member_name(b, "notes");
    json_builder_begin_array(b);
    for (guint i = 0; i < r->notes->len; i++)
        json_builder_add_string_value(b, g_ptr_array_index(r->notes, i));
    json_builder_end_array(b);
    json_builder_set_member_name(b, "scores");
    json_entries(r, 0, r->n_leads, b);
    json_builder_set_member_name(b, "overall");
    json_entries(r, r->n_leads, r->n_leads + 1, b);
    json_builder_end_object(b);

    g_autoptr(JsonNode) root = json_builder_get_root(b);
    json_generator_set_root(generator, root);
    json_generator_set_pretty(generator, TRUE);
    return json_generator_to_data(generator, NULL);
}
