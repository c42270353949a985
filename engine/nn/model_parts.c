/* The parts of a model: each tensor is read, folded and packed on its own, so that no second copy of all
 * weights is ever in memory. */
#include "engine/nn/model_parts.h"

#include <string.h>

#include "engine/base/error.h"
#include "engine/ops/batch_norm.h"
#include "engine/ops/fused_conv.h"
#include "engine/ops/panel_gemm.h"

typedef struct {
    const M2nModelValues *from;
    M2nArena *arena;
    gboolean measuring; /* nothing is read, all pointers are NULL */
    GError **error;
    gboolean failed; /* then *error is set and nothing more is read */
} Builder;

/* ---- reading --------------------------------------------------------------------------- */

/* n values of a parameter into `out`; nothing when measuring or after a failure. */
static void
read_some(Builder *b, float *out, const M2nParameter *p, gsize first, gsize n)
{
    if (b->measuring || b->failed)
        return;
    if (b->from->weights != NULL)
        memcpy(out, b->from->weights + p->offset + first, n * sizeof(float));
    else if (!m2n_safetensors_read_f32(b->from->st, b->from->tensor[p - b->from->p->list], first, n,
                                       out, b->error))
        b->failed = TRUE;
}

/* All of the parameter of this name. */
static void
read_values(Builder *b, float *out, const char *name)
{
    const M2nParameter *p = m2n_parameters_find(b->from->p, name);

    g_assert(p != NULL);
    read_some(b, out, p, 0, p->elements);
}

static char *
join(const char *prefix, const char *name)
{
    return g_strconcat(prefix, ".", name, NULL);
}

/* The parameter <prefix>.<name>, kept as it is. */
static const float *
keep(Builder *b, const char *prefix, const char *name)
{
    g_autofree char *full = join(prefix, name);
    float *out = m2n_arena_floats(b->arena, m2n_parameters_find(b->from->p, full)->elements);

    read_values(b, out, full);
    return out;
}

static M2nNorm
keep_norm(Builder *b, const char *prefix)
{
    M2nNorm norm;

    norm.gamma = keep(b, prefix, "weight");
    norm.beta = keep(b, prefix, "bias");
    return norm;
}

static M2nLinear
keep_linear(Builder *b, const char *prefix)
{
    M2nLinear l;

    l.weight = keep(b, prefix, "weight");
    l.bias = keep(b, prefix, "bias");
    return l;
}

/* ---- folding and packing ---------------------------------------------------------------- */

/* (transfer full) n floats to work with; NULL when measuring or out of memory, which is then reported. */
static float *
work_space(Builder *b, gsize n)
{
    float *space = b->measuring || b->failed ? NULL : g_try_new(float, n);

    if (space == NULL && !b->measuring && !b->failed) {
        b->failed = TRUE;
        g_set_error(b->error, M2N_ERROR, M2N_ERROR_MEMORY,
                    "weights: no memory for %" G_GSIZE_FORMAT " bytes to pack a matrix",
                    n * sizeof(float));
    }
    return space;
}

static M2nStage
keep_stage(Builder *b, const char *prefix, const char *conv, gsize stride)
{
    g_autofree char *conv_name = join(prefix, conv), *norm_name = join(prefix, "norm");
    g_autofree char *weight = join(conv_name, "weight");
    const M2nParameter *p = m2n_parameters_find(b->from->p, weight);
    g_autofree float *w = work_space(b, p->elements);
    float *packed = m2n_arena_floats(
        b->arena, m2n_fused_conv_packed_floats((gsize)p->shape[0], (gsize)p->shape[1], stride));
    M2nStage s = {.weight = packed};

    read_values(b, w, weight);
    if (w != NULL)
        m2n_fused_conv_pack((gsize)p->shape[0], (gsize)p->shape[1], stride, w, packed);
    s.bias = keep(b, conv_name, "bias");
    s.norm = keep_norm(b, norm_name);
    return s;
}

/* What is folded into a 1x1 convolution: y = row (W (column x + shift) + bias + after) */
typedef struct {
    const float *column, *shift; /* [in], or NULL: 1, 0 */
    const float *row, *after;    /* [out], or NULL: 1, 0 */
} Fold;

/* Rows first .. first + n, row by row in loops of one kind each, which the compiler makes vectors of. */
static void
fold(const Fold *f, gsize first, gsize n, gsize in, float *w, float *bias)
{
    for (gsize o = first; o < first + n; o++, w += in) {
        const float row = f->row != NULL ? f->row[o] : 1.0f;
        double sum = (double)bias[o] + (f->after != NULL ? (double)f->after[o] : 0.0);

        if (f->shift != NULL) {
#pragma omp simd reduction(+ : sum)
            for (gsize i = 0; i < in; i++)
                sum += (double)w[i] * (double)f->shift[i];
        }
        for (gsize i = 0; f->column != NULL && i < in; i++)
            w[i] *= f->column[i];
        for (gsize i = 0; f->row != NULL && i < in; i++)
            w[i] *= row;
        bias[o] = (float)((double)row * sum);
    }
}

/* Rows first .. first + n of matrices of `out` rows below each other. */
static void
read_rows(Builder *b, const M2nParameter *const *p, gsize out, gsize in, gsize first, gsize n,
          float *w)
{
    while (n > 0) {
        const gsize row = first % out, now = MIN(n, out - row);

        read_some(b, w, p[first / out], row * in, now * in);
        first += now;
        n -= now;
        w += now * in;
    }
}

/* Matrices of [out][in] below each other as one packed matrix, whose rows are read, folded and packed a few at a
 * time, in L2; `bias` [n * out] is folded with them, or NULL. */
static const float *
pack_stack(Builder *b, gsize n, char *const *names, M2nPrecision precision, gsize out, gsize in,
           const Fold *f, float *bias)
{
    const gsize half = n * out / 2, step = m2n_matrix_step(precision, n * out, in);
    g_autofree const M2nParameter **p = g_new(const M2nParameter *, n);
    g_autofree float *w = work_space(b, 2 * step * in);
    float *packed = m2n_arena_floats(b->arena, m2n_matrix_floats(precision, n * out, in));

    for (gsize i = 0; i < n; i++) {
        p[i] = m2n_parameters_find(b->from->p, names[i]);
        g_assert(p[i] != NULL);
    }
    for (gsize o = 0; o < half && w != NULL && !b->failed; o += step) {
        const gsize rows = MIN(step, half - o);

        for (gsize h = 0; h < 2; h++) {
            read_rows(b, p, out, in, h * half + o, rows, w + h * rows * in);
            if (bias != NULL)
                fold(f, h * half + o, rows, in, w + h * rows * in, bias);
        }
        m2n_matrix_pack(precision, n * out, in, o, rows, w, packed);
    }
    return packed;
}

/* With 8 bits the columns are not folded but kept: see product.h. */
static M2nMatrix
pack_linear(Builder *b, const char *prefix, M2nPrecision precision, gsize out, gsize in, Fold f)
{
    g_autofree char *weight = join(prefix, "weight"), *bias = join(prefix, "bias");
    M2nMatrix m = {precision, out, in, NULL, NULL, NULL, NULL};
    float *kept = m2n_arena_floats(b->arena, out);
    float *columns = m2n_arena_floats(b->arena, precision == M2N_INT8 ? 2 * in : 0);

    read_values(b, kept, bias);
    if (precision == M2N_INT8 && f.column != NULL) {
        m.column = memcpy(columns, f.column, in * sizeof(float));
        m.column_shift = memcpy(columns + in, f.shift, in * sizeof(float));
        f.column = f.shift = NULL;
    }
    m.packed = pack_stack(b, 1, &weight, precision, out, in, &f, kept);
    m.bias = kept;
    return m;
}

/* scale and shift of BatchNorm `which` of a temporal unit; space [6 D]: they are its first two vectors. */
static void
fold_batch_norm(Builder *b, const char *unit, guint which, gsize d, float *space)
{
    static const char *const names[] = {"running_mean", "running_var", "weight", "bias"};

    for (gsize i = 0; i < 4; i++) {
        g_autofree char *name = g_strdup_printf("%s.norm%u.%s", unit, which, names[i]);
        read_values(b, space != NULL ? space + (2 + i) * d : NULL, name);
    }
    if (space != NULL)
        m2n_batch_norm_fold(d, space + 2 * d, space + 3 * d, space + 4 * d, space + 5 * d, space,
                            space + d);
}

static void
build_gated_attention(Builder *b, M2nBlock *block, const char *unit, gsize d)
{
    g_autofree char *proj_1 = join(unit, "attn.proj_1"), *proj_2 = join(unit, "attn.proj_2");
    g_autofree char *gate = join(unit, "attn.spatial_gating_unit");
    g_autofree char *dw5 = join(gate, "conv0"), *dw7 = join(gate, "conv_spatial");
    g_autofree char *conv1 = join(gate, "conv1"), *scale = join(unit, "layer_scale_1");
    g_autofree float *norm = work_space(b, 6 * d), *layer = work_space(b, d);
    float *residual = m2n_arena_floats(b->arena, d);

    fold_batch_norm(b, unit, 1, d, norm);
    read_values(b, layer, scale);
    const Fold first = {.column = norm, .shift = norm != NULL ? norm + d : NULL};
    const Fold second = {.row = layer, .after = first.shift};
    block->proj_1 = pack_linear(b, proj_1, b->from->precision, d, d, first);
    block->dw5 = keep_linear(b, dw5);
    block->dw7 = keep_linear(b, dw7);
    block->conv1 = pack_linear(b, conv1, b->from->precision, d, d, (Fold){0});
    block->proj_2 = pack_linear(b, proj_2, b->from->precision, d, d, second);
    for (gsize c = 0; norm != NULL && layer != NULL && c < d; c++)
        residual[c] = (float)(1.0 + (double)layer[c] * (double)norm[c]);
    block->residual = residual;
}

static void
build_mlp(Builder *b, M2nBlock *block, const char *unit, gsize d)
{
    g_autofree char *fc1 = join(unit, "mlp.fc1"), *fc2 = join(unit, "mlp.fc2");
    g_autofree char *dw3 = join(unit, "mlp.dwconv.dwconv"), *scale = join(unit, "layer_scale_2");
    g_autofree float *norm = work_space(b, 6 * d), *layer = work_space(b, d);

    fold_batch_norm(b, unit, 2, d, norm);
    read_values(b, layer, scale);
    const Fold first = {.column = norm, .shift = norm != NULL ? norm + d : NULL};
    const Fold second = {.row = layer};
    block->fc1 = pack_linear(b, fc1, b->from->precision, 4 * d, d, first);
    block->dw3 = keep_linear(b, dw3);
    block->fc2 = pack_linear(b, fc2, b->from->precision, d, 4 * d, second);
}

/* n matrices [d][d] without bias */
static M2nMatrix
pack_bare(Builder *b, gsize n, char *const *names, gsize d)
{
    const M2nPrecision precision = b->from->precision;

    return (M2nMatrix){precision, n * d, d, pack_stack(b, n, names, precision, d, d, NULL, NULL),
                       NULL,      NULL,  NULL};
}

static void
build_attention(Builder *b, M2nBlock *block, const char *layer, gsize d)
{
    static const char *const names[] = {"q_Conv", "k_Conv", "v_Conv", "v_post_f"};
    M2nNorm *norm[] = {&block->q, &block->k, &block->v, &block->post_norm};
    char *weight[4];

    for (gsize i = 0; i < 4; i++) {
        g_autofree char *p = g_strdup_printf("%s.attn_1.%s.1", layer, names[i]);

        weight[i] = g_strdup_printf("%s.attn_1.%s.0.weight", layer, names[i]);
        *norm[i] = keep_norm(b, p);
    }
    block->qkv = pack_bare(b, 3, weight, d);
    block->post = pack_bare(b, 1, weight + 3, d);
    for (gsize i = 0; i < 4; i++)
        g_free(weight[i]);
}

/* ---- the parts --------------------------------------------------------------------------- */

/* Encoder and decoder of a variable. */
static void
build_coders(Builder *b, M2nModel *m, guint v)
{
    const M2nConfig *c = &m->config;
    g_autofree char *decoder = g_strdup_printf("dec_q_list.%u", v);
    g_autofree char *readout = join(decoder, "readout");

    for (guint i = 0; i < c->N_S; i++) {
        const gboolean up = m2n_config_stride(c->N_S - 1 - i) == 2;
        g_autofree char *enc = g_strdup_printf("enc_q_list.%u.enc.%u.conv", v, i);
        g_autofree char *dec = g_strdup_printf("%s.dec.%u.conv", decoder, i);

        m->encoder[v * c->N_S + i] = keep_stage(b, enc, "conv", m2n_config_stride(i));
        m->decoder[v * c->N_S + i] = keep_stage(b, dec, up ? "conv.0" : "conv", 1);
    }
    m->readout[v] = keep_linear(b, readout);
}

/* First and last product of the translator. */
static void
build_ends(Builder *b, M2nModel *m)
{
    const gsize d = m->config.hid_T, ts = (gsize)m->config.steps * m->config.hid_S;

    m->conv1 = pack_linear(b, "hid_q.conv1", M2N_FLOAT32, d, ts, (Fold){0});
    m->conv2 = pack_linear(b, "hid_q.conv2", M2N_FLOAT32, ts, d, (Fold){0});
}

/* A third of block `layer`. */
static void
build_third(Builder *b, M2nModel *m, guint layer, gsize third)
{
    M2nBlock *block = &m->block[layer];
    const gsize d = m->config.hid_T;
    g_autofree char *name = g_strdup_printf("hid_q.layers.%u", layer);
    g_autofree char *unit = join(name, "ff.ff1");
    g_autofree char *norm_1 = join(name, "norm_1"), *norm_2 = join(name, "norm_2");

    if (third == 0) {
        build_attention(b, block, name, d);
        block->norm_1 = keep_norm(b, norm_1);
        block->norm_2 = keep_norm(b, norm_2);
    } else if (third == 1) {
        build_gated_attention(b, block, unit, d);
    } else {
        build_mlp(b, block, unit, d);
    }
}

gsize
m2n_model_parts(const M2nConfig *c)
{
    return c->variables + 1 + 3 * (gsize)c->N_T;
}

static void
build(Builder *b, M2nModel *m, gsize part)
{
    const gsize v = m->config.variables;

    if (part < v)
        build_coders(b, m, (guint)part);
    else if (part == v)
        build_ends(b, m);
    else
        build_third(b, m, (guint)((part - v - 1) / 3), (part - v - 1) % 3);
}

void
m2n_model_measure_part(M2nModel *m, gsize part, const M2nModelValues *values, M2nArena *measuring)
{
    build(&(Builder){.from = values, .arena = measuring, .measuring = TRUE}, m, part);
}

gboolean
m2n_model_build_part(M2nModel *m, gsize part, const M2nModelValues *values, M2nArena *arena,
                     GError **error)
{
    Builder b = {.from = values, .arena = arena, .error = error};

    build(&b, m, part);
    return !b.failed;
}
