/* M2nAir: temperature, humidity and cloud carried by the flow, over ground that the sun warms.
 *
 * Tracers live on the sphere's grid and move with the low-level wind (semi-Lagrangian, cubic, bounded).
 * Land heats by day and cools at night under the clouds there are; water keeps its seasonal temperature;
 * air exchanges heat and moisture with what is below it, rises and sinks as the flow and the tropical
 * overturning say, and clouds form and rain out where it is moist and rises. */
#pragma once
#include "samples/weather/flow.h"

typedef enum { M2N_U10, M2N_V10, M2N_T2M, M2N_TCC, M2N_R, M2N_N_WEATHER } M2nWeather;

typedef struct M2nAir M2nAir;

/* (transfer full) A sphere, its flow (seeded) and its air at `time` (UTC seconds since 1970), not yet spun
 * up.  truncation: 21, 31, 42, ... */
M2nAir *m2n_air_new(guint truncation, guint64 seed, gint64 time);
void m2n_air_free(M2nAir *air);

#define M2N_AIR_STEP 1800 /* s */
/* One step of flow and air. */
void m2n_air_step(M2nAir *air);
gint64 m2n_air_time(const M2nAir *air);
const M2nFlow *m2n_air_flow(const M2nAir *air); /* (transfer none) */

/* One weather variable now, on the sphere's own grid [rows][columns]: m/s, m/s, K, 0..1, %. */
void m2n_air_observe(const M2nAir *air, M2nWeather variable, double *grid);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nAir, m2n_air_free)
