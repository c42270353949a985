#include "engine/nn/product.h"

#include "engine/ops/panel_bf16.h"
#include "engine/ops/panel_int8.h"
#include "engine/ops/panel_quantise.h"

#define PIECE 8192u /* floats of half a piece: two of them stay in L2 while they are read, folded and packed */

gsize
m2n_matrix_floats(M2nPrecision precision, gsize out, gsize in)
{
    switch (precision) {
    case M2N_INT8:
        return m2n_panel_int8_packed_floats(out, in);
    case M2N_BF16:
        return m2n_panel_bf16_packed_floats(out, in);
    default:
        return m2n_panel_packed_floats(out, in);
    }
}

/* With fewer bits a matrix is one piece. */
gsize
m2n_matrix_step(M2nPrecision precision, gsize out, gsize in)
{
    const gsize rows = m2n_panel_pack_step(), wanted = PIECE / in / rows * rows;

    return precision != M2N_FLOAT32 ? out / 2 : MIN(MAX(wanted, rows), out / 2);
}

void
m2n_matrix_pack(M2nPrecision precision, gsize out, gsize in, gsize begin, gsize n, const float *w,
                float *packed)
{
    switch (precision) {
    case M2N_INT8:
        m2n_panel_int8_pack(out, in, w, packed);
        break;
    case M2N_BF16:
        m2n_panel_bf16_pack(out, in, w, packed);
        break;
    default:
        m2n_panel_pack_piece(out, in, begin, n, w, packed);
    }
}

gsize
m2n_matrix_expanded_floats(const M2nMatrix *m)
{
    return m->precision == M2N_FLOAT32 ? m2n_panel_expanded_floats(m->out, m->in) : 0;
}

void
m2n_matrix_expand(const M2nMatrix *m, gsize part, gsize parts, float *more)
{
    if (m->precision == M2N_FLOAT32)
        m2n_panel_expand(m->out, m->in, part, parts, m->packed, more);
}

void
m2n_product_lay_out(M2nProductScratch *s, M2nArena *arena, M2nPrecision precision, gsize most,
                    float *panel)
{
    *s = (M2nProductScratch){.panel = panel};
    s->sums = m2n_arena_floats(arena, m2n_panel_scratch(most, most));
    if (precision == M2N_INT8) {
        s->q = (gpointer)m2n_arena_floats(arena, most * M2N_PANEL / sizeof(float));
        s->step = m2n_arena_floats(arena, M2N_PANEL);
        s->column = m2n_arena_floats(arena, most);
        s->column_shift = m2n_arena_floats(arena, most);
    } else if (precision == M2N_BF16) {
        s->wide = m2n_arena_floats(arena, m2n_panel_bf16_space());
    }
}

/* x with the column scales of the matrix after its own. */
static M2nOperand
with_columns(const M2nMatrix *m, const M2nProductScratch *s, M2nOperand x)
{
    if (x.scale == NULL || m->column == NULL)
        return m->column == NULL ? x : (M2nOperand){x.x, x.stride, m->column, m->column_shift};
    for (gsize c = 0; c < m->in; c++) {
        s->column[c] = m->column[c] * x.scale[c];
        s->column_shift[c] = m->column[c] * x.shift[c] + m->column_shift[c];
    }
    return (M2nOperand){x.x, x.stride, s->column, s->column_shift};
}

static void
product_int8(const M2nMatrix *m, const M2nProductScratch *s, gsize n, M2nOperand x, float *y,
             gsize y_stride)
{
    x = with_columns(m, s, x);
    for (gsize k = 0; k < n; k++) {
        m2n_panel_quantise(m->in, x.x + k * x.stride, x.scale, x.shift, s->q, s->step);
        m2n_panel_int8_gemm(m->out, m->in, m->packed, m->bias, s->q, s->step, y + k * y_stride);
    }
}

/* x with its norm applied. */
static M2nOperand
scaled(const M2nMatrix *m, const M2nProductScratch *s, gsize n, M2nOperand x)
{
    const gsize size = m->in * M2N_PANEL;

    if (x.scale == NULL)
        return x;
    for (gsize k = 0; k < n; k++)
        m2n_panel_combine(m->in, 1, (const float *[]){x.x + k * x.stride}, &x.scale, x.shift,
                          s->panel + k * size);
    return (M2nOperand){s->panel, size, NULL, NULL};
}

void
m2n_product(const M2nMatrix *m, const float *more, const M2nProductScratch *s, gsize n,
            M2nOperand x, float *y, gsize y_stride)
{
    if (m->precision == M2N_INT8) {
        product_int8(m, s, n, x, y, y_stride);
        return;
    }
    x = scaled(m, s, n, x);
    const float *const from[] = {x.x, x.x + x.stride};
    float *const to[] = {y, y + y_stride};
    if (m->precision == M2N_BF16)
        m2n_panel_bf16_gemm(m->out, m->in, m->packed, m->bias, n, from, to, s->wide);
    else if (n == 2)
        m2n_panel_gemm_pair(m->out, m->in, m->packed, more, m->bias, from, to, s->sums);
    else
        m2n_panel_gemm(m->out, m->in, m->packed, m->bias, x.x, y, s->sums);
}
