/* What the two files that include eccodes share.  Private to them. */
#pragma once
#include <eccodes.h>
#include <glib.h>

G_BEGIN_DECLS

/* eccodes prints its complaints to stderr.  Between _begin and _end those of the calling thread are kept
 * instead, for our own error; other threads' eccodes messages go where they always went. */
void m2n_eccodes_quiet_begin(void);
void m2n_eccodes_quiet_end(void);

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
