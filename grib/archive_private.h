/* What the archive's files share. */
#pragma once
#include "engine/base/parallel.h"
#include "grib/archive.h"
#include "grib/grib_reader.h"
#include "grib/wind.h"

G_BEGIN_DECLS

typedef struct {
    M2nGribReader *reader; /* borrowed */
    guint index;           /* in the reader */
    M2nGribHeader header;
} M2nArchiveMessage;

/* How one field of a window comes about. */
typedef enum {
    M2N_RECIPE_AS_IS,
    M2N_RECIPE_TURNED,      /* a component of a wind, with the other one */
    M2N_RECIPE_DIFFERENCE,  /* accumulated to the valid time less accumulated to a step before */
    M2N_RECIPE_DEW_POINT,   /* relative humidity from temperature, dew point */
    M2N_RECIPE_SPECIFIC,    /* relative humidity from temperature, specific humidity */
    M2N_RECIPE_GEOPOTENTIAL /* geopotential from its height, or the height from it */
} M2nRecipeKind;

typedef struct {
    M2nRecipeKind kind;
    const M2nArchiveMessage *message[2];
    gboolean is_u; /* TURNED: message[0] is u */
    double scale;  /* GEOPOTENTIAL */
} M2nRecipe;

typedef struct {
    M2nGrid *from, *to;
    M2nRegridMethod method;
    M2nRegrid *regrid;
    M2nWind *wind; /* of `from`, NULL until a grid-relative wind was met */
} M2nArchiveWeights;

struct M2nArchive {
    GPtrArray *readers;
    GArray *messages;    /* of M2nArchiveMessage: by valid time, then newest run */
    GPtrArray *problems; /* of char*: one line per message left out */
    GArray *weights;     /* of M2nArchiveWeights */
    guint threads;
    guint64 max_memory; /* 0: no bound */
    char *name;         /* "a.grib2" or "a.grib2 and 3 more", and which member of how many */
    long member;        /* of an ensemble, -1 without one */
    guint members;      /* that the files hold */
    char *note;         /* a line, or NULL */
};

/* Whether the message holds that variable, at its level. */
gboolean m2n_archive_message_is(const M2nArchiveMessage *m, const M2nVariable *v);

/* Bytes that are taken by what is known of the messages. */

/* Leaves the messages of member `wanted` (< 0: the lowest) and those of no ensemble.  FALSE:
 * M2N_ERROR_MISSING: which members there are. */
gboolean m2n_archive_keep_member(M2nArchive *a, long wanted, GError **error);

/* How to make variable `v` valid at `time`; accumulations cover `step` seconds.  FALSE: the archive cannot;
 * then `lacks` (if not NULL) is what is missing: `v` itself, or the other component of a grid-relative wind. */
gboolean m2n_archive_recipe(const M2nArchive *a, const M2nVariable *v, gint64 time, gint64 step,
                            M2nRecipe *recipe, M2nVariable *lacks);

/* The recipe of field k < steps * n_variables of the window m2n_archive_read_window() makes: variables of one step after the
 * other, steps in time's order.  FALSE: M2N_ERROR_MISSING: what is needed and what there is instead. */
gboolean m2n_archive_window_recipe(const M2nArchive *a, const M2nDomain *d, guint steps, gint64 init_time, guint k,
                                   M2nRecipe *recipe, GError **error);

G_END_DECLS
