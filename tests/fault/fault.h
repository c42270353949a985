/* What the parts of libm2nfault.so share: fault.c decides which call fails, fault_memory.c does memory and threads,
 * fault_files.c files. */
#pragma once
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>

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
    UNLINK, /* EROFS                                            */
    ROOM,   /* the file system says that one block is free        */
    LIST,   /* EIO: readdir(), which tells by errno alone          */
    N_KINDS
} Kind;

/* Nonzero when a call of that kind has to be counted at all. */
int fault_wants(Kind kind);
/* Counts one call; nonzero when it is the one to fail. */
int fault_fails(Kind kind);
/* Nonzero for a path, or an open file, below M2N_FAULT_ROOT. */
int fault_path_counts(int folder, const char *path);
int fault_fd_counts(int fd);
/* A line in M2N_FAULT_TRACE: what is done to that file, by descriptor or by name. */
void fault_trace(const char *what, int fd, const char *path);
/* Octets; what kind BIG is about. */
size_t fault_big_size(void);
/* From now on nothing fails.  A host finds it with dlsym(). */
VISIBLE void m2n_fault_off(void);

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
