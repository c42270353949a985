/* Files that HDF5's own library writes: those that keep to themselves pass, one reference to another file anywhere in
 * them is found. */
#include <glib/gstdio.h>
#include <hdf5.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "plugin/gridded_index.h"
#include "plugin/hdf5_alone.h"

typedef enum { NOTHING, EXTERNAL_LINK, EXTERNAL_STORAGE, VIRTUAL_DATASET } Reference;

static char *path, *other;

static hid_t
array(hid_t place, const char *name, Reference r)
{
    const hsize_t size[] = {4, 8};
    const hid_t space = H5Screate_simple(2, size, NULL), list = H5Pcreate(H5P_DATASET_CREATE);

    if (r == EXTERNAL_STORAGE)
        H5Pset_external(list, other, 0, 4 * 8 * sizeof(float));
    if (r == VIRTUAL_DATASET)
        H5Pset_virtual(list, space, other, "/t2m", space);
    const hid_t a = H5Dcreate2(place, name, H5T_NATIVE_FLOAT, space, H5P_DEFAULT, list, H5P_DEFAULT);
    H5Pclose(list);
    H5Sclose(space);
    return a;
}

static void
refer(hid_t place, Reference r)
{
    if (r == EXTERNAL_LINK)
        g_assert_cmpint(H5Lcreate_external(other, "/", place, "m reference", H5P_DEFAULT, H5P_DEFAULT), >=, 0);
    else if (r != NOTHING)
        H5Dclose(array(place, "m reference", r));
}

/* n links in one group, then some more in a group below it; the reference in the lower one or the upper. */
static void
write_file(gboolean newest, gboolean ordered, guint n, gboolean below, Reference r)
{
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS), create = H5Pcreate(H5P_FILE_CREATE);

    H5Pset_libver_bounds(access, newest ? H5F_LIBVER_LATEST : H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST);
    if (ordered) /* as netCDF does */
        H5Pset_link_creation_order(create, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, create, access);
    g_assert_cmpint(file, >=, 0);
    const hid_t group = H5Gcreate2(file, "a group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t a = array(group, "array", NOTHING);
    for (guint i = 0; i < n; i++) {
        g_autofree char *name = g_strdup_printf("%u of the links, with a name that takes room", i * 7919 % 10007);
        g_assert_cmpint(H5Lcreate_hard(a, ".", file, name, H5P_DEFAULT, H5P_DEFAULT), >=, 0);
        if (i == n / 2 && !below)
            refer(file, r);
    }
    H5Lcreate_soft("/a group/array", file, "soft", H5P_DEFAULT, H5P_DEFAULT);
    if (below || n == 0)
        refer(group, r);
    H5Dclose(a);
    H5Gclose(group);
    H5Pclose(access);
    H5Pclose(create);
    g_assert_cmpint(H5Fclose(file), >=, 0);
}

static void
check(Reference r)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nSource) source = m2n_source_open_file(path, &error);

    g_assert_no_error(error);
    const gboolean ok = m2n_hdf5_alone(source, &error);
    if (r == NOTHING) {
        g_assert_no_error(error);
        g_assert_true(ok);
        return;
    }
    g_assert_error(error, M2N_ERROR, M2N_ERROR_DENIED);
    g_assert_false(ok);
    g_clear_error(&error);
    g_assert_null(m2n_gridded_open_file(path, &error)); /* nor does anybody else of us open it */
    g_assert_error(error, M2N_ERROR, M2N_ERROR_DENIED);
}

static void
test_references(void)
{
    static const guint counts[] = {0, 3, 30, 700, 10000}; /* in the header, one block, several, rows of blocks of blocks */

    for (guint i = 0; i < G_N_ELEMENTS(counts); i++)
        for (guint form = 0; form < 8; form++)
            for (Reference r = NOTHING; r <= VIRTUAL_DATASET; r++) {
                if (counts[i] > 1000 && (form & 4) != 0 && r != NOTHING)
                    continue;
                write_file((form & 1) != 0, (form & 2) != 0, counts[i], (form & 4) != 0, r);
                check(r);
            }
}

/* Cut anywhere, or one octet changed: an error or not, but no more than that. */
static void
test_damage(void)
{
    for (guint form = 0; form < 4; form++) {
        g_autofree char *data = NULL;
        gsize n;

        write_file((form & 1) != 0, (form & 2) != 0, 12, TRUE, EXTERNAL_LINK);
        g_assert_true(g_file_get_contents(path, &data, &n, NULL));
        for (gsize i = 0; i < 2 * n; i++) {
            const gsize kept = i < n ? n : 2 * n - 1 - i;
            g_autoptr(GError) error = NULL;
            if (i < n) {
                data[i] ^= 0x55;
                g_assert_true(g_file_set_contents_full(path, data, (gssize)n, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
            } else {
                g_assert_cmpint(truncate(path, (off_t)kept), ==, 0);
            }
            g_autoptr(M2nSource) source = m2n_source_open_file(path, &error);
            g_assert_no_error(error);
            g_assert_cmpuint(m2n_source_size(source), ==, kept);
            const gboolean ok = m2n_hdf5_alone(source, &error);
            g_assert_true(ok == (error == NULL));
            if (i < n)
                data[i] ^= 0x55;
        }
    }
}

/* What looks like one format at its beginning and like another further on is not read as that. */
static void
test_two_formats(void)
{
    g_autofree char *data = NULL, *both = NULL;
    g_autoptr(GError) error = NULL;
    gsize n;

    write_file(FALSE, FALSE, 0, FALSE, EXTERNAL_STORAGE);
    g_assert_true(g_file_get_contents(path, &data, &n, NULL));
    both = g_malloc0(512 + n);
    memset(both, 255, 512);
    memcpy(both, "CDF\001", 4);
    memcpy(both + 512, data, n);
    for (guint i = 0; i < 2; i++, both[0] = 'X') {
        g_assert_true(g_file_set_contents(path, both, (gssize)(512 + n), NULL));
        g_assert_null(m2n_gridded_open_file(path, &error));
        g_assert_nonnull(error);
        g_clear_error(&error);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_autofree char *folder = g_dir_make_tmp("m2n-hdf5-XXXXXX", NULL);
    path = g_build_filename(folder, "a.nc", NULL);
    other = g_build_filename(folder, "other.nc", NULL);
    GDALAllRegister();
    g_test_add_func("/plugin/hdf5-alone/references", test_references);
    g_test_add_func("/plugin/hdf5-alone/damage", test_damage);
    g_test_add_func("/plugin/hdf5-alone/two-formats", test_two_formats);
    const int status = g_test_run();
    g_unlink(path);
    g_unlink(other);
    g_rmdir(folder);
    return status;
}
