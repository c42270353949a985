/* The file half of libm2nfault.so. */
#undef _FILE_OFFSET_BITS /* or open() would be another name for open64() */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/fault/fault.h"

#define OPEN_CALL(name)                                                                            \
    VISIBLE int name(const char *path, int flags, ...)                                             \
    {                                                                                              \
        va_list more;                                                                              \
        va_start(more, flags);                                                                     \
        const int mode = va_arg(more, int);                                                        \
        va_end(more);                                                                              \
        if (fault_path_counts(AT_FDCWD, path))                                                     \
            FAIL(OPEN, EMFILE, -1);                                                                \
        return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);                              \
    }                                                                                              \
    extern int m2n_fault_needs_semicolon

OPEN_CALL(open);
OPEN_CALL(open64);

#define OPENAT_CALL(name)                                                                          \
    VISIBLE int name(int folder, const char *path, int flags, ...)                                 \
    {                                                                                              \
        va_list more;                                                                              \
        va_start(more, flags);                                                                     \
        const int mode = va_arg(more, int);                                                        \
        va_end(more);                                                                              \
        if (fault_path_counts(folder, path))                                                       \
            FAIL(OPEN, EMFILE, -1);                                                                \
        return (int)syscall(SYS_openat, folder, path, flags, mode);                                \
    }                                                                                              \
    extern int m2n_fault_needs_semicolon

OPENAT_CALL(openat);
OPENAT_CALL(openat64);

#define FOPEN_CALL(name)                                                                           \
    VISIBLE FILE *name(const char *path, const char *mode)                                         \
    {                                                                                              \
        NEXT(name);                                                                                \
        if (fault_path_counts(AT_FDCWD, path))                                                     \
            FAIL(OPEN, EMFILE, NULL);                                                              \
        return real(path, mode);                                                                   \
    }                                                                                              \
    extern int m2n_fault_needs_semicolon

FOPEN_CALL(fopen);
FOPEN_CALL(fopen64);

VISIBLE int
renameat2(int a, const char *from, int b, const char *to, unsigned flags)
{
    if (fault_path_counts(a, from))
        FAIL(RENAME, EIO, -1);
    fault_trace("from", -1, from);
    fault_trace("to", -1, to);
    return (int)syscall(SYS_renameat2, a, from, b, to, flags);
}

VISIBLE DIR *
opendir(const char *path)
{
    NEXT(opendir);
    if (fault_path_counts(AT_FDCWD, path))
        FAIL(OPEN, EMFILE, NULL);
    return real(path);
}

#define READDIR_CALL(name, type)                                                                   \
    VISIBLE type *name(DIR *folder)                                                                \
    {                                                                                              \
        NEXT(name);                                                                                \
        if (fault_fd_counts(dirfd(folder)))                                                        \
            FAIL(LIST, EIO, NULL);                                                                 \
        return real(folder);                                                                       \
    }                                                                                              \
    extern int m2n_fault_needs_semicolon

READDIR_CALL(readdir, struct dirent);
READDIR_CALL(readdir64, struct dirent64);

/* One read: fails, is cut short, or is interrupted. */
#define READ_FAULTS(fd, n)                                                                         \
    do {                                                                                           \
        if (fault_fd_counts(fd)) {                                                                 \
            FAIL(READ, EIO, -1);                                                                   \
            FAIL(EINTR_READ, EINTR, -1);                                                           \
            if (n > 1 && fault_fails(SHORT_READ))                                                  \
                n = (n + 1) / 2;                                                                   \
        }                                                                                          \
    } while (0)

#define WRITE_FAULTS(fd, n)                                                                        \
    do {                                                                                           \
        if (fault_fd_counts(fd)) {                                                                 \
            FAIL(WRITE, ENOSPC, -1);                                                               \
            FAIL(EINTR_WRITE, EINTR, -1);                                                          \
            if (n > 1 && fault_fails(SHORT_WRITE))                                                 \
                n = (n + 1) / 2;                                                                   \
            fault_trace("write", fd, NULL);                                                        \
        }                                                                                          \
    } while (0)

VISIBLE ssize_t
read(int fd, void *p, size_t n)
{
    READ_FAULTS(fd, n);
    return syscall(SYS_read, fd, p, n);
}

VISIBLE ssize_t
pread(int fd, void *p, size_t n, off_t at)
{
    READ_FAULTS(fd, n);
    return syscall(SYS_pread64, fd, p, n, at);
}

VISIBLE ssize_t
pread64(int fd, void *p, size_t n, off64_t at)
{
    READ_FAULTS(fd, n);
    return syscall(SYS_pread64, fd, p, n, at);
}

/* ferror() has to tell as well: libnetcdf reads on until it does. */
#define FAIL_STREAM(kind, code, value)                                                             \
    do {                                                                                           \
        if (fault_fails(kind)) {                                                                   \
            f->_flags |= _IO_ERR_SEEN;                                                             \
            errno = (code);                                                                        \
            return (value);                                                                        \
        }                                                                                          \
    } while (0)

VISIBLE size_t
fread(void *p, size_t size, size_t n, FILE *f)
{
    NEXT(fread);
    if (fault_fd_counts(fileno(f)))
        FAIL_STREAM(READ, EIO, 0);
    return real(p, size, n, f);
}

VISIBLE ssize_t
write(int fd, const void *p, size_t n)
{
    WRITE_FAULTS(fd, n);
    return syscall(SYS_write, fd, p, n);
}

VISIBLE ssize_t
pwrite(int fd, const void *p, size_t n, off_t at)
{
    WRITE_FAULTS(fd, n);
    return syscall(SYS_pwrite64, fd, p, n, at);
}

VISIBLE ssize_t
pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    WRITE_FAULTS(fd, n);
    return syscall(SYS_pwrite64, fd, p, n, at);
}

VISIBLE size_t
fwrite(const void *p, size_t size, size_t n, FILE *f)
{
    NEXT(fwrite);
    if (fault_fd_counts(fileno(f))) {
        FAIL_STREAM(WRITE, ENOSPC, 0);
        fault_trace("write", fileno(f), NULL);
    }
    return real(p, size, n, f);
}

VISIBLE ssize_t
writev(int fd, const struct iovec *parts, int n)
{
    if (fault_fd_counts(fd)) {
        FAIL(WRITE, ENOSPC, -1);
        fault_trace("write", fd, NULL);
    }
    return syscall(SYS_writev, fd, parts, n);
}

/* What was put into the buffer goes to the disk, inside the C library. */
VISIBLE int
fflush(FILE *f)
{
    NEXT(fflush);
    if (f != NULL && fault_fd_counts(fileno(f))) {
        FAIL_STREAM(WRITE, ENOSPC, EOF);
        fault_trace("write", fileno(f), NULL);
    }
    return real(f);
}

#define TRUNCATE_CALL(name, type)                                                                  \
    VISIBLE int name(int fd, type length)                                                          \
    {                                                                                              \
        if (fault_fd_counts(fd)) {                                                                 \
            FAIL(WRITE, ENOSPC, -1);                                                               \
            fault_trace("write", fd, NULL);                                                        \
        }                                                                                          \
        return (int)syscall(SYS_ftruncate, fd, length);                                            \
    }                                                                                              \
    extern int m2n_fault_needs_semicolon

TRUNCATE_CALL(ftruncate, off_t);
TRUNCATE_CALL(ftruncate64, off64_t);

VISIBLE int
fsync(int fd)
{
    if (fault_fd_counts(fd)) {
        FAIL(SYNC, EIO, -1);
        fault_trace("fsync", fd, NULL);
    }
    return (int)syscall(SYS_fsync, fd);
}

VISIBLE int
fdatasync(int fd)
{
    if (fault_fd_counts(fd)) {
        FAIL(SYNC, EIO, -1);
        fault_trace("fsync", fd, NULL);
    }
    return (int)syscall(SYS_fdatasync, fd);
}

VISIBLE int
rename(const char *from, const char *to)
{
    if (fault_path_counts(AT_FDCWD, to))
        FAIL(RENAME, EIO, -1);
    fault_trace("from", -1, from);
    fault_trace("to", -1, to);
    return (int)syscall(SYS_rename, from, to);
}

VISIBLE int
close(int fd)
{
    const int counts = fault_fd_counts(fd);
    const int result = (int)syscall(SYS_close, fd);

    if (counts)
        FAIL(CLOSE, EIO, -1);
    return result;
}

#define STATVFS_CALL(name, type)                                                                   \
    VISIBLE int name(const char *path, type *s)                                                    \
    {                                                                                              \
        NEXT(name);                                                                                \
        const int result = real(path, s);                                                          \
        if (result == 0 && fault_path_counts(AT_FDCWD, path) && fault_fails(ROOM))                 \
            s->f_bavail = 1;                                                                       \
        return result;                                                                             \
    }                                                                                              \
    extern int m2n_fault_needs_semicolon

STATVFS_CALL(statvfs, struct statvfs);
STATVFS_CALL(statvfs64, struct statvfs64);

VISIBLE int
fclose(FILE *f)
{
    NEXT(fclose);
    const int counts = fault_fd_counts(fileno(f));
    const int writes = (fcntl(fileno(f), F_GETFL) & O_ACCMODE) != O_RDONLY;

    if (counts && writes) /* what is still in the buffer */
        fault_trace("write", fileno(f), NULL);
    const int result = real(f);
    if (counts)
        FAIL(CLOSE, EIO, EOF);
    return result;
}

#define UNLINK_CALL(name, how)                                                                     \
    VISIBLE int name(const char *path)                                                             \
    {                                                                                              \
        if (fault_path_counts(AT_FDCWD, path))                                                     \
            FAIL(UNLINK, EROFS, -1);                                                               \
        return how;                                                                                \
    }                                                                                              \
    extern int m2n_fault_needs_semicolon

UNLINK_CALL(unlink, (int)syscall(SYS_unlink, path));
UNLINK_CALL(rmdir, (int)syscall(SYS_rmdir, path));

VISIBLE int
remove(const char *path)
{
    NEXT(remove);
    if (fault_path_counts(AT_FDCWD, path))
        FAIL(UNLINK, EROFS, -1);
    return real(path);
}

VISIBLE void *
mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
    if (fd >= 0 && fault_fd_counts(fd))
        FAIL(MAP, ENOMEM, MAP_FAILED);
    return (void *)syscall(SYS_mmap, at, n, protection, flags, fd, offset);
}

VISIBLE void *
mmap64(void *at, size_t n, int protection, int flags, int fd, off64_t offset)
{
    return mmap(at, n, protection, flags, fd, offset);
}

VISIBLE int
flock(int fd, int operation)
{
    if (fault_fd_counts(fd) && (operation & LOCK_UN) == 0)
        FAIL(LOCK, ENOLCK, -1);
    return (int)syscall(SYS_flock, fd, operation);
}

VISIBLE int
mkdir(const char *path, mode_t mode)
{
    if (fault_path_counts(AT_FDCWD, path))
        FAIL(MKDIR, ENOSPC, -1);
    fault_trace("mkdir", -1, path);
    return (int)syscall(SYS_mkdir, path, mode);
}

#define STAT_CALL(name, type)                                                                      \
    VISIBLE int name(const char *path, type *s)                                                    \
    {                                                                                              \
        NEXT(name);                                                                                \
        if (fault_path_counts(AT_FDCWD, path))                                                     \
            FAIL(STAT, EIO, -1);                                                                   \
        return real(path, s);                                                                      \
    }                                                                                              \
    extern int m2n_fault_needs_semicolon

STAT_CALL(stat, struct stat);
STAT_CALL(lstat, struct stat);
STAT_CALL(stat64, struct stat64);

#define FSTAT_CALL(name, type)                                                                     \
    VISIBLE int name(int fd, type *s)                                                              \
    {                                                                                              \
        NEXT(name);                                                                                \
        if (fault_fd_counts(fd))                                                                   \
            FAIL(STAT, EIO, -1);                                                                   \
        return real(fd, s);                                                                        \
    }                                                                                              \
    extern int m2n_fault_needs_semicolon

FSTAT_CALL(fstat, struct stat);
FSTAT_CALL(fstat64, struct stat64);
