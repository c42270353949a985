/* Built without MPI. */
#include "engine/base/error.h"
#include "engine/train/group_join.h"

gboolean
m2n_group_join(M2nGroup **group, GError **error)
{
    *group = NULL;
    if (m2n_group_launched() == 1)
        return TRUE;
    g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                "several processes were started together, but this program was built without MPI "
                "(Meson option mpi, Debian package libopenmpi-dev)");
    return FALSE;
}

const char *
m2n_group_library(void)
{
    return NULL;
}
