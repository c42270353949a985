/* Nearest known word by edit distance (Levenshtein 1966). */
#include "engine/base/suggest.h"

#include <string.h>

#define LONGEST 32u /* our keys are shorter; a longer word is no misspelling of one */

static guint
distance(const char *a, const char *b)
{
    const gsize n = strlen(a), m = strlen(b);
    guint row[LONGEST + 1];

    if (n > LONGEST || m > LONGEST)
        return G_MAXUINT;
    for (guint j = 0; j <= m; j++)
        row[j] = j;
    for (gsize i = 1; i <= n; i++) {
        guint diagonal = row[0];
        row[0] = (guint)i;
        for (gsize j = 1; j <= m; j++) {
            const guint change =
                diagonal + (g_ascii_tolower(a[i - 1]) != g_ascii_tolower(b[j - 1]));
            diagonal = row[j];
            row[j] = MIN(change, MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[m];
}

const char *
m2n_suggest(const char *word, const char *const *known)
{
    const char *best = NULL;
    guint least = G_MAXUINT;

    for (gsize i = 0; known[i] != NULL; i++) {
        const guint d = distance(word, known[i]);
        if (d < least && d <= (strlen(known[i]) + 2) / 3) {
            least = d;
            best = known[i];
        }
    }
    return best;
}

char *
m2n_suggest_text(const char *word, const char *const *known)
{
    const char *near = m2n_suggest(word, known);

    if (near != NULL)
        return g_strdup_printf("; did you mean \"%s\"?", near);
    g_autofree char *all = g_strjoinv(", ", (char **)known);
    return g_strdup_printf("; expected one of %s", all);
}
