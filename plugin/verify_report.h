/* M2nReport: what a verification found, ready to be printed, saved and drawn.
 *
 * The first contender is the forecast that is judged; the others are what it has to beat. */
#pragma once
#include "plugin/verify_scores.h"

G_BEGIN_DECLS

typedef struct {
    char *name;        /* "model", "persistence", "same hour yesterday", "climatology" */
    M2nScores *scores; /* owned */
} M2nContender;

typedef struct {
    char *forecast, **truth; /* what was compared: file names                             */
    char *climatology;      /* which one ACC and the contender of that name use, or NULL  */
    gint64 first, last;     /* initial times scored, seconds since 1970                   */
    guint n_starts;         /* forecasts scored                                           */
    guint n_variables;
    char **variables, **units; /* NULL-terminated                                          */
    guint n_leads;
    gint64 *leads;         /* seconds                                                  */
    GPtrArray *contenders; /* M2nContender*                                            */
    GPtrArray *notes;      /* char*: what the reader of the numbers has to know        */
} M2nReport;

M2nReport *m2n_report_new(void); /* (transfer full) empty */
/* (transfer full) "a, b, c"; of more than three "a and 9 more". */
char *m2n_report_names(const char *const *names);
void m2n_report_free(M2nReport *r);
/* Takes `scores`. */
void m2n_report_add(M2nReport *r, const char *name, M2nScores *scores);
void m2n_report_note(M2nReport *r, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* (transfer full) For people: a table per variable, a line per lead time (all of them, or about
 * `max_rows` evenly chosen; 0 all), scores of the forecast, then RMSE of and skill against each
 * other contender. */
char *m2n_report_table(const M2nReport *r, M2nWeighting weighting, guint max_rows);
/* (transfer full) The published protocol: MSE, MAE and RMSE over grid, steps and samples, plain. */
char *m2n_report_protocol(const M2nReport *r);
/* (transfer full) A line per contender, variable, lead time and weighting; an undefined score is
 * empty. */
char *m2n_report_csv(const M2nReport *r);
/* (transfer full) The same and what was compared; an undefined score is null. */
char *m2n_report_json(const M2nReport *r);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nReport, m2n_report_free)

G_END_DECLS
