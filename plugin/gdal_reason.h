/* Why GDAL failed, for a message of ours, and whether it did. */
#pragma once
#include <cpl_error.h>
#include <errno.h>
#include <glib.h>

/* Of some failures, memory above all, GDAL says nothing; these are the usual ones then. */
#define M2N_GDAL_READ_SILENT "damaged, or too little memory; GDAL does not tell"
#define M2N_GDAL_WRITE_SILENT "too little memory perhaps; GDAL does not tell"

/* Before the calls of GDAL in question, or the reason may be an older one.  CPLPopErrorHandler() after them. */
static inline void
m2n_gdal_try(void)
{
    CPLErrorReset();
    errno = 0;
    CPLPushErrorHandler(CPLQuietErrorHandler);
}

/* A file that may be there could not be opened.  To GDAL a chunk of a Zarr array that is not there is fill values, and one that
 * it cannot open is not there; what describes an array likewise.  A later file that is really not there may hide it. */
static inline gboolean
m2n_gdal_file_missed(void)
{
    return errno == EMFILE || errno == ENFILE || errno == EACCES || errno == ELOOP || errno == EIO;
}

/* What GDAL said last, good until the thread's next GDAL error; else the likely cause. */
static inline const char *
m2n_gdal_reason(const char *when_silent)
{
    const char *said = CPLGetLastErrorMsg();

    return *said != '\0' ? said : errno == ENOMEM || m2n_gdal_file_missed() ? g_strerror(errno) : when_silent;
}
