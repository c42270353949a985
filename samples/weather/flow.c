/* The two-layer flow: spectral in space, Runge-Kutta in time. */
#include "samples/weather/flow.h"

#include <math.h>
#include <string.h>

#include "engine/base/rng.h"

#define A M2N_EARTH_RADIUS

/* Eigenvalue of the Laplacian. */
static double
laplacian(const M2nFlow *f, guint k)
{
    const double n = f->sphere->degree[k];
    return -n * (n + 1) / (A * A);
}

M2nFlow *
m2n_flow_new(const M2nSphere *s, const M2nFlowOptions *options)
{
    const gsize n = s->n_coefficients, points = (gsize)s->rows * s->columns;
    M2nFlow *f = g_new0(M2nFlow, 1);

    f->options = *options;
    f->sphere = s;
    for (int layer = 0; layer < 2; layer++) {
        f->q[layer] = g_new0(M2nComplex, n);
        f->psi[layer] = g_new0(M2nComplex, n);
    }
    f->heating = g_new0(M2nComplex, n);
    f->orography = g_new0(M2nComplex, n);
    f->scratch = g_new0(M2nComplex, 7 * n); /* step(): absolute q, and three pairs */
    f->grid = g_new0(double, 4 * points);
    return f;
}

void
m2n_flow_free(M2nFlow *f)
{
    if (f == NULL)
        return;
    for (int layer = 0; layer < 2; layer++) {
        g_free(f->q[layer]);
        g_free(f->psi[layer]);
    }
    g_free(f->heating);
    g_free(f->orography);
    g_free(f->scratch);
    g_free(f->grid);
    g_free(f);
}

void
m2n_flow_from_psi(M2nFlow *f)
{
    f->psi[0][0] = f->psi[1][0] = 0; /* a constant moves nothing */
    for (guint k = 0; k < f->sphere->n_coefficients; k++) {
        const M2nComplex stretch = f->options.stretching * (f->psi[0][k] - f->psi[1][k]);
        f->q[0][k] = laplacian(f, k) * f->psi[0][k] - stretch;
        f->q[1][k] = laplacian(f, k) * f->psi[1][k] + stretch;
    }
}

void
m2n_flow_invert(M2nFlow *f)
{
    f->psi[0][0] = f->psi[1][0] = 0;
    for (guint k = 1; k < f->sphere->n_coefficients; k++) {
        const double l = laplacian(f, k);
        const M2nComplex sum = (f->q[0][k] + f->q[1][k]) / l;
        const M2nComplex difference = (f->q[0][k] - f->q[1][k]) / (l - 2 * f->options.stretching);
        f->psi[0][k] = 0.5 * (sum + difference);
        f->psi[1][k] = 0.5 * (sum - difference);
    }
}

/* Uniform in [-1, 1); advances *state. */
static double
next_random(guint64 *state)
{
    return (double)(m2n_splitmix64(state) >> 11) * 0x1p-52 - 1;
}

void
m2n_flow_disturb(M2nFlow *f, guint64 seed, double speed)
{
    const M2nSphere *s = f->sphere;
    guint64 state = seed;

    for (guint m = 1; m <= MIN(12, s->truncation); m++)
        for (guint n = m; n <= MIN(15, s->truncation); n++) {
            const double amplitude = 0.08 * speed * A / n;
            const double re = next_random(&state), im = next_random(&state);
            for (int layer = 0; layer < 2; layer++)
                f->psi[layer][s->first[m] + n - m] += amplitude * (re + im * I);
        }
    m2n_flow_from_psi(f);
}

void
m2n_flow_advection(const M2nFlow *f, const M2nComplex *psi, const M2nComplex *q, double *grid)
{
    const M2nSphere *s = f->sphere;
    const gsize points = (gsize)s->rows * s->columns;
    double *psi_x = f->grid, *psi_y = psi_x + points, *q_x = psi_y + points, *q_y = q_x + points;

    m2n_sphere_synthesis(s, M2N_BY_LONGITUDE, psi, psi_x);
    m2n_sphere_synthesis(s, M2N_BY_MU, psi, psi_y);
    m2n_sphere_synthesis(s, M2N_BY_LONGITUDE, q, q_x);
    m2n_sphere_synthesis(s, M2N_BY_MU, q, q_y);
    for (guint j = 0; j < s->rows; j++) {
        const double scale = 1 / (A * A * (1 - s->mu[j] * s->mu[j]));
        for (gsize i = (gsize)j * s->columns; i < (gsize)(j + 1) * s->columns; i++)
            grid[i] = scale * (psi_x[i] * q_y[i] - psi_y[i] * q_x[i]);
    }
}

/* Planetary and orographic vorticity added to a layer's own. */
static void
absolute(const M2nFlow *f, int layer, M2nComplex *out)
{
    memcpy(out, f->q[layer], f->sphere->n_coefficients * sizeof *out);
    out[1] += 2 * M2N_EARTH_ROTATION / sqrt(3); /* P_10 = sqrt(3) mu */
    if (layer == 1)
        for (guint k = 0; k < f->sphere->n_coefficients; k++)
            out[k] += f->orography[k];
}

/* dq[2][n] of the present q and psi. */
static void
tendency(M2nFlow *f, M2nComplex *dq)
{
    const M2nSphere *s = f->sphere;
    const guint n = s->n_coefficients;
    g_autofree double *advection = g_new(double, (gsize)s->rows * s->columns);

    for (int layer = 0; layer < 2; layer++) {
        absolute(f, layer, f->scratch);
        m2n_flow_advection(f, f->psi[layer], f->scratch, advection);
        m2n_sphere_analysis(s, advection, dq + (gsize)layer * n);
    }
    for (guint k = 0; k < n; k++) {
        dq[k] = -dq[k];
        dq[n + k] = -dq[n + k];
        if (f->options.relaxation > 0) {
            const M2nComplex excess = f->psi[0][k] - f->psi[1][k] - f->heating[k];
            dq[k] += f->options.stretching * excess / f->options.relaxation;
            dq[n + k] -= f->options.stretching * excess / f->options.relaxation;
        }
        if (f->options.drag > 0)
            dq[n + k] -= laplacian(f, k) * f->psi[1][k] / f->options.drag;
    }
}

/* q = base + factor * dq, and its psi. */
static void
set_state(M2nFlow *f, const M2nComplex *base, double factor, const M2nComplex *dq)
{
    const guint n = f->sphere->n_coefficients;

    for (guint k = 0; k < n; k++) {
        f->q[0][k] = base[k] + factor * dq[k];
        f->q[1][k] = base[n + k] + factor * dq[n + k];
    }
    m2n_flow_invert(f);
}

void
m2n_flow_step(M2nFlow *f, double seconds)
{
    const guint n = f->sphere->n_coefficients, top = f->sphere->truncation;
    M2nComplex *base = f->scratch + n, *total = base + 2 * n, *dq = total + 2 * n;
    static const double ahead[3] = {0.5, 0.5, 1}, share[4] = {1, 2, 2, 1};

    memcpy(base, f->q[0], n * sizeof *base);
    memcpy(base + n, f->q[1], n * sizeof *base);
    memset(total, 0, 2 * n * sizeof *total);
    for (int stage = 0; stage < 4; stage++) {
        tendency(f, dq);
        for (guint k = 0; k < 2 * n; k++)
            total[k] += share[stage] * dq[k];
        if (stage < 3)
            set_state(f, base, ahead[stage] * seconds, dq);
    }
    set_state(f, base, seconds / 6, total);
    if (f->options.diffusion <= 0)
        return;
    for (guint k = 0; k < n; k++) { /* the eighth power of the gradient, implicit */
        const double ratio = laplacian(f, k) * A * A / -(top * (top + 1.0));
        const double keep = exp(-seconds / f->options.diffusion * pow(ratio, 4));
        f->q[0][k] *= keep;
        f->q[1][k] *= keep;
    }
    m2n_flow_invert(f);
}

void
m2n_flow_wind(const M2nFlow *f, guint layer, double *u, double *v)
{
    const M2nSphere *s = f->sphere;

    m2n_sphere_synthesis(s, M2N_BY_MU, f->psi[layer], u);
    m2n_sphere_synthesis(s, M2N_BY_LONGITUDE, f->psi[layer], v);
    for (guint j = 0; j < s->rows; j++) {
        const double scale = 1 / (A * sqrt(1 - s->mu[j] * s->mu[j]));
        for (gsize i = (gsize)j * s->columns; i < (gsize)(j + 1) * s->columns; i++) {
            u[i] *= -scale;
            v[i] *= scale;
        }
    }
}

/* Mean over the sphere of the product of two fields. */
static double
product(const M2nSphere *s, const M2nComplex *a, const M2nComplex *b)
{
    double sum = 0;

    for (guint k = 0; k < s->n_coefficients; k++)
        sum += (k <= s->truncation ? 1 : 2) * creal(a[k] * conj(b[k]));
    return sum;
}

double
m2n_flow_energy(const M2nFlow *f)
{
    return -0.5 * (product(f->sphere, f->psi[0], f->q[0]) + product(f->sphere, f->psi[1], f->q[1]));
}

double
m2n_flow_enstrophy(const M2nFlow *f)
{
    double sum = 0;

    for (int layer = 0; layer < 2; layer++) {
        absolute(f, layer, f->scratch);
        sum += product(f->sphere, f->scratch, f->scratch);
    }
    return sum;
}
