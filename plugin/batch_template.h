/* Names of output files: a template with fields in braces.
 *
 *   {input}     the input's name without folder and suffix     {model}  the model's, likewise
 *   {folder}    the folder the input lies in
 *   {init}      initial time, 20240128T0000Z; {init:%Y-%m-%d}: as strftime(3) has it
 *   {valid}     valid time of the file's one step, likewise     only with {step} or {valid}
 *   {step}      lead time in hours (or minutes, "90m", when it is no whole hour), three digits
 *   {variable}  the model's name of it
 *   {member}    number of the ensemble's member, two digits; "0" without one
 *   {ext}       the format's suffix                              {{ and }}  braces
 *
 * {variable} makes a file per variable, {step} or {valid} one per lead time. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

typedef struct {
    const char *input, *model; /* full names */
    const char *variable;      /* NULL where all share a file */
    const char *suffix;
    gint64 init_time;
    long member; /* -1 without an ensemble */
    gint64 lead; /* seconds; -1 where all share a file */
} M2nTemplateValues;

typedef struct {
    gboolean per_variable, per_step;
} M2nTemplateSplit;

/* FALSE: M2N_ERROR_ARGUMENT: an unknown field, an open brace. */
gboolean m2n_template_check(const char *text, M2nTemplateSplit *split, GError **error);
/* (transfer full) of a template that passed the check. */
char *m2n_template_fill(const char *text, const M2nTemplateValues *values);

G_END_DECLS
