/* One matrix product of the translator, in the precision of its weights; inside engine/nn only.
 *
 *   y = W (scale x + shift) + bias          for one or two panels (engine/ops/panel_gemm.h)
 *
 * The norm that rides along and the rounding of x to 8 bits are passes over one panel in L1.  The channels of a position are
 * rounded with one step, so they should be alike in size: a batch norm before W makes them so, and then
 * belongs to the operand and not into W, `column` and `column_shift`. */
#pragma once
#include "engine/base/arena.h"
#include "engine/nn/precision.h"
#include "engine/ops/panel.h"

G_BEGIN_DECLS

typedef struct {
    M2nPrecision precision;
    gsize out, in;
    const float *packed; /* as the kernel of the precision wants it */
    const float *bias;   /* [out] or NULL */
    const float *column,
        *column_shift; /* [in], 8 bits alone: W (column (scale x + shift) + column_shift); or NULL */
} M2nMatrix;

gsize m2n_matrix_floats(M2nPrecision precision, gsize out, gsize in); /* of `packed` */
/* Piece by piece: rows begin .. begin + n of each half of the output channels, w[2][n][in].  n = m2n_matrix_step(), less
 * in the last piece. */
void m2n_matrix_pack(M2nPrecision precision, gsize out, gsize in, gsize begin, gsize n,
                     const float *w, float *packed);
gsize m2n_matrix_step(M2nPrecision precision, gsize out, gsize in);

/* What products of pairs of panels need besides `packed`, see m2n_panel_expand(); nothing with fewer bits. */
gsize m2n_matrix_expanded_floats(const M2nMatrix *m);
void m2n_matrix_expand(const M2nMatrix *m, gsize part, gsize parts, float *more);

/* A thread's space. */
typedef struct {
    float *panel; /* [2][in][32]: x scaled; of the widest matrix that is given a scale */
    float *sums;  /* what m2n_panel_gemm() and its pair need */
    guint8 *q;    /* [in][32]: x in 8 bits */
    float *step;  /* [32] */
    float *column, *column_shift; /* [in] those of the matrix and of the operand together */
    float *wide;                  /* weights of a few rows in float32 */
} M2nProductScratch;

/* For matrices of up to `most` rows and columns; `panel` is the caller's.  Pointers are NULL when the arena
 * measures. */
void m2n_product_lay_out(M2nProductScratch *s, M2nArena *arena, M2nPrecision precision, gsize most,
                         float *panel);

typedef struct {
    const float *x;
    gsize stride;               /* floats to the second panel */
    const float *scale, *shift; /* [in], or both NULL: x as it is */
} M2nOperand;

/* n panels, 1 or 2; `more`: m2n_matrix_expand(). */
void m2n_product(const M2nMatrix *m, const float *more, const M2nProductScratch *s, gsize n,
                 M2nOperand x, float *y, gsize y_stride);

G_END_DECLS
