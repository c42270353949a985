/* For LD_PRELOAD under AddressSanitizer: leaks are looked for in our own programs alone.  Python, QGIS, cdo and the
 * rest leak as they please; what our libraries leak in a host shows in the hosts written in C, and what the tools leak
 * without mpirun. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int __lsan_is_turned_off(void);

__attribute__((visibility("default"))) int
__lsan_is_turned_off(void)
{
    const char *build = getenv("M2N_BUILD");
    char program[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);

    /* Open MPI leaves memory behind, and its parts are unloaded before leaks are looked for: no list can name them */
    if (n <= 0 || build == NULL || getenv("OMPI_COMM_WORLD_SIZE") != NULL)
        return 1;
    program[n] = '\0';
    return strncmp(program, build, strlen(build)) != 0;
}
