/* libmet2net: weather forecasts by Met2Net, for programs in any language.
 *
 *   open      reads headers alone: a bad file, option or missing time is found here
 *   describe  variables, steps, grid, CRS, times, units, GRIB metadata
 *   compute   runs the model, with progress and cancel; done once for all handles of a process
 *   read      copies one field; computes first when nobody has yet
 *   close
 *
 * A forecast has steps 0 .. n_steps-1 of n_variables fields of height x width float32, row 0 the
 * northernmost, column 0 the westernmost, SI units as stored in GRIB, NaN where nothing is known.
 *
 * Threads   A handle is one thread's at a time.  Any number of handles may be used at once by any threads: handles on the
 *           same model, input and time share one computation and its result.
 * Warnings  Go to GDAL's error handler (CE_Warning) while computing, each once: an input whose mean is far from what the
 *           model was trained on, as degrees Celsius labelled K are; a PRECISION that gains nothing on this processor.
 * Errors    Functions that can fail return NULL or 0 and fill `error` when it is not NULL: a code and one line that names
 *           file, thing and value.  Nothing is printed and the process never ends.
 * Lifetime  Every pointer got from a handle lives until met2net_close() of that handle.
 * Files     Model, input and forecast file may lie on GDAL's virtual file systems (/vsimem/, /vsizip/ ...).  Nothing is
 *           written but the cache below $XDG_CACHE_HOME/met2net (off: MET2NET_CACHE=NO).
 * Change    MET2NET_API grows when something is added.  Structures are made by the library alone and grow at their end;
 *           what breaks callers changes the soname. */
#ifndef MET2NET_H
#define MET2NET_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MET2NET_API 3 /* 2: the option PRECISION; 3: the option MEMBER, met2net_note() */
#define MET2NET_EXPORT __attribute__((visibility("default")))

typedef enum {
    MET2NET_OK,
    MET2NET_ERROR_IO,        /* open, read, write, disk full                          */
    MET2NET_ERROR_FORMAT,    /* not ours, corrupt, unknown key, or a newer version    */
    MET2NET_ERROR_SHAPE,     /* sizes or places that do not fit the model             */
    MET2NET_ERROR_UNITS,     /* a quantity in a unit that is not converted silently   */
    MET2NET_ERROR_MEMORY,    /* more than MAX_MEMORY or than there is                 */
    MET2NET_ERROR_CANCELLED, /* the progress function returned 0                      */
    MET2NET_ERROR_MISSING,   /* a variable, level or time that is needed is not there */
    MET2NET_ERROR_DENIED,    /* a source that MET2NET_ALLOWED_SOURCE does not allow   */
    MET2NET_ERROR_ARGUMENT,  /* an option or index out of range or misspelt           */
} met2net_code;

/* Owned by the caller; needs no clean-up. */
typedef struct {
    int code; /* met2net_code */
    char message[1024];
} met2net_error;

/* done goes 0..1, message may be NULL; return 0 to stop.  May be called from another thread than
 * the caller's, never from two at once. */
typedef int (*met2net_progress)(double done, const char *message, void *user_data);

typedef struct met2net met2net; /* a handle */

typedef struct {
    const char *name;          /* the model's: "t2m"                                             */
    const char *long_name;     /* "2 metre temperature", or the name where there is none         */
    const char *standard_name; /* CF: "air_temperature", or NULL                             */
    const char *units;         /* "K", "m/s", "Pa", "1", "%": as UDUNITS reads them          */
    const char *type_of_level; /* eccodes: "heightAboveGround", "isobaricInhPa", "surface"   */
    double level;              /* in the unit of type_of_level                               */
    long param_id;             /* eccodes paramId                                            */
    double lower, upper; /* bounds that the forecast is kept inside; -inf, +inf for none     */
} met2net_variable;

typedef struct {
    unsigned width, height;
    double geotransform[6]; /* outer corner of the first pixel and steps, GDAL order */
    const char *crs_wkt;    /* WKT; x is longitude or easting whatever the CRS says  */
    unsigned n_variables, n_steps;
    const met2net_variable *variables;
    int64_t init_time;  /* seconds since 1970-01-01T00:00:00Z: valid time of the last input field */
    int64_t time_step;  /* seconds                                                                */
    int64_t first_lead; /* seconds from init_time to step 0: time_step, or 0 with INITIAL_STATE   */
    const char *model;  /* file name                                                              */
    const char *const *inputs; /* file names, NULL-terminated */
} met2net_info;

MET2NET_EXPORT int met2net_api_version(void);     /* MET2NET_API of the library at run time */
MET2NET_EXPORT const char *met2net_version(void); /* "0.1.0" */

/* 1 when a file that begins with these bytes is a forecast file: a JSON object whose first key is
 * "met2net". */
MET2NET_EXPORT int met2net_recognises(const void *bytes, size_t n);

/* name     a forecast file, or a GRIB file with the option MODEL; "MET2NET:" before it is accepted
 * options  NULL, or NULL-terminated "KEY=VALUE"; they win over the forecast file:
 *   MODEL=file              the model (required with a GRIB file)
 *   VARIABLE=t2m,u10        which variables, in this order [all, the model's order]
 *   INIT_TIME=2024-01-28T00:00:00Z   or "latest" [latest]
 *   LEAD_TIME=24h           how far: "90m", "36h", "5d", "PT24H" [the model's window]
 *   INITIAL_STATE=YES|NO    step 0 is the last input field [NO]
 *   MEMBER=3                of an ensemble in GRIB [the lowest, and met2net_note() says so]
 *   T_SRS=EPSG:3857         CRS of the fields: EPSG:n, WKT or a PROJ string [the model's]
 *   RESAMPLING=bilinear|nearest|conservative   to the model's grid and to T_SRS [bilinear]
 *   THREADS=n|ALL_CPUS      [GDAL_NUM_THREADS, else ALL_CPUS]
 *   PRECISION=float32|bf16|int8   of the large matrix products [float32].  bf16: half the memory for
 *                           weights; int8: little more than half the time where the processor has
 *                           VNNI, elsewhere no faster.  What it costs in RMSE, tenths of a per cent to
 *                           more than one, depends on the model: met2net-convert --verify tells
 *   MAX_MEMORY=2GB          bound for one computation, activations included [3/4 of the machine's]
 *   CACHE=YES|NO            use the cache on disk [YES; the MET2NET_CACHE configuration option]
 * Configuration options, environment or CPLSetConfigOption(): MET2NET_CACHE, MET2NET_CACHE_SIZE (on
 * disk, "1GB"), MET2NET_CACHE_MEMORY (in the process, "512MB"), MET2NET_ALLOWED_SOURCE (what a
 * forecast file may name: SIBLING_OR_CHILD, ANY, or folders separated by ';').
 * NULL: any of the codes but CANCELLED. */
MET2NET_EXPORT met2net *met2net_open(const char *name, const char *const *options,
                                     met2net_error *error);
MET2NET_EXPORT void met2net_close(met2net *f); /* NULL is fine */

MET2NET_EXPORT const met2net_info *met2net_describe(const met2net *f);

/* One line that the user should see, or NULL: the input is an ensemble and nobody chose a member. */
MET2NET_EXPORT const char *met2net_note(const met2net *f);

/* NULL-terminated "KEY=VALUE" of the whole forecast: MET2NET_INIT_TIME, MET2NET_LEAD_TIME,
 * MET2NET_MODEL, MET2NET_MODEL_SHA256, MET2NET_INPUT, MET2NET_MEMBER (of an ensemble), MET2NET_PRECISION,
 * MET2NET_VERSION ...  The first call reads the
 * whole model for its hash; where that fails the key is left out. */
MET2NET_EXPORT const char *const *met2net_metadata(met2net *f);

/* Of one field: NULL-terminated "KEY=VALUE": GRIB_ELEMENT, GRIB_SHORT_NAME, GRIB_UNIT,
 * GRIB_VALID_TIME ... as GDAL's GRIB driver writes them, and a line for people: "t2m 2 m,
 * 2024-01-28T01:00:00Z (+1 h)". NULL: index out of range. */
MET2NET_EXPORT const char *const *met2net_field_metadata(met2net *f, unsigned variable,
                                                         unsigned step);
MET2NET_EXPORT const char *met2net_field_description(met2net *f, unsigned variable, unsigned step);

/* 1 when the result is at hand, so that a read costs no model time (it may yet be read from disk). */
MET2NET_EXPORT int met2net_is_computed(met2net *f);

/* Returns 1 when the result is at hand.  A handle that failed keeps failing in the same way (but not after
 * CANCELLED): each of a hundred bands would otherwise try again for minutes.  Open it anew.  When another handle computes it already, waits for that
 * and reports its progress.  0: any code; CANCELLED leaves nothing behind. */
MET2NET_EXPORT int met2net_compute(met2net *f, met2net_progress progress, void *user_data,
                                   met2net_error *error);

/* One field into out[height * width].  0: as met2net_compute(), or ARGUMENT. */
MET2NET_EXPORT int met2net_read(met2net *f, unsigned variable, unsigned step, float *out,
                                met2net_error *error);

#ifdef __cplusplus
}
#endif
#endif
