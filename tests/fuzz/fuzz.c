/* The parts of a fuzz target that do not depend on what is fuzzed. */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/source.h"

/* Sanitizer defaults: a report is an abort, so that the mutation driver can keep the case; an
 * allocation of absurd size returns NULL as it does in a host, and the code has to cope. */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *
__asan_default_options(void)
{
    return "abort_on_error=1:allocator_may_return_null=1:max_allocation_size_mb=2560:"
           "detect_stack_use_after_return=1";
}

const char *
__ubsan_default_options(void)
{
    return "halt_on_error=1:abort_on_error=1:print_stacktrace=1";
}

typedef struct {
    const uint8_t *data;
    size_t size;
} Bytes;

static gboolean
bytes_read(gpointer data, guint64 offset, gpointer buffer, gsize n, GError **error)
{
    const Bytes *b = data;

    if (offset > b->size || n > b->size - offset) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_IO,
                    "case: bytes %" G_GUINT64_FORMAT " + %" G_GSIZE_FORMAT " are not in the file",
                    offset, n);
        return FALSE;
    }
    if (n > 0)
        memcpy(buffer, b->data + offset, n);
    return TRUE;
}

M2nSource *
fuzz_source(const uint8_t *data, size_t size)
{
    static const M2nSourceFuncs funcs = {bytes_read, g_free, NULL};
    Bytes *b = g_new(Bytes, 1);

    *b = (Bytes){data, size};
    return m2n_source_new("case", size, "case", &funcs, b);
}

void
fuzz_check(gboolean ok, GError **error)
{
    if (ok) {
        if (*error != NULL)
            g_error("success with an error set: %s", (*error)->message);
        return;
    }
    if (*error == NULL)
        g_error("failure without an error");
    const char *text = (*error)->message;
    if ((*error)->domain != M2N_ERROR)
        g_error("error of a foreign domain: %s: %s", g_quark_to_string((*error)->domain), text);
    if (text[0] == '\0')
        g_error("an error without a message");
    g_clear_error(error);
}

static char *folder;

static void
remove_tree(const char *top)
{
    g_autoptr(GPtrArray) stack = g_ptr_array_new_with_free_func(g_free);

    /* Folders go on the stack twice: once to be emptied, once to be removed. */
    g_ptr_array_add(stack, g_strdup(top));
    while (stack->len > 0) {
        const char *path = stack->pdata[stack->len - 1];
        if (g_remove(path) == 0 || errno != ENOTEMPTY) {
            g_ptr_array_remove_index(stack, stack->len - 1);
            continue;
        }
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *name;
        while (dir != NULL && (name = g_dir_read_name(dir)) != NULL)
            g_ptr_array_add(stack, g_build_filename(path, name, NULL));
    }
}

static void
remove_folder(void)
{
    remove_tree(folder);
}

const char *
fuzz_folder(void)
{
    if (folder != NULL)
        return folder;
    g_autofree char *pattern = g_build_filename(
        g_access("/dev/shm", W_OK) == 0 ? "/dev/shm" : g_get_tmp_dir(), "m2n-fuzz-XXXXXX", NULL);
    folder = g_mkdtemp(g_steal_pointer(&pattern));
    if (folder == NULL)
        g_error("no temporary folder: %s", g_strerror(errno));
    atexit(remove_folder);
    return folder;
}

char *
fuzz_write(const char *name, const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    char *path = g_build_filename(fuzz_folder(), name, NULL);

    /* not over the old file, whose tail would stay: GLib does not cut it */
    g_remove(path);
    if (!g_file_set_contents_full(path, (const char *)data, (gssize)size, G_FILE_SET_CONTENTS_NONE,
                                  0600, &error))
        g_error("%s", error->message);
    return path;
}

void
fuzz_remove(const char *name)
{
    g_autofree char *path = g_build_filename(fuzz_folder(), name, NULL);

    remove_tree(path);
}

void
fuzz_use(const void *p, size_t n)
{
    const unsigned char *bytes = p;

    for (size_t i = 0; i < n; i++)
        __asm__ volatile("" : : "r"(bytes[i])); /* loaded, whatever the optimiser thinks */
}
