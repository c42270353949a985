#include <glib/gstdio.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/train/log.h"
#include "tests/lib/m2n_test.h"

static GArray *
three_records(void)
{
    GArray *a = g_array_new(FALSE, TRUE, sizeof(M2nTrainRecord));

    for (guint i = 0; i < 3; i++) {
        const M2nTrainRecord r = {
            .epoch = i + 1,
            .step = 10 * (i + 1),
            .learning_rate = 1e-3 / (i + 1),
            .loss_reconstruction = 0.5 / (i + 1),
            .loss_latent = 0.25,
            .loss_prediction = 0.75,
            .validation_mse = i == 1 ? NAN : 0.125,
            .best = i == 0,
            .seconds = 1.5,
            .samples_per_second = 12,
            .memory_bytes = 1 << 20,
        };
        g_array_append_val(a, r);
    }
    return a;
}

static void
test_round_trip(void)
{
    g_autofree char *folder = g_dir_make_tmp("m2n-log-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "run.jsonl", NULL);
    g_autoptr(GArray) none = m2n_train_log_read(path, NULL), a = three_records();

    g_assert_cmpuint(none->len, ==, 0);
    g_assert_true(m2n_train_log_write(path, a, NULL));
    g_autoptr(GArray) b = m2n_train_log_read(path, NULL);
    g_assert_cmpuint(b->len, ==, 3);
    for (guint i = 0; i < 3; i++) {
        g_autofree char *x = m2n_train_record_to_json(&g_array_index(a, M2nTrainRecord, i));
        g_autofree char *y = m2n_train_record_to_json(&g_array_index(b, M2nTrainRecord, i));
        g_assert_cmpstr(x, ==, y);
    }
    /* cut short inside the last line: that line is dropped */
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    text[strlen(text) - 20] = '\0';
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_autoptr(GArray) cut = m2n_train_log_read(path, NULL);
    g_assert_cmpuint(cut->len, ==, 2);
    /* lines that somebody edited are left out, or read for what they are; never trouble */
    const char *odd = "{\"epoch\": [1], \"step\": 2}\n[]\n{\"epoch\": 1, \"step\": {}}\nnull\n"
                      "{\"epoch\": 4, \"step\": 9, \"best\": {}, \"memory_bytes\": \"x\"}\n";
    g_assert_true(g_file_set_contents(path, odd, -1, NULL));
    g_autoptr(GArray) edited = m2n_train_log_read(path, NULL);
    g_assert_cmpuint(edited->len, ==, 1);
    g_assert_cmpuint(g_array_index(edited, M2nTrainRecord, 0).epoch, ==, 4);
    g_remove(path);
    g_rmdir(folder);
}

static void
test_picture(void)
{
    g_autofree char *folder = g_dir_make_tmp("m2n-log-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "run.svg", NULL);
    g_autoptr(GArray) a = three_records(), none = g_array_new(FALSE, TRUE, sizeof(M2nTrainRecord));
    g_autofree char *text = NULL;

    g_assert_true(m2n_train_log_draw(path, none, NULL)); /* nothing to show is no crash */
    g_assert_true(m2n_train_log_draw(path, a, NULL));
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_true(g_str_has_prefix(text, "<svg"));
    g_assert_true(g_str_has_suffix(text, "</svg>\n"));
    g_assert_null(strstr(text, "nan"));
    g_assert_null(strstr(text, "inf"));
    g_assert_nonnull(strstr(text, "reconstruction"));
    g_remove(path);
    g_rmdir(folder);
}

static void
test_no_folder(void)
{
    g_autoptr(GArray) a = three_records();
    g_autoptr(GError) error = NULL;

    g_assert_false(m2n_train_log_write("/nonexistent/folder/log", a, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_IO);
    g_assert_nonnull(strstr(error->message, "/nonexistent/folder/log"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/train/log/round-trip", test_round_trip);
    g_test_add_func("/train/log/picture", test_picture);
    g_test_add_func("/train/log/no-folder", test_no_folder);
    return g_test_run();
}
