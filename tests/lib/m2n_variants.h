/* Registers one test per built variant of an op: /engine/<op>/<isa>-matches-reference and the like. */
#pragma once
#include "engine/base/cpu.h"

/* `run` gets &table[isa]; variants that were not built are left out, those this CPU cannot run skip. */
#define m2n_test_add_variants(op, what, table, field, run)                                         \
    for (int isa_ = 0; isa_ < M2N_N_ISA; isa_++)                                                   \
        if ((table)[isa_].field != NULL) {                                                         \
            g_autofree char *path_ =                                                               \
                g_strdup_printf("/engine/%s/%s-%s", op, m2n_isa_name((M2nIsa)isa_), what);         \
            g_test_add_data_func(path_, &(table)[isa_], run);                                      \
        }

#define m2n_skip_unless_it_runs(variant)                                                           \
    if (!m2n_isa_runs((variant)->isa)) {                                                           \
        g_test_skip("this CPU lacks the instruction set");                                         \
        return;                                                                                    \
    }
