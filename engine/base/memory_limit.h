/* How much memory this process may have, so that too little is an error and not the end of the process. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

/* Bytes: the least of what the machine has, what the process's control group (a container, a batch job) is allowed
 * and RLIMIT_AS. */
guint64 m2n_memory_limit(void);
/* What one piece of work may take unless its user says otherwise: three quarters of that. */
guint64 m2n_memory_default(void);

/* For the test: the least limit of the control groups in `groups`, the text of /proc/self/cgroup, and of those they
 * are in, below `root`, /sys/fs/cgroup; G_MAXUINT64: none. */
guint64 m2n_memory_limit_of_groups(const char *groups, const char *root);

G_END_DECLS
