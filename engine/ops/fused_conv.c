/* One stage of an encoder or decoder, band by band. */
#include "engine/ops/fused_conv.h"

#include <string.h>

#include "engine/ops/winograd.h"

#define COLUMNS 32u
#define LEFT 16u /* of a line: its first pixel stays aligned, the zero column is before it */
#define MAX_ROWS 8u
#define MAX_BAND 16u
#define WINOGRAD_IN 16u
#define BAND_FLOATS                                                                                \
    (72u * 1024u) /* of copied lines, a seventh of L2: 16 rows of 32 channels and 64 columns */

static const M2nFusedConvVariant *
variant(void)
{
    return &m2n_fused_conv_variants[m2n_isa()];
}

/* Whether a stage goes through winograd.h: with few input channels its additions cost more than they save. */
static gboolean
by_winograd(gsize in, gsize stride)
{
    return stride == 1 && in >= WINOGRAD_IN && m2n_isa() >= M2N_ISA_AVX2;
}

/* ---- sizes --------------------------------------------------------------------------------- */

static gsize
round_up(gsize n, gsize to)
{
    return (n + to - 1) / to * to;
}

/* Stride 2 and Winograd keep even and odd columns of a line apart. */
static gsize
parts(const M2nFusedConv *s)
{
    return s->stride == 2 || by_winograd(s->in, s->stride) ? 2 : 1;
}

/* Floats of a part of a line. */
static gsize
part_floats(const M2nFusedConv *s)
{
    return LEFT + round_up((s->width + parts(s) - 1) / parts(s), COLUMNS) + LEFT;
}

static gsize
line_floats(const M2nFusedConv *s)
{
    return part_floats(s) * parts(s);
}

/* Output rows before the shuffle; whole segments. */
static gsize
band_rows(const M2nFusedConv *s)
{
    const gsize lines = BAND_FLOATS / (s->in * line_floats(s));
    const gsize rows = CLAMP((MAX(lines, 3) - 2) / s->stride, M2N_WINOGRAD_ROWS, MAX_BAND);

    return rows / M2N_WINOGRAD_ROWS * M2N_WINOGRAD_ROWS;
}

gsize
m2n_fused_conv_bands(const M2nFusedConv *s)
{
    return (s->height / s->stride + band_rows(s) - 1) / band_rows(s);
}

gsize
m2n_fused_conv_scratch(const M2nFusedConv *s)
{
    const gsize products = by_winograd(s->in, s->stride)
                               ? M2N_WINOGRAD * (m2n_winograd_pitch(s->in) + MAX_ROWS * M2N_PANEL)
                               : 0;

    return s->in * (band_rows(s) * s->stride + 3) * line_floats(s) + round_up(s->width, 16) +
           products;
}

gsize
m2n_fused_conv_packed_floats(gsize out, gsize in, gsize stride)
{
    if (by_winograd(in, stride))
        return round_up(out, m2n_chain_variants[m2n_isa()].rows) * in * M2N_WINOGRAD;
    return round_up(out, variant()->rows) * in * 9;
}

void
m2n_fused_conv_pack(gsize out, gsize in, gsize stride, const float *w, float *packed)
{
    if (by_winograd(in, stride))
        m2n_winograd_pack(m2n_chain_variants[m2n_isa()].rows, out, in, w, packed);
    else
        m2n_panel_pack_rows(variant()->rows, out, in * 9, w, packed);
}

/* ---- lines ----------------------------------------------------------------------------------- */

typedef struct {
    const M2nFusedConv *s;
    const M2nFusedConvVariant *v;
    const float *x, *scale, *shift;
    float *lines, *row; /* [in][rows + 2][line], one row of x */
} Lines;

/* Row `row` of channel c, with its zeros. */
static void
copy_line(const Lines *l, gsize c, gsize row, float *line)
{
    const gsize width = l->s->width, part = part_floats(l->s);
    const float *x = l->x + (c * l->s->height + row) * width;

    if (parts(l->s) == 1) {
        line[LEFT - 1] = 0.0f;
        if (l->scale != NULL)
            l->v->activate(width, x, l->scale[c], l->shift[c], line + LEFT);
        else
            memcpy(line + LEFT, x, width * sizeof(float));
        memset(line + LEFT + width, 0, (part - LEFT - width) * sizeof(float));
        return;
    }
    if (l->scale != NULL) {
        l->v->activate(width, x, l->scale[c], l->shift[c], l->row);
        x = l->row;
    }
    const gsize even = LEFT + width / 2,
                odd = LEFT + 1 + width / 2; /* columns after the last pair */
    memset(line + even, 0, (part - even) * sizeof(float));
    memset(line + part + odd, 0, (part - odd) * sizeof(float));
    line[part + LEFT] = 0.0f; /* odd column -1 */
    l->v->split(width / 2, x, line + LEFT, line + part + LEFT + 1);
    if (width % 2 == 1)
        line[even] = x[width - 1];
}

/* Of the input, for so many rows of the output. */
static gsize
lines_for(const M2nFusedConv *s, gsize rows)
{
    return (by_winograd(s->in, s->stride) ? round_up(rows, M2N_WINOGRAD_ROWS) : rows * s->stride) +
           2;
}

/* Lines for output rows i0 .. i0 + rows - 1. */
static void
copy_lines(const Lines *l, gsize i0, gsize rows)
{
    const gsize n = line_floats(l->s), lines = lines_for(l->s, rows);

    for (gsize c = 0; c < l->s->in; c++)
        for (gsize k = 0; k < lines; k++) {
            const gsize row = i0 * l->s->stride + k; /* + 1 */
            float *line = l->lines + (c * lines + k) * n;

            if (row >= 1 && row <= l->s->height)
                copy_line(l, c, row - 1, line);
            else
                memset(line, 0, n * sizeof(float));
        }
}

/* ---- tiles ------------------------------------------------------------------------------------ */

static void
store_shuffled(const M2nFusedConv *s, const M2nFusedConvVariant *v, const float *tile, gsize o,
               gsize rows, gsize i, gsize j, float *y)
{
    const gsize n = MIN(COLUMNS, s->width - j);

    for (gsize r = 0; r < rows; r += 2) {
        const gsize channel = (o + r) / 4, row = 2 * i + (o + r) / 2 % 2;

        v->interleave(n, tile + r * COLUMNS, tile + (r + 1) * COLUMNS,
                      y + (channel * 2 * s->height + row) * 2 * s->width + 2 * j);
    }
}

/* A tile [rows][32] of output channels o .. at row i, columns j .. */
static void
store(const M2nFusedConv *s, const M2nFusedConvVariant *v, const float *tile, gsize o, gsize rows,
      gsize i, gsize j, float *y)
{
    const gsize height = s->height / s->stride, width = s->width / s->stride;

    if (s->shuffle)
        store_shuffled(s, v, tile, o, rows, i, j, y);
    else
        for (gsize r = 0; r < rows; r++)
            memcpy(y + ((o + r) * height + i) * width + j, tile + r * COLUMNS,
                   MIN(COLUMNS, width - j) * sizeof(float));
}

/* All output channels of 32 columns from column j of row i; x: the lines' row i, column j. */
static void
tiles(const M2nFusedConv *s, const M2nFusedConvVariant *v, const float *x, gsize lines,
      const float *packed, const float *bias, gsize i, gsize j, float *y)
{
    const gsize part = part_floats(s), shift[2][3] = {{0, 1, 2}, {part + 1, 1, part + 2}};
    const gsize height = s->height / s->stride, width = s->width / s->stride;
    const gsize n = line_floats(s);

    for (gsize o = 0; o < s->out; o += v->rows) {
        const gsize rows = MIN(v->rows, s->out - o);
        const gboolean whole = rows == v->rows && j + COLUMNS <= width && !s->shuffle;
        float start[MAX_ROWS] = {0};
        float tile[MAX_ROWS * COLUMNS] __attribute__((aligned(64)));

        if (bias != NULL)
            memcpy(start, bias + o, rows * sizeof(float));
        v->tile(s->in, packed + o * s->in * 9, start, x, lines * n, n, shift[s->stride - 1],
                whole ? y + (o * height + i) * width + j : tile, whole ? height * width : COLUMNS);
        if (!whole)
            store(s, v, tile, o, rows, i, j, y);
    }
}

/* ---- the same by Winograd: two segments, of 4 rows and 32 columns each, at a time --------------------- */

typedef struct {
    gsize i, j; /* first row and column */
} Segment;

/* Products and outputs of `n` segments, 1 or 2, whose inputs are in v[24][in][32]; i0: row of the band. */
static void
winograd_outputs(const M2nFusedConv *s, const Segment *segment, gsize n, gsize last_row,
                 const float *packed, const float *bias, const float *v, float *m, float *y)
{
    const M2nChainVariant *c = &m2n_chain_variants[m2n_isa()];
    const M2nWinogradVariant *w = &m2n_winograd_variants[m2n_isa()];

    for (gsize o = 0; o < s->out; o += c->rows, packed += M2N_WINOGRAD * s->in * c->rows) {
        const gsize rows = MIN(c->rows, s->out - o);
        float tile[M2N_WINOGRAD_ROWS * MAX_ROWS * COLUMNS] __attribute__((aligned(64)));
        float start[MAX_ROWS] = {0};

        if (bias != NULL)
            memcpy(start, bias + o, rows * sizeof(float));
        for (gsize p = 0; p < M2N_WINOGRAD; p++)
            (rows == 2 && c->two != NULL ? c->two : c->chain)(
                s->in, &(M2nChain){.w = {packed + p * s->in * c->rows},
                                   .x = {v + p * m2n_winograd_pitch(s->in)},
                                   .end = {.to = m + p * c->rows * M2N_PANEL}});
        for (gsize k = 0; k < n; k++) {
            const float *products = m + k * M2N_WINOGRAD_BLOCKS;
            const gsize i = segment[k].i, j = segment[k].j;

            if (!s->shuffle && rows == c->rows && i + M2N_WINOGRAD_ROWS <= last_row &&
                j + COLUMNS <= s->width) {
                w->output(rows, products, start, y + (o * s->height + i) * s->width + j, s->width,
                          s->height * s->width);
                continue;
            }
            w->output(c->rows, products, start, tile, c->rows * COLUMNS, COLUMNS);
            for (gsize a = 0; a < M2N_WINOGRAD_ROWS && i + a < last_row; a++)
                store(s, variant(), tile + a * c->rows * COLUMNS, o, rows, i + a, j, y);
        }
    }
}

/* Rows i0 .. i0 + rows - 1 from their lines. */
static void
winograd_band(const M2nFusedConv *s, const float *x, gsize i0, gsize rows, const float *packed,
              const float *bias, float *space, float *y)
{
    const gsize across = (s->width + COLUMNS - 1) / COLUMNS;
    const gsize n = (rows + M2N_WINOGRAD_ROWS - 1) / M2N_WINOGRAD_ROWS * across;
    const gsize line = line_floats(s), channel = lines_for(s, rows) * line;
    float *m = space + M2N_WINOGRAD * m2n_winograd_pitch(s->in);
    Segment segment[2];

    for (gsize k = 0; k < n; k++) {
        const gsize i = k / across * M2N_WINOGRAD_ROWS, j = k % across * COLUMNS;

        segment[k % 2] = (Segment){i0 + i, j};
        m2n_winograd_variants[m2n_isa()].input(s->in, x + i * line + LEFT + j / 2, channel, line,
                                               part_floats(s), space + k % 2 * M2N_WINOGRAD_BLOCKS);
        if (k % 2 == 1 || k + 1 == n)
            winograd_outputs(s, segment, k % 2 + 1, i0 + rows, packed, bias, space, m, y);
    }
}

/* Moments of rows [i0, i0 + rows) of y, group by group; `stride` moments from group to group. */
static void
take_moments(const M2nFusedConv *s, const float *y, gsize i0, gsize rows, M2nMoments *m,
             gsize stride)
{
    const gsize grow = s->shuffle ? 2 : 1, channels = s->out / grow / grow / s->groups;
    const gsize width = s->width / s->stride * grow, height = s->height / s->stride * grow;

    for (gsize g = 0; g < s->groups; g++)
        for (gsize c = 0; c < channels; c++)
            m2n_moments_add(&m[g * stride], y + ((g * channels + c) * height + i0 * grow) * width,
                            rows * grow * width, c == 0);
}

void
m2n_fused_conv(const M2nFusedConv *s, float *y, const float *x, const float *scale,
               const float *shift, const float *packed, const float *bias, M2nMoments *m,
               float *scratch)
{
    const M2nFusedConvVariant *v = variant();
    const gsize height = s->height / s->stride;
    const gsize across = (s->width / s->stride + COLUMNS - 1) / COLUMNS;
    const gsize band = band_rows(s), bands = m2n_fused_conv_bands(s), n = line_floats(s);
    const gsize products =
        m2n_fused_conv_scratch(s) - round_up(s->width, 16) - s->in * (band * s->stride + 3) * n;
    const Lines l = {
        s, v, x, scale, shift, scratch + products + round_up(s->width, 16), scratch + products};

    for (gsize b = 0; b < bands; b++) {
        const gsize i0 = b * band, rows = MIN(band, height - i0);

        copy_lines(&l, i0, rows);
        if (by_winograd(s->in, s->stride))
            winograd_band(s, l.lines, i0, rows, packed, bias, scratch, y);
        else
            for (gsize k = 0; k < rows * across; k++) {
                const gsize i = k / across, j = k % across * COLUMNS;

                tiles(s, v, l.lines + i * s->stride * n + LEFT - 1 + j, lines_for(s, rows), packed,
                      bias, i0 + i, j, y);
            }
        if (m != NULL)
            take_moments(s, y, i0, rows, m + b, bands);
    }
}

void
m2n_fused_conv_norm(const M2nFusedConv *s, const M2nMoments *m, const float *gamma,
                    const float *beta, float *scale, float *shift, float *mean, float *rstd)
{
    const gsize bands = m2n_fused_conv_bands(s);
    const gsize per_group = (s->shuffle ? s->out / 4 : s->out) / s->groups;

    for (gsize g = 0; g < s->groups; g++) {
        double centre, slope;

        m2n_moments_finish(m + g * bands, bands, &centre, &slope);
        for (gsize c = g * per_group; c < (g + 1) * per_group; c++) {
            const double k = slope * (double)gamma[c];

            scale[c] = (float)k;
            shift[c] = (float)((double)beta[c] - centre * k);
        }
        if (mean != NULL) {
            mean[g] = (float)centre;
            rstd[g] = (float)slope;
        }
    }
}

void
m2n_norm_silu(gsize n, const float *x, float scale, float shift, float *y)
{
    variant()->activate(n, x, scale, shift, y);
}

void
m2n_norm_silu_readout(gsize n, const float *x, float scale, float shift, float weight, float *y)
{
    variant()->readout(n, x, scale, shift, weight, y);
}
