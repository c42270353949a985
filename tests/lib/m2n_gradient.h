/* A gradient against central differences of the reference forward. */
#pragma once
#include <string.h>

#include "tests/lib/m2n_test.h"

/* L(data) = sum of what the test projects its output on; may read any of its variables. */
typedef double (*M2nLoss)(gpointer data);

/* dx[n] must be dL/dx, where x is read by loss(data).  Step 1/64 keeps the steps exact in float; the loss
 * is linear or smooth in x, so that the error of the difference is step^2 times the third derivative. */
static inline void
m2n_check_gradient(M2nLoss loss, gpointer data, float *x, const float *dx, gsize n, double atol,
                   double rtol)
{
    const float step = 0x1p-6f;
    g_autofree float *numeric = g_new(float, n);

    for (gsize i = 0; i < n; i++) {
        const float keep = x[i];

        x[i] = keep + step;
        const double up = loss(data), high = (double)x[i];
        x[i] = keep - step;
        const double down = loss(data);
        numeric[i] = (float)((up - down) / (high - (double)x[i]));
        x[i] = keep;
    }
    m2n_assert_close(dx, numeric, n, atol, rtol);
}

static inline double
m2n_dot(const float *a, const float *b, gsize n)
{
    double sum = 0.0;

    for (gsize i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}
