/* Writes the seeds that no file of the world serves for: small, valid, one folder per target.
 *
 *   make_seeds STAMP FOLDER */
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/safetensors.h"

static const char *folder;

/* (transfer full) path of seed `name` for `target`, its folder made. */
static char *
seed_path(const char *target, const char *name)
{
    g_autofree char *dir = g_build_filename(folder, target, NULL);

    if (g_mkdir_with_parents(dir, 0755) != 0)
        g_error("%s: cannot be made", dir);
    return g_build_filename(dir, name, NULL);
}

static void
seed_text(const char *target, const char *name, const char *text)
{
    g_autofree char *path = seed_path(target, name);
    g_autoptr(GError) error = NULL;

    if (!g_file_set_contents(path, text, -1, &error))
        g_error("%s", error->message);
}

/* Every dtype, an empty tensor, rank 0, a name with an escape. */
static void
safetensors_seeds(void)
{
    static const char *const dtypes[] = {"BOOL", "U8",  "I8",  "F8_E5M2", "F8_E4M3",
                                         "I16",  "U16", "F16", "BF16",    "I32",
                                         "U32",  "F32", "I64", "U64",     "F64"};
    g_autofree char *path = seed_path("safetensors", "all-types.safetensors");
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nSafetensorsWriter) w = m2n_safetensors_writer_new(path, &error);
    const guint64 shape[] = {2, 3}, empty[] = {0, 7};
    static const guint8 zeros[15 * 6 * 8 + 8];

    g_assert_no_error(error);
    m2n_safetensors_writer_metadata(w, "format", "met2net");
    m2n_safetensors_writer_metadata(w, "quoted \"key\"", "tab\tand \xC3\xA9");
    for (guint i = 0; i < G_N_ELEMENTS(dtypes); i++)
        m2n_safetensors_writer_declare(w, dtypes[i], dtypes[i], shape, 2);
    m2n_safetensors_writer_declare(w, "empty", "F32", empty, 2);
    m2n_safetensors_writer_declare(w, "scalar", "F32", NULL, 0);
    const gsize bytes = 6 * (5 * 1 + 4 * 2 + 3 * 4 + 3 * 8) + 4;
    g_assert_cmpuint(bytes, <=, sizeof zeros);
    if (!m2n_safetensors_writer_append(w, zeros, bytes, &error) ||
        !m2n_safetensors_writer_finish(w, &error))
        g_error("%s", error->message);
    seed_text("safetensors", "not-safetensors.json", "{\"met2net\": 1}");
}

int
main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    folder = argv[2];
    safetensors_seeds();
    return g_file_set_contents(argv[1], "", 0, NULL) ? EXIT_SUCCESS : EXIT_FAILURE;
}
