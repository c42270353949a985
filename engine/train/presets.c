/* The published settings (arXiv:2507.17189 and its training code), under the names people try
 * first. */
#include <string.h>

#include "engine/base/error.h"
#include "engine/train/settings.h"

#define WB_LOW "learning-rate", "1e-3", "batch", "16", "epochs", "50"

const M2nPreset m2n_presets[] = {
    {"weatherbench",
     "wb_mv5",
     "WeatherBench 5.625 degrees, 5 variables",
     "u10 v10 t2m tcc r1000",
     64,
     32,
     {WB_LOW, "N-S", "2", NULL}},
    {"weatherbench4",
     "wb_mv4",
     "WeatherBench 5.625 degrees, 4 variables",
     "u10 v10 t2m tcc",
     64,
     32,
     {WB_LOW, "N-S", "2", NULL}},
    {"weatherbench-hires",
     "wb_mv5_hires",
     "WeatherBench 2.8125 degrees, 5 variables",
     "u10 v10 t2m tcc r1000",
     128,
     64,
     {WB_LOW, "N-S", "4", NULL}},
    {"era5",
     "era5_128",
     "ERA5 crop of 128x128, 4 variables",
     "msl u10 v10 t2m",
     128,
     128,
     {"learning-rate", "5e-4", "batch", "16", "epochs", "200", "N-S", "4", "normalisation",
      "minmax", NULL}},
    {"gulf",
     "small",
     "A small region and few data: 3 variables, 16x32",
     "u10 v10 t2m",
     32,
     16,
     {"hid-S", "16", "hid-T", "64", "N-T", "4", "epochs", "30", "N-S", "2", NULL}},
    {NULL, NULL, NULL, NULL, 0, 0, {NULL}},
};

/* Letters and digits alone: "WB-MV5", "wb_mv5" and "wbmv5" are one name. */
static gboolean
same_letters(const char *a, const char *b)
{
    for (;;) {
        while (*a && !g_ascii_isalnum(*a))
            a++;
        while (*b && !g_ascii_isalnum(*b))
            b++;
        if (g_ascii_tolower(*a) != g_ascii_tolower(*b))
            return FALSE;
        if (*a == '\0')
            return TRUE;
        a++;
        b++;
    }
}

gboolean
m2n_settings_preset(M2nSettings *s, const char *name, const char *where, GError **error)
{
    g_autoptr(GString) known = g_string_new(NULL);

    for (const M2nPreset *p = m2n_presets; p->name; p++) {
        if (same_letters(p->name, name) || same_letters(p->other_name, name)) {
            for (guint i = 0; p->values[i]; i += 2)
                if (!m2n_settings_set(s, p->values[i], p->values[i + 1], p->name, error))
                    g_assert_not_reached(); /* the table above is ours */
            return TRUE;
        }
        g_string_append_printf(known, "%s%s (%s)", known->len ? ", " : "", p->name, p->other_name);
    }
    g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "%s: preset: no '%s'; known: %s", where, name,
                known->str);
    return FALSE;
}
