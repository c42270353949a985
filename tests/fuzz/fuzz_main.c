/* A fuzz target without libFuzzer: every seed as it is, then mutations of seeds, with a limit on
 * time and memory per case.  Reads libFuzzer's options, so that both builds are started alike:
 *
 *   fuzz_<name> -runs=10000 -seed=1 [-case=N] FILE|FOLDER ...
 *
 * The cases follow from the seed, the files and their order (by name) alone.  A case that dies is
 * kept as crash-<name>-<seed>-<case> in the working folder, and -case=N runs it alone. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

#define LIMIT_SECONDS 65 /* of processor time: a busy machine is no finding */
#define HUNG_SECONDS 1200
#define LIMIT_MB 2560
#define MAX_CASE (8u << 20) /* larger seeds would measure memcpy */

typedef struct {
    uint8_t *data;
    size_t size;
} Seed;

static GArray *seeds;
static guint64 runs = 1000, seed_number = 1, only_case = G_MAXUINT64;
static guint64 state; /* of the generator: splitmix64 */

static guint64
next_random(guint64 below)
{
    guint64 z = (state += 0x9E3779B97F4A7C15u);

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (z ^ (z >> 31)) % below;
}

/* ---- keeping the case that dies -------------------------------------------------------------- */

static const uint8_t *volatile current_data;
static volatile size_t current_size;
static char current_name[300];

static void
on_death(int number)
{
    const int slow = number == SIGALRM || number == SIGPROF;
    const int fd = open(current_name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    if (fd >= 0 && write(fd, current_data, current_size) == (ssize_t)current_size) {
        static const char text[] = "the case is kept as ";
        (void)!write(2, text, sizeof text - 1);
        (void)!write(2, current_name, strlen(current_name));
        (void)!write(2, slow ? ": too slow\n" : "\n", slow ? 11 : 1);
    }
    signal(number, SIG_DFL);
    raise(number);
    _exit(128 + number);
}

static void
watch_for_death(void)
{
    static const int numbers[] = {SIGABRT, SIGSEGV, SIGBUS,  SIGFPE,
                                  SIGILL,  SIGTRAP, SIGALRM, SIGPROF};

    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++)
        signal(numbers[i], on_death);
}

/* ---- mutations ------------------------------------------------------------------------------- */

static const guint32 interesting[] = {0,          1,          0x7f,      0x80,    0xff,
                                      0x7fff,     0x8000,     0xffff,    0x10000, 0x7fffffff,
                                      0x80000000, 0xffffffff, 0x40000000};

static void
flip_bits(GByteArray *a)
{
    for (guint64 n = 1 + next_random(8); n > 0 && a->len > 0; n--)
        a->data[next_random(a->len)] ^= (guint8)(1u << next_random(8));
}

static void
set_number(GByteArray *a)
{
    const guint width = 1u << next_random(3);
    const guint32 v = interesting[next_random(G_N_ELEMENTS(interesting))];
    const gboolean big_endian = next_random(2) == 0; /* GRIB is, safetensors is not */

    if (a->len < width)
        return;
    const guint at = (guint)next_random(a->len - width + 1);
    for (guint i = 0; i < width; i++)
        a->data[at + i] = (guint8)(v >> (8 * (big_endian ? width - 1 - i : i)));
}

static void
truncate_case(GByteArray *a)
{
    g_byte_array_set_size(a, (guint)next_random(a->len + 1));
}

/* Head of this case, tail of another seed: where sections of two files meet. */
static void
splice_cases(GByteArray *a)
{
    const Seed *other = &g_array_index(seeds, Seed, next_random(seeds->len));
    const size_t from = next_random(other->size + 1);

    truncate_case(a);
    g_byte_array_append(a, other->data + from,
                        (guint)MIN(other->size - from, (size_t)MAX_CASE - MIN(a->len, MAX_CASE)));
}

static void
repeat_or_remove(GByteArray *a)
{
    if (a->len == 0)
        return;
    const guint at = (guint)next_random(a->len);
    const guint n = (guint)(1 + next_random(MIN(a->len - at, 4096u)));
    if (next_random(2) == 0) {
        g_byte_array_remove_range(a, at, n);
        return;
    }
    g_autofree guint8 *copy = g_memdup2(a->data + at, n);
    for (guint64 times = 1 + next_random(3); times > 0 && a->len + n <= MAX_CASE; times--)
        g_byte_array_append(a, copy, n);
}

/* Text formats: a word takes the place of a number. */
static void
replace_word(GByteArray *a)
{
    static const char *const words[] = {"0",
                                        "-1",
                                        "1e999",
                                        "-1e308",
                                        "NaN",
                                        "18446744073709551616",
                                        "9223372036854775807",
                                        "4294967296",
                                        "1e-320",
                                        "null",
                                        "true",
                                        "\"\"",
                                        "[]",
                                        "{}",
                                        "[[[[[[[[[[",
                                        "\"..\"",
                                        "\"/dev/zero\"",
                                        "\"EPSG:0\"",
                                        "\"%s%n\"",
                                        "\\u0000"};
    guint at = a->len > 0 ? (guint)next_random(a->len) : 0, end;

    while (at < a->len && !g_ascii_isdigit((char)a->data[at]))
        at++;
    for (end = at; end < a->len && (g_ascii_isdigit((char)a->data[end]) || a->data[end] == '.');)
        end++;
    if (at == end)
        return;
    const char *word = words[next_random(G_N_ELEMENTS(words))];
    g_autoptr(GByteArray) tail = g_byte_array_new();
    g_byte_array_append(tail, a->data + end, a->len - end);
    g_byte_array_set_size(a, at);
    g_byte_array_append(a, (const guint8 *)word, (guint)strlen(word));
    g_byte_array_append(a, tail->data, tail->len);
}

static GByteArray *
make_case(guint64 number)
{
    static void (*const mutations[])(GByteArray *) = {flip_bits,    set_number,       truncate_case,
                                                      splice_cases, repeat_or_remove, replace_word};
    GByteArray *a = g_byte_array_new();

    state = seed_number * 0x100000001B3u + number;
    const Seed *from =
        &g_array_index(seeds, Seed, number < seeds->len ? number : next_random(seeds->len));
    g_byte_array_append(a, from->data, (guint)from->size);
    if (number >= seeds->len)
        for (guint64 n = 1 + next_random(3); n > 0; n--)
            mutations[next_random(G_N_ELEMENTS(mutations))](a);
    return a;
}

/* ---- seeds, options, the run ----------------------------------------------------------------- */

static int
by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
add_seeds(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    const char *name;
    gsize n;
    Seed s;

    if (dir == NULL) {
        if (g_file_get_contents(path, (char **)&s.data, &n, NULL) && n <= MAX_CASE) {
            s.size = n;
            g_array_append_val(seeds, s);
        }
        return;
    }
    while ((name = g_dir_read_name(dir)) != NULL)
        g_ptr_array_add(names, g_build_filename(path, name, NULL));
    g_ptr_array_sort(names, by_name);
    for (guint i = 0; i < names->len; i++)
        add_seeds(names->pdata[i]);
}

static void
parse_arguments(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (g_str_has_prefix(argv[i], "-runs="))
            runs = g_ascii_strtoull(argv[i] + 6, NULL, 10);
        else if (g_str_has_prefix(argv[i], "-seed="))
            seed_number = g_ascii_strtoull(argv[i] + 6, NULL, 10);
        else if (g_str_has_prefix(argv[i], "-case="))
            only_case = g_ascii_strtoull(argv[i] + 6, NULL, 10);
        else if (argv[i][0] != '-')
            add_seeds(argv[i]);
    }
    if (seeds->len == 0) { /* the empty case */
        Seed s = {g_malloc0(1), 0};
        g_array_append_val(seeds, s);
    }
}

static gint64
run_case(const char *target, guint64 number)
{
    g_autoptr(GByteArray) a = make_case(number);
    uint8_t *exact = malloc(a->len); /* so that a sanitizer sees a read past the end */

    if (a->len > 0)
        memcpy(exact, a->data, a->len);
    current_data = exact;
    current_size = a->len;
    g_snprintf(current_name, sizeof current_name,
               "crash-%s-%" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT, target, seed_number, number);
    const struct itimerval limit = {.it_value.tv_sec = LIMIT_SECONDS}, none = {0};
    alarm(HUNG_SECONDS);
    setitimer(ITIMER_PROF, &limit, NULL);
    const gint64 start = g_get_monotonic_time();
    LLVMFuzzerTestOneInput(exact, a->len);
    const gint64 took = g_get_monotonic_time() - start;
    setitimer(ITIMER_PROF, &none, NULL);
    alarm(0);
    free(exact);
    return took;
}

int
main(int argc, char **argv)
{
    g_autofree char *target = g_path_get_basename(argv[0]);
    guint64 done = 0, slowest_case = 0;
    gint64 slowest = -1;
    struct rusage use;

    if (LLVMFuzzerInitialize != NULL)
        LLVMFuzzerInitialize(&argc, &argv);
    seeds = g_array_new(FALSE, FALSE, sizeof(Seed));
    parse_arguments(argc, argv);
    watch_for_death();
    for (guint64 i = 0; i < seeds->len + runs; i++) {
        if (only_case != G_MAXUINT64 && i != only_case)
            continue;
        const gint64 took = run_case(target, i);
        if (took > slowest) {
            slowest = took;
            slowest_case = i;
        }
        done++;
    }
    getrusage(RUSAGE_SELF, &use);
    printf("%s: %" G_GUINT64_FORMAT " cases (%u seeds), slowest %" G_GINT64_FORMAT
           " ms (case %" G_GUINT64_FORMAT "), peak %ld MB\n",
           target, done, seeds->len, slowest / 1000, slowest_case, use.ru_maxrss / 1024);
    for (guint i = 0; i < seeds->len; i++)
        g_free(g_array_index(seeds, Seed, i).data);
    g_array_free(seeds, TRUE);
    if (use.ru_maxrss / 1024 > LIMIT_MB) {
        fprintf(stderr, "%s: more than %d MB\n", target, LIMIT_MB);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
