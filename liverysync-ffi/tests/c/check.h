/* A few lines of test harness: tests are functions, a check that fails is counted and the test goes on. */
#ifndef LIVERYSYNC_TESTS_CHECK_H
#define LIVERYSYNC_TESTS_CHECK_H

#include <liverysync.h>
/* Twice on purpose: the header guards itself. */
#include <liverysync.h>
#include <stdbool.h>

typedef struct test {
    const char *name;
    void (*run)(void);
} test;

/* Each file has its list, which ends in {NULL, NULL}. */
extern const test client_tests[];
extern const test contract_tests[];
extern const test manifest_tests[];
extern const test path_tests[];
extern const test server_tests[];
extern const test union_tests[];

#define CHECK(condition) check_((condition), #condition, __FILE__, __LINE__)
#define CHECK_RESULT(expected, call) check_result_((expected), (call), #call, __FILE__, __LINE__)
#define CHECK_OK(call) CHECK_RESULT(LIVERYSYNC_RESULT_OK, call)
#define CHECK_NUMBER(expected, actual) \
    check_number_((unsigned long long)(expected), (unsigned long long)(actual), #actual, __FILE__, __LINE__)
/* NULL is a text that equals only NULL. */
#define CHECK_TEXT(expected, actual) check_text_((expected), (actual), #actual, __FILE__, __LINE__)
#define CHECK_ERROR(part) check_error_((part), __FILE__, __LINE__)

bool check_(bool holds, const char *what, const char *file, int line);
bool check_result_(liverysync_result expected, liverysync_result actual, const char *what,
                   const char *file, int line);
bool check_number_(unsigned long long expected, unsigned long long actual, const char *what,
                   const char *file, int line);
bool check_text_(const char *expected, const char *actual, const char *what, const char *file,
                 int line);
/* Looks for a part of the last error's text. */
bool check_error_(const char *part, const char *file, int line);

/* A new folder of this test alone. The text belongs to the harness and stays for the whole run. */
const char *new_folder(void);
/* Writes a file below a folder; the folders on the way are made. */
void put_file(const char *folder, const char *path, const char *content);
/* Whether a file below a folder has this content; NULL: whether it is not there. */
bool file_is(const char *folder, const char *path, const char *content);

/* The SHA-256 of "a" and of "b". */
#define SHA256_A "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
#define SHA256_B "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"

#endif
