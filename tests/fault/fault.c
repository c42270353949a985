/* libm2nfault.so: makes the n-th call of one kind fail.  For LD_PRELOAD; see README.md.
 *
 *   M2N_FAULT=kind:n    the n-th call of that kind fails;  kind:n+  that one and all after it
 *   M2N_FAULT_ROOT=dir  calls on files count only below this folder
 *   M2N_FAULT_HIT=file  made when the fault happens
 *   M2N_FAULT_MIN=bytes what a big allocation is (default 262144)
 *   M2N_FAULT_LOG=file  at exit, a line per call that counts: kind, number, a hash of the call stack
 *
 * Programs are not told apart from libraries: a failed read of our file inside GDAL or eccodes
 * counts as much as our own. */
#define _GNU_SOURCE
#include <execinfo.h>
#include <fcntl.h>
#include <glib.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/fault/fault.h"

_Static_assert(N_KINDS == 17, "a name for each");
static const char *const names[N_KINDS] = {
    "alloc", "big",         "open",        "read",  "short-read", "eintr-read",
    "write", "short-write", "eintr-write", "fsync", "rename",     "close",
    "mmap",  "thread",      "lock",        "stat",  "mkdir"};
static atomic_ulong calls[N_KINDS];
static Kind chosen = N_KINDS;
static unsigned long chosen_from, chosen_to;
static int counting; /* for the log: then every kind is counted */

#define MOST_CALLS (1u << 19) /* in the log */
#define DEPTH 64
static struct {
    unsigned long number, stack;
    Kind kind;
} logged[MOST_CALLS];
static atomic_uint n_logged;
static size_t alloc_min = 262144;
static const char *hit;
static char root[PATH_MAX];
static size_t root_length;

__attribute__((constructor)) static void
read_environment(void)
{
    const char *fault = getenv("M2N_FAULT"), *folder = getenv("M2N_FAULT_ROOT"),
               *min = getenv("M2N_FAULT_MIN");
    const char *colon = fault != NULL ? strchr(fault, ':') : NULL;

    if (folder != NULL && realpath(folder, root) != NULL)
        root_length = strlen(root);
    counting = getenv("M2N_FAULT_LOG") != NULL;
    hit = getenv("M2N_FAULT_HIT");
    if (min != NULL)
        alloc_min = strtoul(min, NULL, 10);
    for (int i = 0; colon != NULL && i < N_KINDS; i++)
        if (strlen(names[i]) == (size_t)(colon - fault) &&
            strncmp(names[i], fault, strlen(names[i])) == 0) {
            chosen_from = strtoul(colon + 1, NULL, 10);
            chosen_to = colon[strlen(colon) - 1] == '+' ? ULONG_MAX : chosen_from;
            chosen = (Kind)i;
        }
}

/* By system calls, for the functions of this file stand in for the library's. */
__attribute__((destructor)) static void
write_log(void)
{
    const char *path = getenv("M2N_FAULT_LOG");
    const unsigned n = n_logged < MOST_CALLS ? n_logged : MOST_CALLS;
    char line[96];

    if (path == NULL)
        return;
    counting = 0;
    const long fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    for (unsigned i = 0; i < n; i++) {
        const int length = snprintf(line, sizeof line, "%s %lu %lx\n", names[logged[i].kind],
                                    logged[i].number, logged[i].stack);
        syscall(SYS_write, fd, line, length);
    }
    syscall(SYS_close, fd);
}

static void
log_call(Kind kind, unsigned long number)
{
    static _Thread_local int inside; /* the unwinder may ask for memory */
    void *frames[DEPTH];
    unsigned long hash = 14695981039346656037u; /* FNV-1a over the return addresses */

    if (inside)
        return;
    inside = 1;
    const int depth = backtrace(frames, DEPTH);
    for (int i = 2; i < depth; i++)
        hash = (hash ^ (unsigned long)frames[i]) * 1099511628211u;
    const unsigned at = atomic_fetch_add(&n_logged, 1);
    if (at < MOST_CALLS) {
        logged[at].kind = kind;
        logged[at].number = number;
        logged[at].stack = hash;
    }
    inside = 0;
}

int
fault_fails(Kind kind)
{
    const unsigned long n = atomic_fetch_add(&calls[kind], 1) + 1;

    if (counting)
        log_call(kind, n);
    if (kind != chosen || n < chosen_from || n > chosen_to)
        return 0;
    if (hit != NULL)
        syscall(SYS_close, syscall(SYS_openat, AT_FDCWD, hit, O_WRONLY | O_CREAT, 0600));
    return 1;
}

static int
below_root(const char *path)
{
    return root_length > 0 && strncmp(path, root, root_length) == 0 &&
           (path[root_length] == '/' || path[root_length] == '\0');
}

int
fault_path_counts(int folder, const char *path)
{
    char where[PATH_MAX], link[64];

    if (root_length == 0 || path[0] == '/')
        return below_root(path);
    if (folder == AT_FDCWD)
        return getcwd(where, sizeof where) != NULL && below_root(where);
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    const ssize_t n = readlink(link, where, sizeof where - 1);
    where[n > 0 ? n : 0] = '\0';
    return below_root(where);
}

int
fault_fd_counts(int fd)
{
    return fd > 2 && fault_path_counts(fd, "");
}

/* ---- memory -------------------------------------------------------------------------------------
 */

/* dlsym() itself allocates, so the C library's own entries are used rather than RTLD_NEXT. */
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t align, size_t n);

/* Whether the code at `caller` is the project's: its libraries, its tools, its tests. */
static int
is_ours(const void *caller)
{
    static const char *const parts[] = {"met2net", "MET2NET", "fault_"};
    Dl_info info;

    if (dladdr(caller, &info) == 0 || info.dli_fname == NULL)
        return 0;
    const char *slash = strrchr(info.dli_fname, '/');
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(slash != NULL ? slash : info.dli_fname, parts[i]) != NULL)
            return 1;
    return 0;
}

static int
alloc_fails(size_t n, const void *caller)
{
    if (!(n >= alloc_min && fault_fails(BIG)) &&
        !((chosen == ALLOC || counting) && is_ours(caller) && fault_fails(ALLOC)))
        return 0;
    errno = ENOMEM;
    return 1;
}

VISIBLE void *
malloc(size_t n)
{
    return alloc_fails(n, __builtin_return_address(0)) ? NULL : __libc_malloc(n);
}

VISIBLE void *
calloc(size_t n, size_t size)
{
    return alloc_fails(n * size, __builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}

VISIBLE void *
realloc(void *p, size_t n)
{
    return alloc_fails(n, __builtin_return_address(0)) ? NULL : __libc_realloc(p, n);
}

VISIBLE void *
aligned_alloc(size_t align, size_t n)
{
    return alloc_fails(n, __builtin_return_address(0)) ? NULL : __libc_memalign(align, n);
}

VISIBLE int
posix_memalign(void **p, size_t align, size_t n)
{
    if (alloc_fails(n, __builtin_return_address(0)))
        return ENOMEM;
    *p = __libc_memalign(align, n);
    return *p == NULL ? ENOMEM : 0;
}

#define TRY(name, parameters, arguments)                                                           \
    VISIBLE void *name parameters                                                                  \
    {                                                                                              \
        NEXT(name);                                                                                \
        if (fault_fails(ALLOC))                                                                    \
            return NULL;                                                                           \
        return real arguments;                                                                     \
    }                                                                                              \
    extern int m2n_fault_needs_semicolon

TRY(g_try_malloc, (size_t n), (n));
TRY(g_try_malloc0, (size_t n), (n));
TRY(g_try_malloc_n, (size_t n, size_t size), (n, size));
TRY(g_try_malloc0_n, (size_t n, size_t size), (n, size));
TRY(g_try_realloc, (void *p, size_t n), (p, n));
TRY(g_try_realloc_n, (void *p, size_t n, size_t size), (p, n, size));

/* ---- threads --- */

VISIBLE int
pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*start)(void *), void *data)
{
    NEXT(pthread_create);
    if (fault_fails(THREAD))
        return EAGAIN;
    return real(t, a, start, data);
}
