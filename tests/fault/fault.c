/* libm2nfault.so: makes the n-th call of one kind fail.  For LD_PRELOAD; see README.md.
 *
 *   M2N_FAULT=kind:n    the n-th call of that kind fails;  kind:n+  that one and all after it
 *   M2N_FAULT_ROOT=dir  calls on files count only below this folder
 *   M2N_FAULT_HIT=file  made when the fault happens
 *   M2N_FAULT_MIN=bytes what a big allocation is (default 262144)
 *   M2N_FAULT_LOG=file  at exit, a line per call that counts: kind, number, a hash of the call stack
 *   M2N_FAULT_LEFT=file at exit, a line per file below the root that is still open
 *   M2N_FAULT_TRACE=f   as it goes, a line for each thing done to a file below the root: "write", "fsync", "mkdir", or
 *                       "from" and "to" of a rename, and the name
 *   M2N_FAULT_RANK=n    only in that process of several that mpirun started
 *
 * Programs are not told apart from libraries: a failed read of our file inside GDAL or eccodes
 * counts as much as our own. */
#define _GNU_SOURCE
#include <dirent.h>
#include <execinfo.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/fault/fault.h"

_Static_assert(N_KINDS == 20, "a name for each");
static const char *const names[N_KINDS] = {
    "alloc",       "big",         "open",  "read",   "short-read", "eintr-read", "write",
    "short-write", "eintr-write", "fsync", "rename", "close",      "mmap",       "thread",
    "lock",        "stat",        "mkdir", "unlink", "room", "readdir"};
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
static size_t big_size = 262144;
static const char *hit;
static char root[PATH_MAX];
static size_t root_length;

static int
below_root(const char *path)
{
    return root_length > 0 && strncmp(path, root, root_length) == 0 &&
           (path[root_length] == '/' || path[root_length] == '\0');
}

static int
other_rank(void)
{
    const char *wanted = getenv("M2N_FAULT_RANK"), *rank = getenv("OMPI_COMM_WORLD_RANK");

    if (rank == NULL)
        rank = getenv("PMI_RANK");
    return wanted != NULL && (rank == NULL || strcmp(wanted, rank) != 0);
}

__attribute__((constructor)) static void
read_environment(void)
{
    const char *fault = getenv("M2N_FAULT"), *folder = getenv("M2N_FAULT_ROOT"),
               *min = getenv("M2N_FAULT_MIN");
    const char *colon = fault != NULL ? strchr(fault, ':') : NULL;

    if (other_rank())
        return;
    if (folder != NULL && realpath(folder, root) != NULL)
        root_length = strlen(root);
    counting = getenv("M2N_FAULT_LOG") != NULL;
    hit = getenv("M2N_FAULT_HIT");
    if (min != NULL)
        big_size = strtoul(min, NULL, 10);
    for (int i = 0; colon != NULL && i < N_KINDS; i++)
        if (strlen(names[i]) == (size_t)(colon - fault) &&
            strncmp(names[i], fault, strlen(names[i])) == 0) {
            chosen_from = strtoul(colon + 1, NULL, 10);
            chosen_to = colon[strlen(colon) - 1] == '+' ? ULONG_MAX : chosen_from;
            chosen = (Kind)i;
        }
}

void
m2n_fault_off(void)
{
    chosen = N_KINDS;
    counting = 0;
}

/* By system calls, for the functions of this library stand in for the C library's. */
static int
new_file(const char *path)
{
    return (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
}

static void
write_calls(const char *path)
{
    const unsigned n = n_logged < MOST_CALLS ? n_logged : MOST_CALLS;
    const int fd = new_file(path);
    char line[96];

    for (unsigned i = 0; i < n; i++) {
        const int length = snprintf(line, sizeof line, "%s %lu %lx\n", names[logged[i].kind],
                                    logged[i].number, logged[i].stack);
        syscall(SYS_write, fd, line, length);
    }
    syscall(SYS_close, fd);
}

static void
write_open_files(const char *path)
{
    DIR *dir = opendir("/proc/self/fd");
    const int fd = new_file(path);
    char link[300], target[PATH_MAX + 1];

    for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        snprintf(link, sizeof link, "/proc/self/fd/%s", e->d_name);
        const ssize_t n = readlink(link, target, PATH_MAX);
        target[n > 0 ? n : 0] = '\0';
        if (atoi(e->d_name) <= 2 || atoi(e->d_name) == fd || !below_root(target))
            continue;
        target[n] = '\n';
        syscall(SYS_write, fd, target, (size_t)n + 1);
    }
    if (dir != NULL)
        closedir(dir);
    syscall(SYS_close, fd);
}

__attribute__((destructor)) static void
at_exit(void)
{
    const char *calls_to = getenv("M2N_FAULT_LOG"), *left_to = getenv("M2N_FAULT_LEFT");

    m2n_fault_off();
    if (calls_to != NULL && !other_rank())
        write_calls(calls_to);
    if (left_to != NULL && !other_rank())
        write_open_files(left_to);
}

/* The same in every run, wherever libraries were loaded: an FNV-1a of each caller's library and place in it. */
static unsigned long
hash_of_stack(void *const *frames, int n)
{
    unsigned long hash = 14695981039346656037u;
    struct dl_find_object found;

    for (int i = 0; i < n; i++) {
        if (_dl_find_object(frames[i], &found) != 0)
            continue;
        for (const char *c = found.dlfo_link_map->l_name; *c != '\0'; c++)
            hash = (hash ^ (unsigned char)*c) * 1099511628211u;
        hash = (hash ^ (unsigned long)((char *)frames[i] - (char *)found.dlfo_map_start)) *
               1099511628211u;
    }
    return hash;
}

static void
log_call(Kind kind, unsigned long number)
{
    static _Thread_local int inside; /* the unwinder may ask for memory */
    void *frames[DEPTH];

    if (inside)
        return;
    inside = 1;
    const int depth = backtrace(frames, DEPTH);
    const unsigned long hash = hash_of_stack(frames + 2, depth - 2);
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

void
fault_trace(const char *what, int fd, const char *path)
{
    const char *trace = getenv("M2N_FAULT_TRACE");
    char link[64], name[PATH_MAX] = "", line[PATH_MAX + 32];

    if (trace == NULL || (path != NULL && !fault_path_counts(AT_FDCWD, path)))
        return;
    if (path != NULL) {
        if (path[0] != '/' && getcwd(name, sizeof name - 1) != NULL)
            strcat(name, "/");
        strncat(name, path, sizeof name - strlen(name) - 1);
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        const ssize_t n = readlink(link, name, sizeof name - 1);
        name[n > 0 ? n : 0] = '\0';
    }
    const int length = snprintf(line, sizeof line, "%s %s\n", what, name);
    const long to = syscall(SYS_openat, AT_FDCWD, trace, O_WRONLY | O_CREAT | O_APPEND, 0600);
    syscall(SYS_write, to, line, length);
    syscall(SYS_close, to);
}

size_t
fault_big_size(void)
{
    return big_size;
}

int
fault_wants(Kind kind)
{
    return chosen == kind || counting;
}

int
fault_fd_counts(int fd)
{
    return fd > 2 && fault_path_counts(fd, "");
}
