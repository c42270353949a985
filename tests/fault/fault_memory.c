/* The memory and thread half of libm2nfault.so.  What does not fail goes to whoever is next: the C library, or LSan. */
#define _GNU_SOURCE
#include <glib.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fault/fault.h"

/* Until dlsym() has answered; LSan does not know what came from these, and is not asked to free it: dlsym() keeps it. */
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);

static void *(*next_malloc)(size_t);
static void *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);
static void *(*next_aligned_alloc)(size_t, size_t);
static int (*next_posix_memalign)(void **, size_t, size_t);

/* Nonzero while dlsym() itself asks for memory. */
static int
resolving(void)
{
    static _Thread_local int inside;

    if (next_posix_memalign != NULL)
        return 0;
    if (inside)
        return 1;
    inside = 1;
    next_malloc = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
    next_calloc = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "calloc");
    next_realloc = (void *(*)(void *, size_t))dlsym(RTLD_NEXT, "realloc");
    next_aligned_alloc = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "aligned_alloc");
    next_posix_memalign = (int (*)(void **, size_t, size_t))dlsym(RTLD_NEXT, "posix_memalign");
    inside = 0;
    return 0;
}

/* Whether the code at `caller` is the project's: its libraries, its tools, its tests. */
static int
is_ours(const void *caller)
{
    static const char *const parts[] = {"met2net", "MET2NET", "fault_"};
    struct dl_find_object found; /* dladdr() would look for a name as well, which takes long */

    if (_dl_find_object((void *)(uintptr_t)caller, &found) != 0)
        return 0;
    const char *path = found.dlfo_link_map->l_name;
    if (path[0] == '\0')
        path = program_invocation_name;
    const char *slash = strrchr(path, '/');
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(slash != NULL ? slash : path, parts[i]) != NULL)
            return 1;
    return 0;
}

static int
alloc_fails(size_t n, const void *caller)
{
    if (!(n >= fault_big_size() && fault_fails(BIG)) &&
        !(fault_wants(ALLOC) && is_ours(caller) && fault_fails(ALLOC)))
        return 0;
    errno = ENOMEM;
    return 1;
}

VISIBLE void *
malloc(size_t n)
{
    if (resolving())
        return __libc_malloc(n);
    return alloc_fails(n, __builtin_return_address(0)) ? NULL : next_malloc(n);
}

VISIBLE void *
calloc(size_t n, size_t size)
{
    if (resolving())
        return __libc_calloc(n, size);
    return alloc_fails(n * size, __builtin_return_address(0)) ? NULL : next_calloc(n, size);
}

VISIBLE void *
realloc(void *p, size_t n)
{
    resolving();
    return alloc_fails(n, __builtin_return_address(0)) ? NULL : next_realloc(p, n);
}

VISIBLE void *
aligned_alloc(size_t align, size_t n)
{
    resolving();
    return alloc_fails(n, __builtin_return_address(0)) ? NULL : next_aligned_alloc(align, n);
}

VISIBLE int
posix_memalign(void **p, size_t align, size_t n)
{
    resolving();
    return alloc_fails(n, __builtin_return_address(0)) ? ENOMEM : next_posix_memalign(p, align, n);
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

VISIBLE int
pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*start)(void *), void *data)
{
    NEXT(pthread_create);
    if (fault_fails(THREAD))
        return EAGAIN;
    return real(t, a, start, data);
}
