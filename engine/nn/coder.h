/* Encoder and decoder of one image (one variable at one step); inside engine/nn only. */
#pragma once
#include "engine/nn/network.h"
#include "engine/ops/fused_conv.h"

G_BEGIN_DECLS

/* Stage i of N_S, in the order they run. */
M2nFusedConv m2n_encoder_stage(const M2nConfig *c, guint i);
M2nFusedConv m2n_decoder_stage(const M2nConfig *c, guint i);

typedef struct {
    float *image[2];      /* [S][H][W]: a stage's input and output, before its norm */
    float *scale, *shift; /* [S]: the norm of the last stage that ran */
    M2nMoments *moments;  /* [2 groups][bands] */
    float *lines;         /* what m2n_fused_conv() needs */
} M2nCoderScratch;

void m2n_coder_lay_out(M2nCoderScratch *s, const M2nModel *m, M2nArena *arena);

/* x [H][W] -> channels [channel, channel + S) of a row of latents in panels, which has `channels`. */
void m2n_encode_image(const M2nModel *m, const M2nCoderScratch *s, guint variable, const float *x,
                      float *row, gsize channels, gsize channel);
/* The way back; y [H][W]. */
void m2n_decode_image(const M2nModel *m, const M2nCoderScratch *s, guint variable, const float *row,
                      gsize channels, gsize channel, float *y);

/* y[p] = bias + sum_c weight[c] silu(scale[c] x[c][p] + shift[c]) */
void m2n_read_out(gsize channels, gsize hw, const float *x, const float *scale, const float *shift,
                  const float *weight, float bias, float *y);

G_END_DECLS
