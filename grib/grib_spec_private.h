/* What grid sections of both editions are read with.  Octets are numbered from 1, as in the Manual. */
#pragma once
#include "engine/base/error.h"
#include "grib/grib_octets.h"
#include "grib/grib_spec.h"

G_BEGIN_DECLS

#define MAX_POINTS ((gsize)1 << 28) /* 1 GiB of float: refuse a corrupt Ni x Nj before allocating */

static inline guint32
u(const guint8 *s, int octet, int n)
{
    return m2n_octets(s + octet - 1, n);
}

/* Sign and magnitude. */
static inline double
sm(const guint8 *s, int octet, int n)
{
    return (double)m2n_octets_signed(s + octet - 1, n);
}

/* FALSE: M2N_ERROR_FORMAT, always. */
static inline gboolean
fail(const char *what, double value, GError **error)
{
    g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "grid: %s: %.10g", what, value);
    return FALSE;
}

/* FALSE: M2N_ERROR_FORMAT, the section's n octets are fewer. */
static inline gboolean
need(gsize n, gsize octets, GError **error)
{
    return n >= octets || fail("section too short", (double)n, error);
}

/* Flag table 8 of GRIB 1, 3.4 of GRIB 2. */
static inline void
set_scan(M2nGridSpec *g, guint flags)
{
    g->i_negative = (flags & 0x80) != 0;
    g->j_positive = (flags & 0x40) != 0;
    g->j_consecutive = (flags & 0x20) != 0;
    g->alternating = (flags & 0x10) != 0;
}

G_END_DECLS
