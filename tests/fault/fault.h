/* What the two halves of libm2nfault.so share: fault.c decides which call fails and does memory and
 * threads, fault_files.c does files. */
#pragma once
#include <dlfcn.h>
#include <errno.h>

#define VISIBLE __attribute__((visibility("default")))

typedef enum {
    ALLOC, /* NULL: our own code asks, which has to cope at any size     */
    BIG,   /* NULL: whoever asks for M2N_FAULT_MIN bytes or more          */
    OPEN,  /* EMFILE: the host has no descriptor left            */
    READ,  /* EIO                                               */
    SHORT_READ,
    EINTR_READ,
    WRITE, /* ENOSPC                                            */
    SHORT_WRITE,
    EINTR_WRITE,
    SYNC,   /* EIO                                              */
    RENAME, /* EIO                                              */
    CLOSE,  /* EIO, and the descriptor is closed, as on Linux    */
    MAP,    /* ENOMEM                                           */
    THREAD, /* EAGAIN                                           */
    LOCK,   /* ENOLCK                                           */
    STAT,   /* EIO                                              */
    MKDIR,  /* ENOSPC                                           */
    N_KINDS
} Kind;

/* Counts one call; nonzero when it is the one to fail. */
int fault_fails(Kind kind);
/* Nonzero for a path, or an open file, below M2N_FAULT_ROOT. */
int fault_path_counts(int folder, const char *path);
int fault_fd_counts(int fd);

#define FAIL(kind, code, value)                                                                    \
    do {                                                                                           \
        if (fault_fails(kind)) {                                                                   \
            errno = (code);                                                                        \
            return (value);                                                                        \
        }                                                                                          \
    } while (0)

#define NEXT(name)                                                                                 \
    static __typeof__(name) *real;                                                                 \
    if (real == NULL)                                                                              \
    real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)
