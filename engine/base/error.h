/* One error domain for the whole library.
 *
 * Rule: GError is for what the user or the data can cause.  A caller's bug is g_assert(). */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

#define M2N_ERROR (m2n_error_quark())
GQuark m2n_error_quark(void);

typedef enum {
    M2N_ERROR_IO,        /* open, read, write, seek, disk full                      */
    M2N_ERROR_FORMAT,    /* not ours, corrupt, or a version we do not read          */
    M2N_ERROR_SHAPE,     /* sizes in the data do not fit the model                  */
    M2N_ERROR_UNITS,     /* a quantity came in a unit we will not convert silently  */
    M2N_ERROR_MEMORY,    /* an array whose size comes from the data did not fit     */
    M2N_ERROR_CANCELLED, /* a progress callback returned FALSE                      */
    M2N_ERROR_MISSING,   /* a variable, level or time that is needed is not there   */
    M2N_ERROR_DENIED,    /* a source the security rules do not allow                */
    M2N_ERROR_ARGUMENT,  /* an option's value is out of range or misspelt           */
} M2nError;

G_END_DECLS
