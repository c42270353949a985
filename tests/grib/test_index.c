/* The index of a large file: as good as scanning, used again, never trusted when it is not ours or not whole. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "grib/archive.h"
#include "grib/grib_reader.h"
#include "grib/grib_writer.h"
#include "grib/variable.h"
#include "tests/lib/m2n_test.h"

#define STEPS 6
#define SIDE 300 /* 16 bits: 180 kB a message, so that the file passes the threshold */

static char *folder, *file;

static void
write_file(const char *path, float base)
{
    const double geo[6] = {0, 0.1, 0, 50, 0, -0.1};
    M2nDomain d = {.n_variables = 2, .time_step = 3600};
    M2nVariable variables[2];
    const M2nGribWriterOptions o = M2N_GRIB_WRITER_OPTIONS_DEFAULT;
    g_autofree float *x = g_new(float, STEPS * 2 * SIDE * SIDE);

    g_assert_true(m2n_variable_from_name("t2m", &variables[0], NULL));
    g_assert_true(m2n_variable_from_name("u850", &variables[1], NULL));
    d.variables = variables;
    g_autoptr(M2nGrid) grid = m2n_grid_new_affine("EPSG:4326", SIDE, SIDE, geo);
    d.grid = grid;
    for (gsize i = 0; i < STEPS * 2 * SIDE * SIDE; i++)
        x[i] = base + (float)(i % 977) * 0.1f;
    g_autoptr(M2nGribWriter) w = m2n_grib_writer_new(&d, &o, NULL);
    g_assert_true(m2n_grib_writer_save(w, path, 0, STEPS, x, NULL, NULL, NULL));
}

static M2nArchive *
open_archive(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nSource) s = m2n_source_open_file(file, &error);
    M2nArchive *a = m2n_archive_open(&s, 1, &error);

    g_assert_no_error(error);
    return a;
}

/* The one index there is, or NULL. (transfer full) */
static char *
index_file(void)
{
    g_autofree char *in = g_build_filename(g_get_user_cache_dir(), "met2net", "grib-index", NULL);
    g_autoptr(GDir) dir = g_dir_open(in, 0, NULL);
    const char *name = dir != NULL ? g_dir_read_name(dir) : NULL;

    return name != NULL ? g_build_filename(in, name, NULL) : NULL;
}

/* All headers and one field of the file, as text. (transfer full) */
static char *
everything(void)
{
    GString *text = g_string_new(NULL);
    g_autoptr(M2nSource) s = m2n_source_open_file(file, NULL);
    g_autoptr(M2nGribReader) r = m2n_grib_reader_open(s, NULL);

    for (guint i = 0; i < m2n_grib_reader_count(r); i++) {
        g_auto(M2nGribHeader) h = {0};
        g_autoptr(GError) error = NULL;
        g_assert_true(m2n_grib_reader_header(r, i, &h, &error));
        g_autofree char *grid = m2n_grid_describe(h.grid);
        g_autofree float *x = g_new(float, h.grid->n_points);
        g_assert_true(m2n_grib_reader_values(r, i, &h, x, &error));
        g_string_append_printf(text,
                               "%u %d %ld %s %s %s %ld %s %g %" G_GINT64_FORMAT " %" G_GINT64_FORMAT
                               " %" G_GINT64_FORMAT " %s %s %ld %s %s %d %.9g %.9g\n",
                               h.number, h.edition, h.centre, h.centre_name, h.name, h.units,
                               h.param_id, h.type_of_level, h.level, h.reference_time, h.valid_time,
                               h.span, h.step_range, h.statistics, h.member, h.packing, grid,
                               h.uv_relative, (double)x[0], (double)x[h.grid->n_points - 1]);
    }
    return g_string_free(text, FALSE);
}

static void
clear_index(void)
{
    g_autofree char *path = index_file();

    if (path != NULL)
        g_unlink(path);
}

static void
test_same_as_scanning(void)
{
    clear_index();
    g_autofree char *scanned = everything();
    g_assert_null(index_file());
    g_autoptr(M2nArchive) a = open_archive(); /* which keeps an index */
    g_autofree char *path = index_file();
    g_assert_nonnull(path);
    g_autofree char *indexed = everything();
    g_assert_cmpstr(scanned, ==, indexed);
    g_assert_cmpuint(strlen(scanned), >, 500);
}

static void
test_damaged_index_is_dropped(void)
{
    clear_index();
    g_autoptr(M2nArchive) a = open_archive();
    g_autofree char *path = index_file(), *good = everything();
    g_autofree char *data = NULL;
    gsize n;

    g_assert_true(g_file_get_contents(path, &data, &n, NULL));
    for (gsize at = 0; at < n; at += n / 40 + 1) { /* bytes wrong anywhere, then cut anywhere */
        g_autofree char *now = NULL, *cut = NULL;
        data[at] ^= 0x41;
        g_assert_true(g_file_set_contents(path, data, (gssize)n, NULL));
        now = everything();
        g_assert_cmpstr(now, ==, good);
        g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
        data[at] ^= 0x41;
        g_assert_true(g_file_set_contents(path, data, (gssize)at, NULL));
        cut = everything();
        g_assert_cmpstr(cut, ==, good);
    }
}

/* A file others may write, a link, or the index of another content: as if it were not there. */
static void
test_foreign_index_is_not_used(void)
{
    clear_index();
    g_autoptr(M2nArchive) a = open_archive();
    g_autofree char *path = index_file(), *before = everything();
    g_autofree char *other = g_build_filename(folder, "other", NULL);
    g_autofree char *data = NULL;
    gsize n;

    g_assert_true(g_file_get_contents(path, &data, &n, NULL));
    g_usleep(20000); /* another modification time */
    write_file(file, 100);
    g_autofree char *changed = everything();
    g_assert_cmpstr(changed, !=, before); /* the stamp is another one, hence the key */

    clear_index();
    g_autoptr(M2nArchive) b = open_archive();
    g_autofree char *now = index_file();
    g_assert_cmpstr(now, !=, path);
    g_assert_true(
        g_file_set_contents(now, data, (gssize)n, NULL)); /* whole, but with another key */
    g_autofree char *planted = everything();
    g_assert_cmpstr(planted, ==, changed);

    clear_index();
    g_autoptr(M2nArchive) c = open_archive();
    g_assert_cmpint(g_rename(now, other), ==, 0);
    g_assert_cmpint(symlink(other, now), ==, 0);
    g_autofree char *linked = everything();
    g_assert_cmpstr(linked, ==, changed);
    g_unlink(now);
    g_unlink(other);
}

/* Whole and under the right name, but somebody else's: made anew.  In somebody else's folder: none is kept. */
static void
test_other_users_are_not_believed(void)
{
    g_autofree char *in = g_build_filename(g_get_user_cache_dir(), "met2net", "grib-index", NULL);
    struct stat st;

    if (geteuid() != 0) {
        g_test_skip("only root can make files of other users");
        return;
    }
    clear_index();
    g_autoptr(M2nArchive) a = open_archive();
    g_autofree char *path = index_file();
    g_assert_cmpint(chown(path, 12345, (gid_t)-1), ==, 0);
    g_autoptr(M2nArchive) b = open_archive();
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpuint(st.st_uid, ==, 0);

    g_assert_cmpint(chown(in, 12345, (gid_t)-1), ==, 0);
    g_assert_cmpint(g_unlink(path), ==, 0);
    g_autoptr(M2nArchive) c = open_archive();
    g_assert_null(index_file());
    g_assert_cmpint(chown(in, 0, (gid_t)-1), ==, 0);
}

static void
test_open_folder_is_not_used(void)
{
    g_autofree char *in = g_build_filename(g_get_user_cache_dir(), "met2net", "grib-index", NULL);

    clear_index();
    g_assert_cmpint(g_chmod(in, 0777), ==, 0);
    g_autoptr(M2nArchive) a = open_archive();
    g_assert_null(index_file());
    g_assert_cmpint(g_chmod(in, 0700), ==, 0);
}

static void
test_nothing_is_made_where_a_link_leads(void)
{
    g_autofree char *top = g_build_filename(g_get_user_cache_dir(), "met2net", NULL);
    g_autofree char *aside = g_build_filename(folder, "aside", NULL), *elsewhere = g_build_filename(folder, "elsewhere", NULL);

    g_assert_cmpint(g_rename(top, aside), ==, 0);
    g_assert_cmpint(g_mkdir(elsewhere, 0700), ==, 0);
    g_assert_cmpint(symlink(elsewhere, top), ==, 0);
    g_autoptr(M2nArchive) a = open_archive();
    g_assert_cmpint(g_rmdir(elsewhere), ==, 0); /* it is empty */
    g_assert_cmpint(g_unlink(top), ==, 0);
    g_assert_cmpint(g_rename(aside, top), ==, 0);
}

/* Whoever put it there: opening it for reading would wait for somebody who writes. */
static void
test_pipe_is_not_waited_for(void)
{
    clear_index();
    g_autoptr(M2nArchive) a = open_archive();
    g_autofree char *path = index_file(), *good = everything();
    struct stat st;

    g_assert_cmpint(g_unlink(path), ==, 0);
    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    g_autofree char *now = everything();
    g_assert_cmpstr(now, ==, good);
    g_autoptr(M2nArchive) b = open_archive();
    g_assert_cmpint(lstat(path, &st), ==, 0);
    g_assert_true(S_ISREG(st.st_mode)); /* an index has taken its place */
}

/* What a process that was killed left unfinished goes, of long ago and of a clock that has since been set back; another's at
 * work stays. */
static void
test_unfinished_files_go(void)
{
    static const char *const names[] = {"old", "future", "new"};
    const time_t now = time(NULL), times[] = {now - 7200, now + 86400, now};
    g_autofree char *in = g_build_filename(g_get_user_cache_dir(), "met2net", "grib-index", NULL);

    clear_index();
    for (guint i = 0; i < 3; i++) {
        g_autofree char *path = g_strdup_printf("%s/%s.m2nindex.A1B2C3", in, names[i]);
        const struct timespec t[2] = {{.tv_sec = times[i]}, {.tv_sec = times[i]}};
        g_assert_true(g_file_set_contents(path, "", 0, NULL));
        g_assert_cmpint(utimensat(AT_FDCWD, path, t, 0), ==, 0);
    }
    g_autoptr(M2nArchive) a = open_archive(); /* which keeps an index */
    for (guint i = 0; i < 3; i++) {
        g_autofree char *path = g_strdup_printf("%s/%s.m2nindex.A1B2C3", in, names[i]);
        g_assert_cmpint(g_unlink(path) == 0, ==, i == 2);
    }
}

int
main(int argc, char **argv)
{
    folder = g_dir_make_tmp("m2n-index-XXXXXX", NULL);
    g_autofree char *cache = g_build_filename(folder, "cache", NULL);
    g_setenv("XDG_CACHE_HOME", cache, TRUE);
    g_test_init(&argc, &argv, NULL);
    file = g_build_filename(folder, "large.grib2", NULL);
    write_file(file, 250);
    g_test_add_func("/grib/index/same-as-scanning", test_same_as_scanning);
    g_test_add_func("/grib/index/damaged-is-dropped", test_damaged_index_is_dropped);
    g_test_add_func("/grib/index/foreign-is-not-used", test_foreign_index_is_not_used);
    g_test_add_func("/grib/index/other-users-are-not-believed", test_other_users_are_not_believed);
    g_test_add_func("/grib/index/open-folder-is-not-used", test_open_folder_is_not_used);
    g_test_add_func("/grib/index/nothing-is-made-where-a-link-leads", test_nothing_is_made_where_a_link_leads);
    g_test_add_func("/grib/index/pipe-is-not-waited-for", test_pipe_is_not_waited_for);
    g_test_add_func("/grib/index/unfinished-files-go", test_unfinished_files_go);
    const int result = g_test_run();

    clear_index();
    g_unlink(file);
    for (int up = 0; up < 4; up++) { /* grib-index, met2net, cache, folder */
        static const char *const parts[] = {"cache/met2net/grib-index", "cache/met2net", "cache",
                                            ""};
        g_autofree char *path = g_build_filename(folder, parts[up], NULL);
        g_rmdir(path);
    }
    g_free(file);
    g_free(folder);
    return result;
}
