/* Why GDAL failed, for a message of ours.  Before the call CPLErrorReset() and errno = 0, or it may be an older reason. */
#pragma once
#include <cpl_error.h>
#include <errno.h>
#include <glib.h>

/* Of some failures, memory above all, GDAL says nothing; these are the usual ones then. */
#define M2N_GDAL_READ_SILENT "damaged, or too little memory; GDAL does not tell"
#define M2N_GDAL_WRITE_SILENT "too little memory perhaps; GDAL does not tell"

/* What GDAL said last, good until the thread's next GDAL error; else the likely cause. */
static inline const char *
m2n_gdal_reason(const char *when_silent)
{
    const char *said = CPLGetLastErrorMsg();

    return *said != '\0' ? said : errno == ENOMEM ? g_strerror(ENOMEM) : when_silent;
}
