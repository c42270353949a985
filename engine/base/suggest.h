/* "did you mean": the known word nearest to a misspelt one. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

/* (transfer none) The one of `known` (NULL-terminated) at most a third of its letters away from
 * `word`, upper and lower case alike; NULL when none is that near. */
const char *m2n_suggest(const char *word, const char *const *known);

/* (transfer full) "; did you mean \"x\"?", or "; expected a, b or c" when nothing is near. */
char *m2n_suggest_text(const char *word, const char *const *known);

G_END_DECLS
