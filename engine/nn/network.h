/* The weights by role, as the forward pass wants them; inside engine/nn only.
 *
 * Matrices are packed in the model's precision (product.h).  Folded into their neighbours when the model is made: batch norm
 * into proj_1 and fc1 (which read what it gives; with 8 bits it stays apart), layer scales into proj_2 and fc2.  With z the input of the
 * temporal unit, BatchNorm1(z) = s z + t and layer scale l, the first residual is then
 *     z + l (P + s z + t) = (1 + l s) z + (l P + l t):   `residual` = 1 + l s, the rest is proj_2's. */
#pragma once
#include "engine/base/arena.h"
#include "engine/base/parallel.h"
#include "engine/nn/model.h"
#include "engine/nn/parameters.h"
#include "engine/nn/product.h"

G_BEGIN_DECLS

typedef struct {
    const float *weight, *bias;
} M2nLinear;

typedef struct {
    const float *gamma, *beta;
} M2nNorm;

typedef struct {
    const float *weight, *bias; /* 3x3 convolution, packed for m2n_fused_conv() */
    M2nNorm norm;
} M2nStage;

typedef struct {
    M2nMatrix qkv, post; /* [3D][D] in this order, [D][D]; without bias */
    M2nNorm q, k, v, post_norm, norm_1, norm_2;
    M2nMatrix proj_1, conv1, proj_2, fc1, fc2;
    M2nLinear dw5, dw7, dw3;
    const float *residual;
} M2nBlock;

struct M2nModel {
    gatomicrefcount refs;
    M2nConfig config;
    M2nPrecision precision;
    M2nArena *arena;        /* owns all numbers */
    M2nStage *encoder;      /* [V][N_S] */
    M2nStage *decoder;      /* [V][N_S], in the order they run */
    M2nLinear *readout;     /* [V] */
    M2nMatrix conv1, conv2; /* first and last: float32 always */
    M2nBlock *block;        /* [N_T] */
};

G_END_DECLS
