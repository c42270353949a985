/* One tile of a product in panels (see panel_gemm.h), the inside of panel_gemm.c: `rows` output channels at 32
 * positions, as a chain of at most two products whose sums stay in registers.
 *
 *   sum = start + w0 x0,    middle = sum + terms of middle,    end = sum + terms of end + w1 x1
 *
 * w0, w1      [in][rows]; w1 NULL: one product
 * x0, x1      [in][32]
 * start       [rows][32], or NULL: zeros
 * middle, end to [rows][32] = the sum + from + plus [rows][32] + bias [rows], each NULL: without; `to` may be
 *             `from`, `plus` or `start`; middle.to NULL: nothing is kept there.  Rows of `to` and `from` are
 *             `pitch` floats apart, 0: 32
 *
 * differences: t = {x1 - x0, y1 - (x1 - x0), y1 - x1, y0 - (y1 - (x1 - x0))}, n floats each, of panels
 * {x0, y0} and {x1, y1} of 2n floats; the first `count` of all of them, a multiple of 32
 *
 * numerics    float32; the reference sums in double */
#pragma once
#include "engine/base/cpu.h"

G_BEGIN_DECLS

#define M2N_PANEL 32u
#define M2N_CHAIN_MAX_ROWS 8u

typedef struct {
    float *to;
    const float *from, *plus, *bias;
    gsize pitch;
} M2nChainEnd;

/* Floats from row to row of `to` and `from`. */
static inline gsize
m2n_chain_pitch(const M2nChainEnd *e)
{
    return e->pitch != 0 ? e->pitch : M2N_PANEL;
}

typedef struct {
    const float *start, *w[2], *x[2];
    M2nChainEnd middle, end;
} M2nChain;

typedef struct {
    M2nIsa isa;
    gsize rows; /* output channels a tile, at most M2N_CHAIN_MAX_ROWS */
    void (*chain)(gsize in, const M2nChain *c);
    /* The first two rows of a tile alone: its weights still lie [in][rows].  NULL: not worth its code */
    void (*two)(gsize in, const M2nChain *c);
    void (*differences)(gsize count, gsize n, const float *panel0, const float *panel1, float *t);
} M2nChainVariant;

/* All variants, reference first. */
extern const M2nChainVariant m2n_chain_variants[M2N_N_ISA];

G_END_DECLS
