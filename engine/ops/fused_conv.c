/* One stage of an encoder or decoder, band by band. */
#include "engine/ops/fused_conv.h"

#include <string.h>

#define COLUMNS 32u
#define LEFT 16u /* of a line: its first pixel stays aligned, the zero column is before it */
#define MAX_ROWS 8u
#define MAX_BAND 16u
#define BAND_FLOATS (64u * 1024u) /* of copied lines: an eighth of L2 */

/* ---- sizes --------------------------------------------------------------------------------- */

static gsize
round_up(gsize n, gsize to)
{
    return (n + to - 1) / to * to;
}

/* Floats of one line; stride 2 keeps even and odd columns apart. */
static gsize
half_line(const M2nFusedConv *s)
{
    return LEFT + round_up(s->width / s->stride, COLUMNS) + LEFT;
}

static gsize
line_floats(const M2nFusedConv *s)
{
    return half_line(s) * s->stride;
}

/* Output rows before the shuffle. */
static gsize
band_rows(const M2nFusedConv *s)
{
    const gsize lines = BAND_FLOATS / (s->in * line_floats(s));

    return CLAMP((MAX(lines, 3) - 2) / s->stride, 2, MAX_BAND);
}

gsize
m2n_fused_conv_bands(const M2nFusedConv *s)
{
    return (s->height / s->stride + band_rows(s) - 1) / band_rows(s);
}

gsize
m2n_fused_conv_scratch(const M2nFusedConv *s)
{
    return s->in * (band_rows(s) * s->stride + 2) * line_floats(s) + round_up(s->width, 16);
}

static const M2nFusedConvVariant *
variant(void)
{
    return &m2n_fused_conv_variants[m2n_isa()];
}

gsize
m2n_fused_conv_packed_floats(gsize out, gsize in)
{
    return round_up(out, variant()->rows) * in * 9;
}

void
m2n_fused_conv_pack(gsize out, gsize in, const float *w, float *packed)
{
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
    const gsize width = l->s->width, half = half_line(l->s);
    const float *x = l->x + (c * l->s->height + row) * width;

    if (l->s->stride == 1) {
        line[LEFT - 1] = 0.0f;
        if (l->scale != NULL)
            l->v->activate(width, x, l->scale[c], l->shift[c], line + LEFT);
        else
            memcpy(line + LEFT, x, width * sizeof(float));
        memset(line + LEFT + width, 0, (half - LEFT - width) * sizeof(float));
        return;
    }
    if (l->scale != NULL) {
        l->v->activate(width, x, l->scale[c], l->shift[c], l->row);
        x = l->row;
    }
    line[half + LEFT] = 0.0f; /* odd column -1 */
    l->v->split(width / 2, x, line + LEFT, line + half + LEFT + 1);
}

/* Lines for output rows i0 .. i0 + rows - 1. */
static void
copy_lines(const Lines *l, gsize i0, gsize rows)
{
    const gsize n = line_floats(l->s), lines = rows * l->s->stride + 2;

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

/* All output channels of 32 columns from column j of row i; x: the lines' row i, column j. */
static void
tiles(const M2nFusedConv *s, const M2nFusedConvVariant *v, const float *x, gsize lines,
      const float *packed, const float *bias, gsize i, gsize j, float *y)
{
    const gsize half = half_line(s), shift[2][3] = {{0, 1, 2}, {half + 1, 1, half + 2}};
    const gsize height = s->height / s->stride, width = s->width / s->stride;
    const gsize n = line_floats(s), columns = MIN(COLUMNS, width - j);

    for (gsize o = 0; o < s->out; o += v->rows) {
        const gsize rows = MIN(v->rows, s->out - o);
        const gboolean whole = rows == v->rows && columns == COLUMNS && !s->shuffle;
        float *out = y + (o * height + i) * width + j, start[MAX_ROWS] = {0};
        float tile[MAX_ROWS * COLUMNS] __attribute__((aligned(64)));

        memcpy(start, bias + o, rows * sizeof(float));
        v->tile(s->in, packed + o * s->in * 9, start, x, lines * n, n, shift[s->stride - 1],
                whole ? out : tile, whole ? height * width : COLUMNS);
        if (s->shuffle)
            store_shuffled(s, v, tile, o, rows, i, j, y);
        else if (!whole)
            for (gsize r = 0; r < rows; r++)
                memcpy(out + r * height * width, tile + r * COLUMNS, columns * sizeof(float));
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
    const gsize height = s->height / s->stride, width = s->width / s->stride;
    const gsize band = band_rows(s), bands = m2n_fused_conv_bands(s), n = line_floats(s);
    const Lines l = {s, v, x, scale, shift, scratch + round_up(s->width, 16), scratch};

    for (gsize b = 0; b < bands; b++) {
        const gsize i0 = b * band, rows = MIN(band, height - i0);

        copy_lines(&l, i0, rows);
        for (gsize i = 0; i < rows; i++)
            for (gsize j = 0; j < width; j += COLUMNS)
                tiles(s, v, l.lines + i * s->stride * n + LEFT - 1 + j, rows * s->stride + 2,
                      packed, bias, i0 + i, j, y);
        take_moments(s, y, i0, rows, m + b, bands);
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
