/* 16-bit floats by their bits. */
#include "engine/base/half.h"

#include <math.h>
#include <string.h>

#define SIGN 0x80000000u

static float
float_from_bits(guint32 bits)
{
    float f;

    memcpy(&f, &bits, sizeof f);
    return f;
}

static guint32
bits_of(float f)
{
    guint32 bits;

    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* bits / 2^drop, to nearest, ties to even */
static guint32
round_bits(guint32 bits, guint drop)
{
    return (bits + (1u << (drop - 1)) - 1 + (bits >> drop & 1)) >> drop;
}

float
m2n_float_from_f16(guint16 h)
{
    const guint32 sign = (guint32)(h & 0x8000u) << 16, exponent = (h >> 10) & 31u, m = h & 1023u;

    if (exponent == 31)
        return float_from_bits(sign | 0x7F800000u | m << 13);
    if (exponent == 0) {
        const float tiny = (float)m * 0x1p-24f;
        return sign != 0 ? -tiny : tiny;
    }
    return float_from_bits(sign | (exponent + 112u) << 23 | m << 13);
}

guint16
m2n_f16_from_float(float f)
{
    const guint32 bits = bits_of(f), sign = (bits & SIGN) >> 16, magnitude = bits & ~SIGN;

    if (isnan(f)) /* the quiet bit keeps a payload that is cut to nothing from becoming infinity */
        return (guint16)(sign | 0x7E00u | (magnitude >> 13 & 1023u));
    if (magnitude >= bits_of(65520.0f))
        return (guint16)(sign | 0x7C00u);
    if (magnitude < bits_of(0x1p-14f)) /* subnormal: a count of 2^-24 */
        return (guint16)(sign | (guint32)lrintf(fabsf(f) * 0x1p24f));
    return (guint16)(sign | (round_bits(magnitude, 13) - (112u << 10)));
}

float
m2n_float_from_bf16(guint16 b)
{
    return float_from_bits((guint32)b << 16);
}

guint16
m2n_bf16_from_float(float f)
{
    const guint32 bits = bits_of(f);

    return (guint16)(isnan(f) ? bits >> 16 | 0x40u : round_bits(bits, 16));
}
