/* A training checkpoint: its settings, then all the rest into a learner of the seed's sizes.  With the
 * option --write-seed FILE it writes that seed instead. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/train/checkpoint.h"
#include "tests/fuzz/fuzz.h"

#define DATA "the seed's data"

static M2nLearner *learner;
static M2nMoments moments;
static M2nSettings settings = M2N_SETTINGS_DEFAULT;

int LLVMFuzzerInitialize(int *argc, char ***argv);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const M2nTrainPlace place = {
        .epoch = 2, .epoch_step = 3, .step = 23, .best = 0.5, .best_epoch = 1};
    g_autoptr(GError) error = NULL;

    settings.config = (M2nConfig){.steps = 2,
                                  .variables = 1,
                                  .height = 4,
                                  .width = 8,
                                  .hid_S = 4,
                                  .hid_T = 8,
                                  .N_S = 2,
                                  .N_T = 1,
                                  .momentum_ema = 0.9};
    settings.average_weights = 0.99;
    learner = m2n_learner_new(&settings.config, 1, 1, 0, &error);
    g_assert_no_error(error);
    const gsize n = m2n_learner_parameters(learner)->total;
    moments = (M2nMoments){g_new0(float, n), g_new0(float, n), g_new0(float, n)};
    if (*argc < 3 || strcmp((*argv)[1], "--write-seed") != 0)
        return 0;
    const M2nBatchSource source = {.fingerprint = DATA};
    if (!m2n_checkpoint_write((*argv)[2], learner, &moments, &settings, &place, &source, &error))
        g_error("%s", error->message);
    exit(0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = fuzz_write("run.checkpoint.safetensors", data, size);
    M2nTrainPlace place = M2N_TRAIN_PLACE_START;
    M2nSettings s = M2N_SETTINGS_DEFAULT;

    fuzz_check(m2n_checkpoint_settings(path, &s, &error), &error);
    const M2nMoments without = {moments.mean, moments.square, NULL}; /* a run that keeps no average */
    const gboolean ok =
        m2n_checkpoint_read(path, learner, size % 4 > 0 ? &moments : &without, &place, DATA, &error);
    fuzz_check(ok, &error);
    if (ok)
        g_assert_true(place.best >= 0 && place.seconds >= 0);
    return 0;
}
