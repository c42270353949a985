/* What met2net-train shows of a run. */
#pragma once
#include "engine/train/trainer.h"
#include "plugin/cli/screen.h"

G_BEGIN_DECLS

/* Sizes, memory and, in a group, who works; once, before the run. */
void m2n_train_show_plan(M2nScreen *screen, const M2nTrainer *t, const M2nBatchSource *source,
                         const M2nGroup *group);
/* After each step and epoch. */
void m2n_train_show(M2nScreen *screen, const M2nTrainState *s);

G_END_DECLS
