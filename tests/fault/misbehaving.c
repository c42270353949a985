/* A program that answers a failed read in every wrong way there is, for the test of judge.py: it copies "input.txt" to "out",
 * and when reading fails does what it is told.
 *
 *   misbehaving WAY */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void
put(const char *path, const char *text)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        exit(9);
    close(fd);
}

static void
put_in_cache(const char *name, const char *text)
{
    mkdir("../cache", 0700);
    mkdir("../cache/met2net", 0700);
    if (chdir("../cache/met2net") != 0)
        exit(9);
    put(name, text);
    if (chdir("../../data") != 0)
        exit(9);
}

static int
misbehave(const char *way)
{
    if (strcmp(way, "crashes") == 0)
        abort();
    while (strcmp(way, "sleeps") == 0)
        pause();
    while (strcmp(way, "runs on") == 0)
        clock();
    if (strcmp(way, "leaks") == 0) {
        void *volatile lost = malloc(100);
        lost = NULL;
        (void)lost;
    }
    if (strcmp(way, "keeps a file open") == 0)
        open("input.txt", O_RDONLY);
    if (strcmp(way, "writes half") == 0)
        put("out", "hal");
    if (strcmp(way, "leaves a file") == 0)
        put("out.XyZ123", "half");
    if (strcmp(way, "spoils the input") == 0)
        put("input.txt", "");
    if (strcmp(way, "leaves a lock") == 0)
        put_in_cache("lock.safetensors", "");
    if (strcmp(way, "caches rubbish") == 0)
        put_in_cache("stale.safetensors", "rubbish");
    if (strcmp(way, "calls it success") == 0) {
        put("out", "other");
        return 0;
    }
    if (strcmp(way, "is silent") == 0)
        return 1;
    fprintf(stderr, strcmp(way, "is vague") == 0 ? "met2net-x: something is wrong\n"
                                                 : "met2net-x: input.txt: Input/output error\n");
    return strcmp(way, "has its own status") == 0 ? 5 : 1;
}

int
main(int argc, char **argv)
{
    char text[64] = "";
    const int fd = open("input.txt", O_RDONLY);
    const ssize_t n = read(fd, text, sizeof text - 1);

    close(fd);
    if (n < 0)
        return misbehave(argc > 1 ? argv[1] : "");
    if (access("../cache/met2net/lock.safetensors", F_OK) == 0)
        return 1;
    put("out", access("../cache/met2net/stale.safetensors", F_OK) == 0 ? "rubbish" : text);
    return 0;
}
