/* Files that a power cut leaves whole, the old one or the new one: write under another name, m2n_durable_sync() or fsync(),
 * then m2n_durable_rename().
 *
 * Thread-safe.  FALSE: M2N_ERROR_IO, naming the file. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

/* fsync of a file, or of a folder and all in it.  File systems that cannot sync folders are forgiven. */
gboolean m2n_durable_sync(const char *path, GError **error);
/* A text file, new or in place of an old one. */
gboolean m2n_durable_write(const char *path, const GString *text, GError **error);
/* Whether a file may take this name: it is free, or a file has it.  FALSE: M2N_ERROR_ARGUMENT: a folder, or a device or a pipe, which
 * rename() would take from the whole machine (/dev/null, /dev/stdout). */
gboolean m2n_durable_may_replace(const char *path, GError **error);

/* Whether two names are one file or folder. */
gboolean m2n_durable_is_same(const char *a, const char *b);

/* Whether an output is none of the inputs `names` (NULL-terminated), whose place it would take.  FALSE: M2N_ERROR_ARGUMENT. */
gboolean m2n_durable_is_no_input(const char *path, const char *const *names, GError **error);
/* rename(), then fsync of the folder of `to`: without this a power cut may leave the old name or none.  FALSE also where a file
 * `from` may not take the name. */
gboolean m2n_durable_rename(const char *from, const char *to, GError **error);

/* Files or folders a and b of one folder, both there, change names at once, and the folder is synced.  *done FALSE without an
 * error: the system or its file system cannot.  FALSE: M2N_ERROR_IO, they have changed and the folder could not be synced. */
gboolean m2n_durable_exchange(const char *a, const char *b, gboolean *done, GError **error);

/* The longest file that this process may write (ulimit -f).  A write beyond it ends the process, SIGXFSZ, unless its host ignores
 * that. */
guint64 m2n_durable_limit(void);

G_END_DECLS
