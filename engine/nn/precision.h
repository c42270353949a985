/* In what the large matrix products of a forecast are kept and computed.
 *
 *   float32  as trained; the default
 *   bf16     weights in half the memory (BF16: 8 bits of mantissa), products in float32
 *   int8     weights and activations in 8 bits: the products take a quarter of the time where the processor
 *            has VNNI, and the weights a quarter of the memory.  Steps of the activations are found for each
 *            position while it is computed (engine/ops/panel_quantise.h): nothing is to be calibrated
 *
 * The first and the last product of the translator, encoders, decoders, depthwise convolutions, norms and
 * attention weights are float32 always. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

typedef enum { M2N_FLOAT32, M2N_BF16, M2N_INT8, M2N_N_PRECISIONS } M2nPrecision;

/* In any case of letters.  FALSE: M2N_ERROR_ARGUMENT, which names the three. */
gboolean m2n_precision_parse(const char *text, M2nPrecision *precision, GError **error);
const char *m2n_precision_name(M2nPrecision precision); /* "float32", "bf16", "int8" */

/* What there is to know before using it on this machine: "int8: this processor has no VNNI, ..."; or NULL. */
const char *m2n_precision_warning(M2nPrecision precision);

G_END_DECLS
