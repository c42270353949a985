/* How an op picks one of its variants. */
#pragma once
#include "engine/base/cpu.h"

/* The entry `field` of the best variant this machine may use; tables may leave entries empty (no
 * variant was worth its code), the reference never is. */
#define M2N_DISPATCH(table, field)                                                                 \
    ((table)[m2n_isa()].field != NULL ? (table)[m2n_isa()].field                                   \
     : m2n_isa() == M2N_ISA_AVX512 && (table)[M2N_ISA_AVX2].field != NULL                          \
         ? (table)[M2N_ISA_AVX2].field                                                             \
         : (table)[M2N_ISA_SCALAR].field)
