/* The air over the flow: what the sample's variables are made of. */
#include "samples/weather/air.h"

#include <math.h>
#include <string.h>

#include "samples/weather/climate.h"
#include "samples/weather/earth.h"

#define DAY 86400.0
#define HOUR 3600.0
#define DEGREE (G_PI / 180)
#define FREEZING 273.15
#define ALOFT 1.5  /* wind that carries air masses, to that at 10 m */
#define ICE 271.35 /* where sea water freezes, K */

struct M2nAir {
    M2nSphere *sphere;
    M2nFlow *flow;
    gint64 time;
    gsize points;
    double season;
    double *land, *height;        /* of the ground */
    double *ground;               /* its temperature reduced to sea level, K */
    double *t, *humidity, *cloud; /* air at sea level: K, g/kg, 0..1 */
    double *u, *v;                /* wind of the lower layer */
    double *rise;                 /* m/s, of the flow and the tropics */
    double *tendency, *work;
    M2nComplex *thermal, *pair; /* psi1 - psi2 at the last step; scratch of two */
    M2nClimate *climate;
};

static double
bump(double x, double centre, double width)
{
    const double d = (x - centre) / width;
    return exp(-d * d);
}

static double
smooth(double x, double from, double to)
{
    const double s = CLAMP((x - from) / (to - from), 0, 1);
    return s * s * (3 - 2 * s);
}

/* g of water vapour per kg of saturated air at 1000 hPa (Magnus). */
static double
saturation(double t)
{
    const double e = 611.2 * exp(17.67 * (t - FREEZING) / (t - 29.65));
    return 622 * e / (100000 - 0.378 * e);
}

/* ---- making and freeing ------------------------------------------------------------------------- */

static double *
new_field(const M2nAir *air)
{
    return g_new0(double, air->points);
}

M2nAir *
m2n_air_new(guint truncation, guint64 seed, gint64 time)
{
    const M2nFlowOptions options = M2N_FLOW_OPTIONS_DEFAULT;
    M2nAir *air = g_new0(M2nAir, 1);
    M2nSphere *s = air->sphere = m2n_sphere_new(truncation);

    air->points = (gsize)s->rows * s->columns;
    air->flow = m2n_flow_new(s, &options);
    air->time = time;
    double **fields[] = {&air->land,     &air->height,   &air->ground, &air->t,
                         &air->humidity, &air->cloud,    &air->u,      &air->v,
                         &air->rise,     &air->tendency, &air->work};
    for (gsize i = 0; i < G_N_ELEMENTS(fields); i++)
        *fields[i] = new_field(air);
    air->thermal = g_new0(M2nComplex, s->n_coefficients);
    air->pair = g_new0(M2nComplex, 2 * s->n_coefficients);
    air->season = m2n_earth_season(time);
    for (gsize i = 0; i < air->points; i++) {
        const double latitude = s->latitude[i / s->columns];
        const double longitude = 2 * G_PI * (double)(i % s->columns) / s->columns;
        air->land[i] = m2n_earth_land(latitude, longitude);
        air->height[i] = m2n_earth_height(latitude, longitude);
        air->ground[i] = m2n_earth_sea_temperature(latitude, air->season);
        air->t[i] = air->ground[i] - 1;
        air->humidity[i] = 0.7 * saturation(air->t[i]);
        air->cloud[i] = 0.4;
    }
    air->climate = m2n_climate_new(s, air->land, air->height);
    memcpy(air->flow->orography, m2n_climate_orography(air->climate),
           s->n_coefficients * sizeof(M2nComplex));
    m2n_climate_heating(air->climate, air->season, air->flow->heating);
    for (guint k = 0; k < s->n_coefficients; k++)
        air->flow->psi[0][k] = 0.6 * air->flow->heating[k];
    m2n_flow_disturb(air->flow, seed, 5);
    m2n_flow_invert(air->flow);
    for (guint k = 0; k < s->n_coefficients; k++)
        air->thermal[k] = air->flow->psi[0][k] - air->flow->psi[1][k];
    return air;
}

void
m2n_air_free(M2nAir *air)
{
    if (air == NULL)
        return;
    double *fields[] = {air->land,     air->height,   air->ground, air->t,
                        air->humidity, air->cloud,    air->u,      air->v,
                        air->rise,     air->tendency, air->work};
    for (gsize i = 0; i < G_N_ELEMENTS(fields); i++)
        g_free(fields[i]);
    g_free(air->thermal);
    m2n_climate_free(air->climate);
    g_free(air->pair);
    m2n_flow_free(air->flow);
    m2n_sphere_free(air->sphere);
    g_free(air);
}

/* ---- wind and vertical motion ------------------------------------------------------------------- */

/* Latitude where the trade winds meet; further from the equator over summer's land. */
static double
convergence_latitude(const M2nAir *air, gsize i)
{
    return DEGREE * (4 + (4 + 7 * air->land[i]) * air->season);
}

/* Wind 10 m above the ground: slowed and turned towards low pressure by friction, with the trade winds,
 * which a flow that balances pressure by rotation does not make. */
static void
surface_wind(const M2nAir *air, gsize i, double *u, double *v)
{
    const double latitude = air->sphere->latitude[i / air->sphere->columns];
    const double hemisphere = tanh(latitude / (8 * DEGREE));
    const double speed = 0.60 - 0.22 * air->land[i];
    const double turn = hemisphere * DEGREE * (12 + 16 * air->land[i]);
    const double away = (latitude - convergence_latitude(air, i)) / (12 * DEGREE);
    const double trade = (1 - 0.4 * air->land[i]) * exp(-0.5 * away * away);

    *u = speed * (cos(turn) * air->u[i] - sin(turn) * air->v[i]) - 4.5 * trade * fabs(away) * 1.5;
    *v = speed * (sin(turn) * air->u[i] + cos(turn) * air->v[i]) - 4.5 * trade * away;
}

/* Upward motion between the layers: what keeps temperature and wind in balance, and the tropics' own. */
static void
vertical_motion(M2nAir *air, double seconds)
{
    const M2nSphere *s = air->sphere;
    const M2nFlow *f = air->flow;
    const double scale = f->options.stretching * M2N_LAYER_DEPTH / 1e-4;
    const guint n = s->n_coefficients;
    M2nComplex *middle = air->pair, *change = air->pair + n;

    for (guint k = 0; k < n; k++) {
        const M2nComplex now = f->psi[0][k] - f->psi[1][k];
        middle[k] = 0.5 * (f->psi[0][k] + f->psi[1][k]);
        change[k] =
            (now - air->thermal[k]) / seconds + (now - f->heating[k]) / f->options.relaxation;
        air->thermal[k] = now;
    }
    m2n_flow_advection(f, middle, air->thermal, air->rise);
    m2n_sphere_synthesis(s, M2N_VALUE, change, air->work);
    for (gsize i = 0; i < air->points; i++) {
        const double latitude = s->latitude[i / s->columns];
        const double hemisphere = tanh(latitude / (12 * DEGREE));
        const double meeting = convergence_latitude(air, i);
        const double tropics = 0.008 * bump(latitude, meeting, 6 * DEGREE) -
                               0.003 * bump(latitude, meeting + 22 * DEGREE, 9 * DEGREE) -
                               0.003 * bump(latitude, meeting - 22 * DEGREE, 9 * DEGREE);
        air->rise[i] = -scale * hemisphere * (air->rise[i] + air->work[i]) + tropics;
    }
}

/* ---- transport ---------------------------------------------------------------------------------- */

typedef struct {
    double x, y, z;
} Vector;

static Vector
unit(Vector a)
{
    const double length = sqrt(a.x * a.x + a.y * a.y + a.z * a.z);
    return (Vector){a.x / length, a.y / length, a.z / length};
}

/* Where the air now at point i was `seconds` ago, along the great circle of its wind. */
static M2nStencil
departure(const M2nAir *air, gsize i, double seconds)
{
    const M2nSphere *s = air->sphere;
    const guint row = (guint)(i / s->columns), column = (guint)(i % s->columns);
    const double sin_lat = s->mu[row], cos_lat = sqrt(1 - sin_lat * sin_lat);
    const double cos_lon = s->cosine[s->columns + column], sin_lon = s->sine[s->columns + column];
    double u, v;

    surface_wind(air, i, &u, &v);
    u *= ALOFT * seconds / M2N_EARTH_RADIUS;
    v *= ALOFT * seconds / M2N_EARTH_RADIUS;
    const Vector from = unit((Vector){
        cos_lat * cos_lon + u * sin_lon + v * sin_lat * cos_lon,
        cos_lat * sin_lon - u * cos_lon + v * sin_lat * sin_lon,
        sin_lat - v * cos_lat,
    });
    return m2n_sphere_stencil(s, asin(CLAMP(from.z, -1, 1)), atan2(from.y, from.x));
}

static void
transport(M2nAir *air, double seconds)
{
    double *fields[] = {air->t, air->humidity, air->cloud};
    const gsize n = air->points;
    g_autofree double *moved = g_new(double, 3 * n);

    for (gsize i = 0; i < n; i++) {
        const M2nStencil from = departure(air, i, seconds);
        for (int k = 0; k < 3; k++)
            moved[(gsize)k * n + i] = m2n_stencil_value(&from, fields[k], TRUE);
    }
    for (int k = 0; k < 3; k++)
        memcpy(fields[k], moved + (gsize)k * n, n * sizeof *moved);
}

/* ---- heat and water ----------------------------------------------------------------------------- */

/* Ground at point i: water keeps the season's temperature, ice and land balance their heat. */
static void
warm_ground(M2nAir *air, gsize i, double latitude, double sun, double seconds)
{
    const double sea = m2n_earth_sea_temperature(latitude, air->season);
    const double ice = (1 - smooth(sea, ICE - 1.5, ICE + 1.5)) * (1 - air->land[i]);
    const double solid = air->land[i] + ice;
    const double snow = smooth(air->ground[i], FREEZING + 2, FREEZING - 8);
    const double dry = 0.8 * bump(fabs(latitude), 24 * DEGREE, 10 * DEGREE);
    const double absorbed =
        960 * sun * (0.82 - 0.40 * snow - 0.08 * dry) * (1 - 0.65 * air->cloud[i]);
    const double lost =
        MAX(18, 82 + 1.6 * (air->ground[i] - FREEZING)) * (1 - 0.55 * air->cloud[i]);
    const double lack = MAX(0, saturation(air->ground[i]) - air->humidity[i]);
    const double evaporated = 9 * (1 - dry) * lack;
    const double exchanged = (air->ground[i] > air->t[i] ? 16 : 7) * (air->ground[i] - air->t[i]);
    const double from_below = ice * 4 * (ICE - air->ground[i]);
    const double change = (absorbed - lost - evaporated - exchanged + from_below) / 2.6e5;

    if (solid < 0.02)
        air->ground[i] = sea;
    else
        air->ground[i] += seconds * (solid * change +
                                     (1 - solid) * (MAX(sea, ICE) - air->ground[i]) / (6 * HOUR));
}

static void
warm_air(M2nAir *air, gsize i, double latitude, double seconds)
{
    const double s = sin(latitude - 5 * DEGREE * air->season);
    const double winter = air->season * (latitude > 0 ? -1 : 1);
    const double balance = 299 - (42 + 24 * winter * air->land[i]) * s * s;
    const double difference = air->ground[i] - air->t[i];
    const double contact = (difference > 0 ? 1.4 : 3.5 - 1.5 * air->land[i]) * DAY;
    const double adiabatic = -0.0025 * CLAMP(air->rise[i], -0.02, 0.02);

    air->t[i] += seconds * ((balance - air->t[i]) / (9 * DAY) + difference / contact + adiabatic);
}

static void
moisten(M2nAir *air, gsize i, double latitude, double wind, double seconds)
{
    const double land = air->land[i];
    const double dry = 0.75 * bump(fabs(latitude), 24 * DEGREE, 9 * DEGREE);
    const double wet = land * (0.80 - 0.55 * dry) + (1 - land) * 0.84;
    const double source = wet * saturation(MIN(air->ground[i], air->t[i] + 3));
    const double slow = (land * 2.5 + (1 - land) * 9 / (4 + wind)) * DAY;
    const double capacity = saturation(air->t[i]) * (1 - CLAMP(8 * air->rise[i], -0.2, 0.25));
    const double excess = air->humidity[i] - capacity;

    air->humidity[i] += seconds * (source - air->humidity[i]) / slow;
    if (excess > 0)
        air->humidity[i] -= excess * (1 - exp(-seconds / (4 * HOUR)));
    air->humidity[i] *= 1 - seconds * 12 / DAY * CLAMP(-air->rise[i], 0, 0.02);
    air->humidity[i] = CLAMP(air->humidity[i], 0.02, 1.05 * saturation(air->t[i]));
}

static void
make_cloud(M2nAir *air, gsize i, double seconds)
{
    const double relative = air->humidity[i] / saturation(air->t[i]);
    const double risen = relative + CLAMP(14 * air->rise[i], -0.3, 0.3);
    const double layered = smooth(risen, 0.50, 1.12);
    const double heaped =
        0.7 * air->land[i] * smooth(air->ground[i] - air->t[i], 1, 9) * smooth(relative, 0.35, 0.8);
    const double wanted = 1 - (1 - layered) * (1 - heaped);

    air->cloud[i] += (wanted - air->cloud[i]) * (1 - exp(-seconds / (3 * HOUR)));
}

void
m2n_air_step(M2nAir *air)
{
    const M2nSphere *s = air->sphere;
    const double seconds = M2N_AIR_STEP;
    /* Runge-Kutta is stable up to 2.8: 100 m/s over the smallest wave at truncation 63 is 1.8 */
    const guint substeps = 1 + (s->truncation - 1) / 63;

    air->season = m2n_earth_season(air->time);
    m2n_climate_heating(air->climate, air->season, air->flow->heating);
    for (guint i = 0; i < substeps; i++)
        m2n_flow_step(air->flow, seconds / substeps);
    m2n_flow_wind(air->flow, 1, air->u, air->v);
    vertical_motion(air, seconds);
    transport(air, seconds);
    air->time += M2N_AIR_STEP;
    for (gsize i = 0; i < air->points; i++) {
        const double latitude = s->latitude[i / s->columns];
        const double longitude = 2 * G_PI * (double)(i % s->columns) / s->columns;
        const double sun = m2n_earth_sun(air->time, latitude, longitude);
        double u, v;

        surface_wind(air, i, &u, &v);
        warm_ground(air, i, latitude, sun, seconds);
        warm_air(air, i, latitude, seconds);
        moisten(air, i, latitude, hypot(u, v), seconds);
        make_cloud(air, i, seconds);
    }
}

gint64
m2n_air_time(const M2nAir *air)
{
    return air->time;
}

const M2nFlow *
m2n_air_flow(const M2nAir *air)
{
    return air->flow;
}

/* ---- what a station would see ------------------------------------------------------------------- */

static double
observe(const M2nAir *air, M2nWeather variable, gsize i)
{
    const double near = air->t[i] + (0.25 + 0.3 * air->land[i]) * (air->ground[i] - air->t[i]);
    double u, v;

    surface_wind(air, i, &u, &v);
    switch (variable) {
    case M2N_U10:
        return u;
    case M2N_V10:
        return v;
    case M2N_T2M:
        return near - 0.0055 * air->height[i];
    case M2N_TCC:
        return CLAMP(air->cloud[i], 0, 1);
    case M2N_R:
    default:
        return CLAMP(100 * air->humidity[i] / saturation(near), 1, 100);
    }
}

void
m2n_air_observe(const M2nAir *air, M2nWeather variable, double *grid)
{
    for (gsize i = 0; i < air->points; i++)
        grid[i] = observe(air, variable, i);
}
