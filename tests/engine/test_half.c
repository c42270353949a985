#include <math.h>
#include <string.h>

#include "engine/base/half.h"

static guint32
bits_of(float f)
{
    guint32 bits;

    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* All 65536 of each kind survive the way there and back, NaN as NaN. */
static void
test_round_trip(void)
{
    for (guint i = 0; i <= 0xFFFF; i++) {
        const guint16 h = (guint16)i;
        const float f = m2n_float_from_f16(h), b = m2n_float_from_bf16(h);

        if (isnan(f))
            g_assert_true(isnan(m2n_float_from_f16(m2n_f16_from_float(f))));
        else
            g_assert_cmpuint(m2n_f16_from_float(f), ==, h);
        if (isnan(b))
            g_assert_true(isnan(m2n_float_from_bf16(m2n_bf16_from_float(b))));
        else
            g_assert_cmpuint(m2n_bf16_from_float(b), ==, h);
    }
}

/* Halfway between two neighbours goes to the even one, a hair to either side to the nearer: all pairs. */
static void
test_ties_to_even(void)
{
    for (guint i = 0; i < 0x7C00; i++) { /* finite F16 and the next above, infinity last */
        const float low = m2n_float_from_f16((guint16)i);
        const float high = i + 1 < 0x7C00 ? m2n_float_from_f16((guint16)(i + 1)) : 65536.0f;
        const float half = low + (high - low) / 2;

        g_assert_cmpuint(m2n_f16_from_float(half), ==, i + i % 2);
        g_assert_cmpuint(m2n_f16_from_float(nextafterf(half, 0)), ==, i);
        g_assert_cmpuint(m2n_f16_from_float(-nextafterf(half, INFINITY)), ==, 0x8000 | (i + 1));
    }
    for (guint i = 0; i < 0x7F80; i++) {
        float half, below, above;

        memcpy(&half, &(guint32){i << 16 | 0x8000}, 4);
        memcpy(&below, &(guint32){i << 16 | 0x7FFF}, 4);
        memcpy(&above, &(guint32){i << 16 | 0x8001}, 4);
        g_assert_cmpuint(m2n_bf16_from_float(half), ==, i + i % 2);
        g_assert_cmpuint(m2n_bf16_from_float(below), ==, i);
        g_assert_cmpuint(m2n_bf16_from_float(-above), ==, 0x8000 | (i + 1));
    }
}

static void
test_known_values(void)
{
    float signalling;

    g_assert_true(m2n_float_from_f16(0x3C00) == 1.0f && m2n_float_from_f16(0xC000) == -2.0f);
    g_assert_true(m2n_float_from_f16(1) == 0x1p-24f && m2n_float_from_f16(0x7BFF) == 65504.0f);
    g_assert_true(m2n_float_from_bf16(0x3F80) == 1.0f && m2n_float_from_bf16(0xC040) == -3.0f);
    g_assert_cmpuint(bits_of(m2n_float_from_f16(0x8000)), ==, 0x80000000u);
    g_assert_true(isinf(m2n_float_from_f16(m2n_f16_from_float(1e6f))));
    /* a NaN all of whose payload is cut off */
    memcpy(&signalling, &(guint32){0x7F800001}, 4);
    g_assert_true(isnan(m2n_float_from_f16(m2n_f16_from_float(signalling))));
    g_assert_true(isnan(m2n_float_from_bf16(m2n_bf16_from_float(signalling))));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/engine/half/known-values", test_known_values);
    g_test_add_func("/engine/half/round-trip", test_round_trip);
    g_test_add_func("/engine/half/ties-to-even", test_ties_to_even);
    return g_test_run();
}
