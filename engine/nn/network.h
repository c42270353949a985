/* What model and session share, inside engine/nn only: the weights by role, and the parts of the forward
 * pass.  Formulas: M2nSession's header. */
#pragma once
#include "engine/base/parallel.h"
#include "engine/nn/parameters.h"

G_BEGIN_DECLS

typedef struct {
    const float *weight, *bias; /* 3x3 convolution */
    const float *gamma, *beta;  /* group norm */
} M2nStage;

typedef struct {
    const float *weight, *gamma, *beta; /* 1x1 convolution without bias, group norm */
} M2nProjection;

typedef struct {
    const float *weight, *bias;
} M2nLinear;

typedef struct {
    M2nProjection q, k, v, post;
    const float *norm_1[2], *norm_2[2]; /* gamma, beta */
    const float *layer_scale[2];        /* of the temporal unit */
    const float *scale[2], *shift[2];   /* its two batch norms, folded */
    M2nLinear proj_1, dw5, dw7, conv1, proj_2, fc1, dw3, fc2;
} M2nBlock;

struct M2nModel {
    gatomicrefcount refs;
    M2nConfig config;
    float *weights;     /* as m2n_parameters_new() */
    float *folded;      /* [N_T][2][2][D] */
    M2nStage *encoder;  /* [V][N_S] */
    M2nStage *decoder;  /* [V][N_S], in the order they run */
    M2nLinear *readout; /* [V] */
    M2nLinear conv1, conv2;
    M2nBlock *block; /* [N_T] */
};

G_END_DECLS
