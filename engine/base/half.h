/* 16-bit floats: IEEE half precision (F16: 5 bits of exponent, 10 of mantissa) and BF16 (8 and 7, the upper
 * half of a float32).  Rounding is to nearest, ties to even; what is too large for F16 becomes infinite;
 * subnormals, infinities and NaN stay what they are. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

float m2n_float_from_f16(guint16 h);
guint16 m2n_f16_from_float(float f);
float m2n_float_from_bf16(guint16 b);
guint16 m2n_bf16_from_float(float f);

G_END_DECLS
