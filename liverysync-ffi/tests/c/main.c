/* Runs all tests, or those whose name holds the second argument. The first one is a folder to work in. */
#define _POSIX_C_SOURCE 200809L

#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *scratch;
static int failures;
static char folders[256][512];
static int folder_count;

bool check_(bool holds, const char *what, const char *file, int line)
{
    if (!holds) {
        failures += 1;
        printf("%s:%d: does not hold: %s\n", file, line, what);
    }
    return holds;
}

bool check_result_(liverysync_result expected, liverysync_result actual, const char *what,
                   const char *file, int line)
{
    if (expected != actual) {
        printf("%s:%d: %s is %s, not %s (last error: %s)\n", file, line, what,
               liverysync_result_name(actual), liverysync_result_name(expected),
               liverysync_last_error());
        failures += 1;
    }
    return expected == actual;
}

bool check_number_(unsigned long long expected, unsigned long long actual, const char *what,
                   const char *file, int line)
{
    if (expected != actual) {
        printf("%s:%d: %s is %llu, not %llu\n", file, line, what, actual, expected);
        failures += 1;
    }
    return expected == actual;
}

bool check_text_(const char *expected, const char *actual, const char *what, const char *file,
                 int line)
{
    bool same = expected == NULL || actual == NULL ? expected == actual
                                                   : strcmp(expected, actual) == 0;
    if (!same) {
        printf("%s:%d: %s is `%s`, not `%s`\n", file, line, what, actual ? actual : "(NULL)",
               expected ? expected : "(NULL)");
        failures += 1;
    }
    return same;
}

bool check_error_(const char *part, const char *file, int line)
{
    const char *text = liverysync_last_error();
    bool found = strstr(text, part) != NULL;
    if (!found) {
        printf("%s:%d: the last error is `%s`, without `%s`\n", file, line, text, part);
        failures += 1;
    }
    return found;
}

static void make_folder(const char *path)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        printf("cannot make the folder %s: %s\n", path, strerror(errno));
        exit(2);
    }
}

const char *new_folder(void)
{
    if (folder_count == 256) {
        printf("too many folders\n");
        exit(2);
    }
    char *path = folders[folder_count];
    snprintf(path, sizeof folders[0], "%s/%d", scratch, folder_count);
    folder_count += 1;
    make_folder(path);
    return path;
}

void put_file(const char *folder, const char *path, const char *content)
{
    char full[1024];
    snprintf(full, sizeof full, "%s/%s", folder, path);
    for (char *slash = strchr(full + strlen(folder) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        make_folder(full);
        *slash = '/';
    }
    FILE *file = fopen(full, "wb");
    if (!file || fwrite(content, 1, strlen(content), file) != strlen(content) || fclose(file) != 0) {
        printf("cannot write %s: %s\n", full, strerror(errno));
        exit(2);
    }
}

bool file_is(const char *folder, const char *path, const char *content)
{
    char full[1024], there[1024];
    snprintf(full, sizeof full, "%s/%s", folder, path);
    FILE *file = fopen(full, "rb");
    if (!file || !content) {
        if (file) {
            fclose(file);
        }
        return !file && !content;
    }
    size_t length = fread(there, 1, sizeof there, file);
    fclose(file);
    return length == strlen(content) && memcmp(there, content, length) == 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: tests FOLDER [PART OF A NAME]\n");
        return 2;
    }
    scratch = argv[1];
    const char *filter = argc > 2 ? argv[2] : "";
    const test *lists[] = {contract_tests, path_tests,   manifest_tests,
                           union_tests,    client_tests, server_tests};
    int passed = 0, failed = 0;
    /* What a test that hangs was doing is to be seen. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t list = 0; list < sizeof lists / sizeof lists[0]; list++) {
        for (const test *each = lists[list]; each->name; each++) {
            if (!strstr(each->name, filter)) {
                continue;
            }
            failures = 0;
            each->run();
            printf("test %s ... %s\n", each->name, failures ? "FAILED" : "ok");
            *(failures ? &failed : &passed) += 1;
        }
    }
    /* As cargo's test programs end: the same tool counts both. */
    printf("test result: %s. %d passed; %d failed; 0 ignored\n", failed ? "FAILED" : "ok", passed, failed);
    return failed ? 1 : 0;
}
