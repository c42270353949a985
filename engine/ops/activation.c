/* SiLU and GELU. */
#include "engine/ops/activation.h"

#include "engine/ops/dispatch.h"

#include <math.h>

/* ---- reference ----------------------------------------------------------------------- */

static void
silu_ref(float *y, const float *x, gsize n)
{
    for (gsize i = 0; i < n; i++) {
        const double v = (double)x[i];
        /* -inf / inf would be NaN; below -1000 the true value rounds to 0 */
        y[i] = v < -1000.0 ? -0.0f : (float)(v / (1.0 + exp(-v)));
    }
}

static void
gelu_ref(float *y, const float *x, gsize n)
{
    for (gsize i = 0; i < n; i++) {
        const double v = (double)x[i];
        y[i] = v < -1000.0 ? -0.0f : (float)(0.5 * v * erfc(-v * M_SQRT1_2));
    }
}

/* ---- table and dispatch -------------------------------------------------------------- */

const M2nActivationVariant m2n_activation_variants[M2N_N_ISA] = {
    {M2N_ISA_SCALAR, silu_ref, gelu_ref},
};

void
m2n_silu(float *y, const float *x, gsize n)
{
    M2N_DISPATCH(m2n_activation_variants, silu)(y, x, n);
}

void
m2n_gelu(float *y, const float *x, gsize n)
{
    M2N_DISPATCH(m2n_activation_variants, gelu)(y, x, n);
}
