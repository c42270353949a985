/* Encoder and decoder of one image (one variable at one step); inside engine/nn only. */
#pragma once
#include "engine/nn/network.h"

G_BEGIN_DECLS

typedef struct {
    float *image[3]; /* [S][H][W]: one stage's input, its output, and the image before a shuffle */
} M2nCoderScratch;

void m2n_coder_lay_out(M2nCoderScratch *s, const M2nModel *m, M2nArena *arena);

/* x [H][W] -> latent [S][h][w]; (transfer none) inside the scratch */
const float *m2n_encode_image(const M2nModel *m, const M2nCoderScratch *s, guint variable,
                              const float *x);
/* The image's latent [S][h][w] goes where m2n_decoder_input() says; y [H][W]. */
float *m2n_decoder_input(const M2nCoderScratch *s);
void m2n_decode_image(const M2nModel *m, const M2nCoderScratch *s, guint variable, float *y);

G_END_DECLS
