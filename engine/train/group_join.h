/* How the processes that a launcher (mpirun, srun) started together find each other: over MPI where it is
 * built in (group_mpi.c), else not at all (group_none.c). */
#pragma once
#include "engine/base/group.h"

G_BEGIN_DECLS

/* *group (transfer full, m2n_group_leave()): NULL when this process was started alone; MPI is then not touched.
 * FALSE: M2N_ERROR_ARGUMENT: several were started, but without MPI, or by the launcher of another MPI. */
gboolean m2n_group_join(M2nGroup **group, GError **error);
/* "Open MPI v4.1.4 ..."; NULL: built without. */
const char *m2n_group_library(void);

G_END_DECLS
