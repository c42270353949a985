/* Between our reader and writer and eccodes.  Private to them; eccodes' own header is included by
 * grib_eccodes.c and grib_writer.c alone. */
#pragma once
#include <eccodes.h>

#include "grib/grib_decode.h"

G_BEGIN_DECLS

/* eccodes prints its complaints to stderr.  Between _begin and _end those of the calling thread are dropped, since
 * our own error says the same; other threads' eccodes messages go where they always went.  One thread at a time is in
 * between; the others wait. */
void m2n_eccodes_quiet_begin(void);
void m2n_eccodes_quiet_end(void);

/* Runs `call`, quietly; a failed assertion inside eccodes, which would abort the program, becomes
 * M2N_ERROR_FORMAT (M2N_ERROR_MEMORY that of its allocator) and costs the memory that `call` held. */
gboolean m2n_eccodes_guard(gboolean (*call)(gpointer data, GError **error), gpointer data,
                           GError **error);

typedef gpointer M2nEccodesQuiet;

static inline void
m2n_eccodes_quiet_leave(M2nEccodesQuiet *unused)
{
    (void)unused;
    m2n_eccodes_quiet_end();
}

/* Quiet until the end of the enclosing block. */
#define M2N_ECCODES_QUIET                                                                          \
    __attribute__((cleanup(m2n_eccodes_quiet_leave), unused)) M2nEccodesQuiet quiet_ = NULL;       \
    m2n_eccodes_quiet_begin()

G_DEFINE_AUTOPTR_CLEANUP_FUNC(codes_handle, codes_handle_delete)

G_END_DECLS
