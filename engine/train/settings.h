/* M2nSettings: every number of a training run, by name.
 *
 * One table serves the command line, the JSON file, the presets, --help and the checkpoint, so that
 * a name, a range and a default are written once.  Names are those of the long options
 * ("learning-rate"); a JSON file may write them with '_' too. */
#pragma once
#include "engine/nn/config.h"

G_BEGIN_DECLS

typedef struct {
    M2nConfig config; /* variables, height and width come from the data, never from here */
    guint epochs, batch;
    guint epoch_windows; /* windows of an epoch, drawn anew for each; 0: all there are */
    double learning_rate, final_learning_rate; /* the cosine falls from the first to the second */
    guint warmup_epochs;                       /* linear rise to learning_rate; 0: none */
    double beta1, beta2, epsilon;              /* Adam */
    double weight_decay;                       /* decoupled (AdamW); 0: plain Adam, as published */
    double average_weights; /* decay per step of the average that is validated and saved; 0: none, as published */
    guint64 seed;
    guint patience;     /* stop after so many epochs without a better validation; 0: never */
    guint64 max_memory; /* bytes of each process; 0: its share of m2n_memory_default() */
    guint threads;      /* 0: one per CPU */
    double
        checkpoint_minutes; /* time between checkpoints inside an epoch; 0: at epoch ends alone */
    gboolean minmax;        /* "normalisation": minmax instead of zscore */
    gboolean change;        /* "target": change from the last input field */
} M2nSettings;

/* The published settings of WeatherBench at 5.625 degrees: what an absent option means. */
#define M2N_SETTINGS_DEFAULT                                                                       \
    {                                                                                              \
        .config = M2N_CONFIG_DEFAULT, .epochs = 50, .batch = 16, .learning_rate = 1e-3,            \
        .final_learning_rate = 1e-6, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .seed = 1,     \
        .checkpoint_minutes = 5                                                                    \
    }

typedef enum {
    M2N_SETTING_COUNT, /* guint */
    M2N_SETTING_NUMBER,
    M2N_SETTING_SEED,   /* guint64 */
    M2N_SETTING_MEMORY, /* bytes; "6G", "512M" are understood */
    M2N_SETTING_CHOICE, /* one of two words; the second is TRUE */
} M2nSettingKind;

typedef struct {
    const char *name;
    M2nSettingKind kind;
    gsize offset;
    double low, high;        /* both allowed */
    const char *choices[2];  /* M2N_SETTING_CHOICE alone */
    gboolean affects_result; /* FALSE: may differ between a run and its resumption */
    const char *help;
} M2nSettingInfo;

extern const M2nSettingInfo m2n_setting_infos[]; /* ends with name == NULL */

/* FALSE: M2N_ERROR_ARGUMENT: "<where>: <name>: ...", with the allowed range or words; an unknown
 * name is an error that names the closest known one. */
gboolean m2n_settings_set(M2nSettings *s, const char *name, const char *value, const char *where,
                          GError **error);
/* (transfer full) The value in the spelling _set() reads; doubles come back bit for bit. */
char *m2n_settings_get(const M2nSettings *s, const M2nSettingInfo *info);
/* Rules between settings (final rate above the first, hid-T a multiple of 8 ...). */
gboolean m2n_settings_check(const M2nSettings *s, const char *where, GError **error);

/* A JSON object of names and values; "preset" comes first whatever its place.  `text` of `length`
 * bytes
 * (-1: NUL-terminated), `where` names it in errors.  FALSE: M2N_ERROR_FORMAT or _ARGUMENT. */
gboolean m2n_settings_read_json(M2nSettings *s, const char *text, gssize length, const char *where,
                                GError **error);
char *m2n_settings_to_json(const M2nSettings *s); /* (transfer full) all of them */

/* ---- presets ----------------------------------------------------------------------------------
 */

typedef struct {
    const char *name, *other_name, *help;
    const char *variables;  /* what the published data set holds, for messages */
    guint width, height;    /* its grid */
    const char *values[12]; /* name, value, ..., NULL */
} M2nPreset;

extern const M2nPreset m2n_presets[]; /* ends with name == NULL */

/* Case and the signs - _ . do not matter.  FALSE: M2N_ERROR_ARGUMENT, listing the names. */
gboolean m2n_settings_preset(M2nSettings *s, const char *name, const char *where, GError **error);

G_END_DECLS
