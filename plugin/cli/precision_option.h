/* --precision NAME, as every tool that runs a model has it. */
#pragma once
#include "engine/nn/precision.h"

G_BEGIN_DECLS

/* `text` NULL: *out stays.  Tells on stderr, unless quiet, what there is to know about it on this machine.
 * FALSE: M2N_ERROR_ARGUMENT, which names the values. */
gboolean m2n_precision_option(const char *text, gboolean quiet, M2nPrecision *out, GError **error);

G_END_DECLS
