/* libm2nfault.so: makes the n-th call of one kind fail.  For LD_PRELOAD; see README.md.
 *
 *   M2N_FAULT=kind:n    the n-th call of that kind fails;  kind:n+  that one and all after it
 *   M2N_FAULT_ROOT=dir  calls on files count only below this folder
 *   M2N_FAULT_MIN=bytes what a big allocation is (default 262144)
 *   M2N_FAULT_LOG=file  at exit, one line per kind: name, calls, failed calls
 *
 * Programs are not told apart from libraries: a failed read of our file inside GDAL or eccodes
 * counts as much as our own. */
#define _GNU_SOURCE
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
static atomic_ulong calls[N_KINDS], failed[N_KINDS];
static Kind chosen = N_KINDS;
static unsigned long chosen_from, chosen_to;
static int counting; /* for the log: then every kind is counted */
static size_t alloc_min = 262144;
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
    char text[N_KINDS * 64];
    size_t n = 0;

    if (path == NULL)
        return;
    for (int i = 0; i < N_KINDS; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s %lu %lu\n", names[i], calls[i],
                              failed[i]);
    const long fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    syscall(SYS_write, fd, text, n);
    syscall(SYS_close, fd);
}

int
fault_fails(Kind kind)
{
    const unsigned long n = atomic_fetch_add(&calls[kind], 1) + 1;

    if (kind != chosen || n < chosen_from || n > chosen_to)
        return 0;
    atomic_fetch_add(&failed[kind], 1);
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
