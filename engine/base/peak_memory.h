/* How much memory this process has held at most. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

/* Bytes resident at the peak since the program was started; 0 where the system does not tell.  Not getrusage():
 * its ru_maxrss begins with that of the program which started this one. */
guint64 m2n_peak_memory(void);

G_END_DECLS
