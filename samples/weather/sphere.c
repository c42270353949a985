/* Spherical harmonic transforms, written for clarity: a Legendre sum and a Fourier sum per row. */
#include "samples/weather/sphere.h"

#include <math.h>
#include <string.h>

/* Newton's iteration for the zeros of the Legendre polynomial, from the usual first guess. */
static void
gaussian_rows(M2nSphere *s)
{
    for (guint j = 0; j < s->rows; j++) {
        double x = cos(G_PI * (j + 0.75) / (s->rows + 0.5)), slope = 1;

        for (int iteration = 0; iteration < 12; iteration++) {
            double p0 = 1, p1 = x;
            for (guint n = 2; n <= s->rows; n++) {
                const double p2 = ((2.0 * n - 1) * x * p1 - (n - 1.0) * p0) / n;
                p0 = p1;
                p1 = p2;
            }
            slope = s->rows * (x * p1 - p0) / (x * x - 1);
            x -= p1 / slope;
        }
        s->mu[j] = x;
        s->latitude[j] = asin(x);
        s->weight[j] = 2 / ((1 - x * x) * slope * slope);
    }
}

static double
epsilon(guint m, guint n)
{
    const double mm = (double)m * m, nn = (double)n * n;
    return sqrt((nn - mm) / (4 * nn - 1));
}

/* mu P_n = e(n+1) P_n+1 + e(n) P_n-1  and  (1 - mu^2) P_n' = (n+1) e(n) P_n-1 - n e(n+1) P_n+1 */
static void
legendre_row(M2nSphere *s, guint j)
{
    const double mu = s->mu[j], cosine = sqrt(1 - mu * mu);
    double *p = s->legendre + (gsize)j * s->n_coefficients;
    double *d = s->derivative + (gsize)j * s->n_coefficients;
    double sectoral = 1; /* P_mm */

    for (guint m = 0; m <= s->truncation; m++) {
        const guint count = s->truncation - m + 1, k = s->first[m];
        double below = 0, here = sectoral;

        for (guint i = 0; i < count; i++) {
            const guint n = m + i;
            const double above = (mu * here - epsilon(m, n) * below) / epsilon(m, n + 1);
            p[k + i] = here;
            d[k + i] = (n + 1.0) * epsilon(m, n) * below - n * epsilon(m, n + 1) * above;
            below = here;
            here = above;
        }
        sectoral *= cosine * sqrt((2 * m + 3.0) / (2 * m + 2.0));
    }
}

M2nSphere *
m2n_sphere_new(guint truncation)
{
    g_assert(truncation >= 5 && truncation <= 170);
    M2nSphere *s = g_new0(M2nSphere, 1);

    s->truncation = truncation;
    s->rows = 2 * ((3 * truncation + 1 + 3) / 4); /* even, so that no row lies on the equator */
    s->columns = 2 * s->rows;
    s->n_coefficients = (truncation + 1) * (truncation + 2) / 2;
    s->first = g_new(guint, truncation + 1);
    s->degree = g_new(guint, s->n_coefficients);
    for (guint m = 0, k = 0; m <= truncation; m++) {
        s->first[m] = k;
        for (guint n = m; n <= truncation; n++)
            s->degree[k++] = n;
    }
    s->latitude = g_new(double, s->rows);
    s->mu = g_new(double, s->rows);
    s->weight = g_new(double, s->rows);
    s->legendre = g_new(double, (gsize)s->rows * s->n_coefficients);
    s->derivative = g_new(double, (gsize)s->rows * s->n_coefficients);
    s->cosine = g_new(double, (gsize)(truncation + 1) * s->columns);
    s->sine = g_new(double, (gsize)(truncation + 1) * s->columns);
    gaussian_rows(s);
    for (guint j = 0; j < s->rows; j++)
        legendre_row(s, j);
    for (guint m = 0; m <= truncation; m++)
        for (guint i = 0; i < s->columns; i++) {
            const double angle = 2 * G_PI * ((m * i) % s->columns) / s->columns;
            s->cosine[m * s->columns + i] = cos(angle);
            s->sine[m * s->columns + i] = sin(angle);
        }
    return s;
}

void
m2n_sphere_free(M2nSphere *s)
{
    if (s == NULL)
        return;
    g_free(s->first);
    g_free(s->degree);
    g_free(s->latitude);
    g_free(s->mu);
    g_free(s->weight);
    g_free(s->legendre);
    g_free(s->derivative);
    g_free(s->cosine);
    g_free(s->sine);
    g_free(s);
}

/* Half way around the globe waves of even m repeat and those of odd m change sign: half a row of each is
 * enough, and half the work. */
static void
add_wave(const M2nSphere *s, guint m, double a, double b, double *restrict half)
{
    const double *restrict cosine = s->cosine + (gsize)m * s->columns;
    const double *restrict sine = s->sine + (gsize)m * s->columns;

    for (guint i = 0; i < s->columns / 2; i++)
        half[i] += a * cosine[i] - b * sine[i];
}

void
m2n_sphere_synthesis(const M2nSphere *s, M2nTerm term, const M2nComplex *c, double *grid)
{
    const double *table = term == M2N_BY_MU ? s->derivative : s->legendre;
    const guint n = s->columns / 2;
    g_autofree double *half = g_new(double, 2 * n); /* even, odd */

    for (guint j = 0; j < s->rows; j++) {
        const double *p = table + (gsize)j * s->n_coefficients;
        double *out = grid + (gsize)j * s->columns;

        memset(half, 0, 2 * n * sizeof *half);
        for (guint m = 0; m <= s->truncation; m++) {
            const guint end = s->first[m] + s->truncation - m;
            double re = 0, im = 0;

#pragma omp simd reduction(+ : re, im)
            for (guint k = s->first[m]; k <= end; k++) {
                re += creal(c[k]) * p[k];
                im += cimag(c[k]) * p[k];
            }
            if (term == M2N_BY_LONGITUDE) {
                const double swap = re;
                re = -(double)m * im;
                im = m * swap;
            }
            add_wave(s, m, m == 0 ? re : 2 * re, m == 0 ? 0 : 2 * im, half + (m % 2) * n);
        }
        for (guint i = 0; i < n; i++) {
            out[i] = half[i] + half[n + i];
            out[n + i] = half[i] - half[n + i];
        }
    }
}

void
m2n_sphere_analysis(const M2nSphere *s, const double *grid, M2nComplex *c)
{
    const guint n = s->columns / 2;
    g_autofree double *half = g_new(double, 2 * n);

    memset(c, 0, s->n_coefficients * sizeof *c);
    for (guint j = 0; j < s->rows; j++) {
        const double *p = s->legendre + (gsize)j * s->n_coefficients;
        const double *row = grid + (gsize)j * s->columns;
        const double scale = 0.5 * s->weight[j] / s->columns;

        for (guint i = 0; i < n; i++) {
            half[i] = row[i] + row[n + i];
            half[n + i] = row[i] - row[n + i];
        }
        for (guint m = 0; m <= s->truncation; m++) {
            const double *x = half + (m % 2) * n;
            const double *cosine = s->cosine + (gsize)m * s->columns;
            const double *sine = s->sine + (gsize)m * s->columns;
            const guint end = s->first[m] + s->truncation - m;
            double re = 0, im = 0;

#pragma omp simd reduction(+ : re, im)
            for (guint i = 0; i < n; i++) {
                re += x[i] * cosine[i];
                im -= x[i] * sine[i];
            }
            const M2nComplex f = scale * (re + im * I);
            for (guint k = s->first[m]; k <= end; k++)
                c[k] += f * p[k];
        }
    }
}

double
m2n_sphere_mean(const M2nSphere *s, const double *grid)
{
    double sum = 0;

    for (guint j = 0; j < s->rows; j++)
        for (guint i = 0; i < s->columns; i++)
            sum += s->weight[j] * grid[(gsize)j * s->columns + i];
    return sum / (2.0 * s->columns);
}

/* Latitude of any row: those beyond a pole are the rows on the other side of it. */
static double
row_latitude(const M2nSphere *s, int row)
{
    if (row < 0)
        return G_PI - s->latitude[-1 - row];
    if (row >= (int)s->rows)
        return -G_PI - s->latitude[2 * (int)s->rows - 1 - row];
    return s->latitude[row];
}

static guint32
point(const M2nSphere *s, int row, int column)
{
    const int n = (int)s->columns;

    if (row < 0 || row >= (int)s->rows) {
        row = row < 0 ? -1 - row : 2 * (int)s->rows - 1 - row;
        column += n / 2;
    }
    return (guint32)(row * n + ((column % n) + n) % n);
}

/* Weights of Lagrange's cubic through x[0..3] at t. */
static void
cubic_weights(const double x[4], double t, double w[4])
{
    for (int i = 0; i < 4; i++) {
        w[i] = 1;
        for (int k = 0; k < 4; k++)
            if (k != i)
                w[i] *= (t - x[k]) / (x[i] - x[k]);
    }
}

M2nStencil
m2n_sphere_stencil(const M2nSphere *s, double latitude, double longitude)
{
    const double column = longitude / (2 * G_PI) * s->columns;
    const int i = (int)floor(column);
    int j = (int)floor((0.5 * G_PI - latitude) / G_PI * s->rows - 0.5);
    double y[4], wx[4], wy[4];
    M2nStencil stencil;

    j = CLAMP(j, -1, (int)s->rows - 1); /* the first guess: Gaussian rows are nearly even */
    while (j < (int)s->rows - 1 && row_latitude(s, j + 1) > latitude)
        j++;
    while (j > -1 && row_latitude(s, j) < latitude)
        j--;
    cubic_weights((const double[4]){-1, 0, 1, 2}, column - i, wx);
    for (int k = 0; k < 4; k++)
        y[k] = row_latitude(s, j - 1 + k);
    cubic_weights(y, latitude, wy);
    for (int k = 0; k < 4; k++)
        for (int l = 0; l < 4; l++) {
            stencil.index[k][l] = point(s, j - 1 + k, i - 1 + l);
            stencil.weight[k][l] = wy[k] * wx[l];
        }
    return stencil;
}

double
m2n_stencil_value(const M2nStencil *stencil, const double *grid, gboolean bounded)
{
    double sum = 0, low = INFINITY, high = -INFINITY;

    for (int k = 0; k < 4; k++)
        for (int l = 0; l < 4; l++)
            sum += stencil->weight[k][l] * grid[stencil->index[k][l]];
    if (!bounded)
        return sum;
    for (int k = 1; k < 3; k++)
        for (int l = 1; l < 3; l++) {
            low = MIN(low, grid[stencil->index[k][l]]);
            high = MAX(high, grid[stencil->index[k][l]]);
        }
    return CLAMP(sum, low, high);
}
