/* M2nConfig: the sizes of one Met2Net.  Symbols as in the paper (arXiv:2507.17189): T steps in = steps
 * out, V variables, H x W grid, S hid_S, D hid_T, L N_T blocks, N_S encoder stages. */
#pragma once
#include "engine/base/safetensors.h"

G_BEGIN_DECLS

#define M2N_HEADS 8

typedef struct {
    guint steps, variables, height, width;
    guint hid_S, hid_T; /* even; a multiple of M2N_HEADS */
    guint N_S, N_T;
    double momentum_ema, drop_path; /* training only */
} M2nConfig;

#define M2N_CONFIG_DEFAULT                                                                         \
    {                                                                                              \
        .steps = 12, .variables = 5, .height = 32, .width = 64, .hid_S = 32, .hid_T = 256,         \
        .N_S = 2, .N_T = 8, .momentum_ema = 0.9, .drop_path = 0.1                                  \
    }

/* From the `config` and `variables` metadata of a model file.  FALSE: M2N_ERROR_FORMAT naming the key,
 * or M2N_ERROR_SHAPE: hid_T not a multiple of 8, grid not divisible by 2^(N_S/2), a size out of range. */
gboolean m2n_config_read(const M2nSafetensors *st, M2nConfig *config, GError **error);
gboolean m2n_config_check(const M2nConfig *config, const char *where, GError **error);
char *m2n_config_to_json(const M2nConfig *config); /* (transfer full) */

/* Stride of encoder stage i (the decoder upsamples in the reverse order): 1, 2, 1, 2 ... */
static inline guint
m2n_config_stride(guint stage)
{
    return stage % 2 ? 2 : 1;
}

/* Latent grid: H and W over 2^(N_S/2). */
static inline guint
m2n_config_shrink(const M2nConfig *c)
{
    return 1u << (c->N_S / 2);
}

G_END_DECLS
