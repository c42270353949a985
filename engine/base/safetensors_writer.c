/* Writing safetensors: header at the first data, temporary name, fsync, rename, fsync of the
 * folder. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/safetensors.h"

#define CHUNK ((gsize)1 << 14) /* bytes copied at a time: on the stack */

struct M2nSafetensorsWriter {
    char *path, *temporary;
    int fd; /* -1 when closed */
    gboolean started;
    GString *metadata, *tensors;
    GHashTable *names;
    guint64 declared, written; /* bytes of data */
};

static gboolean
io_error(const char *path, GError **error)
{
    g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: %s", path, g_strerror(errno));
    return FALSE;
}

static void
append_quoted(GString *out, const char *s)
{
    g_assert(g_utf8_validate(s, -1, NULL));
    g_string_append_c(out, '"');
    for (; *s != '\0'; s++) {
        if (*s == '"' || *s == '\\')
            g_string_append_printf(out, "\\%c", *s);
        else if ((guchar)*s < 0x20)
            g_string_append_printf(out, "\\u%04x", (guint)*s);
        else
            g_string_append_c(out, *s);
    }
    g_string_append_c(out, '"');
}

M2nSafetensorsWriter *
m2n_safetensors_writer_new(const char *path, GError **error)
{
    g_autofree char *temporary = g_strconcat(path, ".XXXXXX", NULL);

    if (!m2n_durable_may_replace(path, error)) /* before the work, not after it */
        return NULL;
    /* 0666 and not mkstemp's 0600: the result is an ordinary file under the user's umask */
    const int fd = g_mkstemp_full(temporary, O_RDWR | O_CLOEXEC, 0666);

    if (fd < 0) {
        io_error(path, error);
        return NULL;
    }
    M2nSafetensorsWriter *w = g_new0(M2nSafetensorsWriter, 1);
    w->path = g_strdup(path);
    w->temporary = g_steal_pointer(&temporary);
    w->fd = fd;
    w->metadata = g_string_new(NULL);
    w->tensors = g_string_new(NULL);
    w->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return w;
}

void
m2n_safetensors_writer_metadata(M2nSafetensorsWriter *w, const char *key, const char *value)
{
    g_assert(!w->started);
    if (w->metadata->len > 0)
        g_string_append_c(w->metadata, ',');
    append_quoted(w->metadata, key);
    g_string_append_c(w->metadata, ':');
    append_quoted(w->metadata, value);
}

static guint64
dtype_size(const char *dtype)
{
    static const char *const one[] = {"BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", NULL};
    const gsize n = strlen(dtype);

    if (g_strv_contains(one, dtype))
        return 1;
    g_assert(n >= 3); /* "I16", "BF16", "F32", "U64": the size in bits at the end */
    return strcmp(dtype + n - 2, "64") == 0 ? 8 : strcmp(dtype + n - 2, "32") == 0 ? 4 : 2;
}

void
m2n_safetensors_writer_declare(M2nSafetensorsWriter *w, const char *name, const char *dtype,
                               const guint64 *shape, guint rank)
{
    guint64 bytes = dtype_size(dtype);

    g_assert(!w->started && rank <= M2N_MAX_RANK);
    const gboolean is_new = g_hash_table_add(w->names, g_strdup(name));
    g_assert(is_new);
    if (w->tensors->len > 0)
        g_string_append_c(w->tensors, ',');
    append_quoted(w->tensors, name);
    g_string_append_printf(w->tensors, ":{\"dtype\":\"%s\",\"shape\":[", dtype);
    for (guint i = 0; i < rank; i++) {
        const gboolean fits = g_uint64_checked_mul(&bytes, bytes, shape[i]);
        g_assert(fits);
        g_string_append_printf(w->tensors, "%s%" G_GUINT64_FORMAT, i > 0 ? "," : "", shape[i]);
    }
    g_string_append_printf(w->tensors,
                           "],\"data_offsets\":[%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT "]}",
                           w->declared, w->declared + bytes);
    w->declared += bytes;
}

static gboolean
write_all(M2nSafetensorsWriter *w, gconstpointer data, gsize n, GError **error)
{
    for (gsize done = 0; done < n;) {
        const gssize put = write(w->fd, (const guint8 *)data + done, MIN(n - done, (gsize)1 << 30));
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return io_error(w->path, error);
        done += (gsize)put;
    }
    return TRUE;
}

static gboolean
write_header(M2nSafetensorsWriter *w, GError **error)
{
    g_autoptr(GString) header = g_string_new("{");

    w->started = TRUE;
    if (w->metadata->len > 0)
        g_string_append_printf(header, "\"__metadata__\":{%s}%s", w->metadata->str,
                               w->tensors->len > 0 ? "," : "");
    g_string_append_printf(header, "%s}", w->tensors->str);
    while (header->len % 8 != 0) /* data are then aligned for whoever maps the file */
        g_string_append_c(header, ' ');
    const guint64 length = GUINT64_TO_LE((guint64)header->len);
    return write_all(w, &length, 8, error) && write_all(w, header->str, header->len, error);
}

gboolean
m2n_safetensors_writer_append(M2nSafetensorsWriter *w, gconstpointer data, gsize bytes,
                              GError **error)
{
    g_assert(bytes <= w->declared - w->written);
    if (!w->started && !write_header(w, error))
        return FALSE;
    w->written += bytes;
    return write_all(w, data, bytes, error);
}

gboolean
m2n_safetensors_writer_copy(M2nSafetensorsWriter *w, const M2nSafetensors *st,
                            const M2nTensorInfo *t, GError **error)
{
    guint8 room[CHUNK];

    for (guint64 at = 0; at < t->bytes; at += CHUNK) {
        const gsize n = (gsize)MIN((guint64)CHUNK, t->bytes - at);

        if (!m2n_source_read(m2n_safetensors_source(st), t->offset + at, room, n, error) ||
            !m2n_safetensors_writer_append(w, room, n, error))
            return FALSE;
    }
    return TRUE;
}

gboolean
m2n_safetensors_writer_finish(M2nSafetensorsWriter *w, GError **error)
{
    if (!w->started && !write_header(w, error))
        return FALSE;
    g_assert(w->written == w->declared && w->fd >= 0);
    if (fsync(w->fd) != 0)
        return io_error(w->path, error);
    const int closed = close(w->fd);
    w->fd = -1;
    if (closed != 0)
        return io_error(w->path, error);
    return m2n_durable_rename(w->temporary, w->path, error);
}

void
m2n_safetensors_writer_free(M2nSafetensorsWriter *w)
{
    if (w->fd >= 0)
        close(w->fd);
    if (w->temporary != NULL)
        unlink(w->temporary);
    g_free(w->temporary);
    g_free(w->path);
    g_string_free(w->metadata, TRUE);
    g_string_free(w->tensors, TRUE);
    g_hash_table_unref(w->names);
    g_free(w);
}
