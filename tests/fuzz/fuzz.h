/* What every fuzz target shares.  A target is a file fuzz_<name>.c with LLVMFuzzerTestOneInput();
 * it is linked either with libFuzzer (clang, see long_run.sh) or with fuzz_main.c (any compiler).
 *
 * A case may end in a result or in an error; anything else is a finding. */
#pragma once
#include <glib.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes of a case as a source that checks its own bounds.  The bytes must outlive the source. */
typedef struct M2nSource M2nSource;
M2nSource *fuzz_source(const uint8_t *data, size_t size);

/* Holds an operation to its contract: ok and no error, or not ok and an error of our domain with a
 * message.  Frees the error. */
void fuzz_check(gboolean ok, GError **error);

/* A private folder for this process, removed at exit; in memory where the machine has such. */
const char *fuzz_folder(void);
/* Replaces the file `name` in that folder; the returned path is the caller's. */
char *fuzz_write(const char *name, const uint8_t *data, size_t size);
/* Removes a file or folder there. */
void fuzz_remove(const char *name);

/* Keeps the compiler from dropping reads whose values nobody uses. */
void fuzz_use(const void *p, size_t n);
