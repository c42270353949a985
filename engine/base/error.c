#include "engine/base/error.h"

/* G_DEFINE_QUARK keeps it in a plain static, which two threads with an error each race for. */
GQuark
m2n_error_quark(void)
{
    static gsize quark;

    if (g_once_init_enter(&quark))
        g_once_init_leave(&quark, g_quark_from_static_string("m2n-error-quark"));
    return (GQuark)quark;
}
