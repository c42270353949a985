#include "engine/base/peak_memory.h"

#include <string.h>

guint64
m2n_peak_memory(void)
{
    g_autofree char *status = NULL;
    const char *line;

    if (!g_file_get_contents("/proc/self/status", &status, NULL, NULL) ||
        (line = strstr(status, "VmHWM:")) == NULL)
        return 0;
    return g_ascii_strtoull(line + strlen("VmHWM:"), NULL, 10) * 1024;
}
