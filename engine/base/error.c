#include "engine/base/error.h"

/* clang-format off */
G_DEFINE_QUARK(m2n-error-quark, m2n_error)
/* clang-format on */
