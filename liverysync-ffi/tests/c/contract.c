/* What docs/c.md promises for all functions. */
#define _POSIX_C_SOURCE 200809L

#include "check.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static void the_version_is_that_of_the_header(void)
{
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", LIVERYSYNC_VERSION_MAJOR, LIVERYSYNC_VERSION_MINOR,
             LIVERYSYNC_VERSION_PATCH);
    CHECK_TEXT(text, liverysync_version());
    CHECK_NUMBER(LIVERYSYNC_VERSION_NUMBER, liverysync_version_number());
    CHECK_NUMBER(LIVERYSYNC_VERSION_PATCH, LIVERYSYNC_VERSION_NUMBER & 0xff);
    CHECK_NUMBER(LIVERYSYNC_VERSION_MINOR, LIVERYSYNC_VERSION_NUMBER >> 8 & 0xff);
}

static void results_have_names(void)
{
    CHECK_TEXT("ok", liverysync_result_name(LIVERYSYNC_RESULT_OK));
    CHECK_TEXT("no_event", liverysync_result_name(LIVERYSYNC_RESULT_NO_EVENT));
    CHECK_TEXT("failed", liverysync_result_name(LIVERYSYNC_RESULT_FAILED));
    CHECK_TEXT("unknown", liverysync_result_name((liverysync_result)9999));
    /* Retired. */
    CHECK_TEXT("unknown", liverysync_result_name((liverysync_result)16));
    CHECK_TEXT("unknown", liverysync_result_name((liverysync_result)17));
}

static void result_numbers_are_never_reused(void)
{
    CHECK_NUMBER(0, LIVERYSYNC_RESULT_OK);
    CHECK_NUMBER(6, LIVERYSYNC_RESULT_PANIC);
    CHECK_NUMBER(14, LIVERYSYNC_RESULT_NO_EVENT);
    CHECK_NUMBER(15, LIVERYSYNC_RESULT_STOPPED);
    CHECK_NUMBER(18, LIVERYSYNC_RESULT_IN_CALLBACK);
    CHECK_NUMBER(20, LIVERYSYNC_RESULT_TIMED_OUT);
    CHECK_NUMBER(23, LIVERYSYNC_RESULT_FAILED);
}

static void null_gives_a_result_and_writes_nothing(void)
{
    const liverysync_result null = LIVERYSYNC_RESULT_NULL_POINTER;
    liverysync_manifest *const untouched = (liverysync_manifest *)&null;
    liverysync_manifest *manifest = untouched;
    CHECK_RESULT(null, liverysync_scan(NULL, NULL, &manifest));
    CHECK_ERROR("folder is NULL");
    CHECK_RESULT(null, liverysync_scan(new_folder(), NULL, NULL));
    CHECK_ERROR("manifest_out is NULL");
    CHECK_RESULT(null, liverysync_manifest_new(NULL, 1, NULL, &manifest));
    CHECK_RESULT(null, liverysync_manifest_new(NULL, 0, NULL, NULL));
    CHECK_RESULT(null, liverysync_union_manifest(NULL, &manifest));
    CHECK(manifest == untouched);

    liverysync_entry entry = {.size = sizeof entry, .path = "untouched"};
    liverysync_skipped skipped = {.size = sizeof skipped};
    liverysync_difference difference = {.size = sizeof difference};
    CHECK_RESULT(null, liverysync_manifest_entry(NULL, 0, &entry));
    CHECK_RESULT(null, liverysync_manifest_skipped(NULL, 0, &skipped));
    CHECK_RESULT(null, liverysync_union_entry(NULL, 0, &entry));
    CHECK_RESULT(null, liverysync_diff_item(NULL, 0, &difference));
    CHECK_TEXT("untouched", entry.path);

    liverysync_diff *diff = NULL;
    liverysync_union *merged = NULL;
    char *text = NULL;
    CHECK_RESULT(null, liverysync_diff_new(NULL, NULL, &diff));
    CHECK_RESULT(null, liverysync_merge(NULL, 1, NULL, &merged));
    CHECK_RESULT(null, liverysync_check_path(NULL, NULL));
    CHECK_RESULT(null, liverysync_conflict_name(NULL, SHA256_A, NULL, NULL, &text));
    CHECK_RESULT(null, liverysync_conflict_name("a.png", NULL, NULL, NULL, &text));
    CHECK_RESULT(null, liverysync_conflict_name("a.png", SHA256_A, NULL, NULL, NULL));
    CHECK_RESULT(null, liverysync_liveries_folder(NULL));
    CHECK(!diff && !merged && !text);

    CHECK_NUMBER(0, liverysync_manifest_count(NULL));
    CHECK_NUMBER(0, liverysync_manifest_skipped_count(NULL));
    CHECK_NUMBER(0, liverysync_manifest_total_bytes(NULL));
    CHECK_NUMBER(0, liverysync_diff_count(NULL));
    CHECK_NUMBER(0, liverysync_union_count(NULL));
    CHECK_NUMBER(0, liverysync_union_holder_count(NULL, 0));
    CHECK_NUMBER(0, liverysync_union_conflict_count(NULL));
    CHECK_NUMBER(0, liverysync_union_refused_count(NULL));
    CHECK_TEXT(NULL, liverysync_manifest_hash(NULL));

    liverysync_manifest_free(NULL);
    liverysync_diff_free(NULL);
    liverysync_union_free(NULL);
    liverysync_string_free(NULL);
}

static void strings_must_be_utf8(void)
{
    liverysync_manifest *manifest = NULL;
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_UTF8, liverysync_scan("caf\xe9", NULL, &manifest));
    CHECK_ERROR("folder is not UTF-8");
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_UTF8, liverysync_check_path("caf\xe9.png", NULL));
    CHECK_OK(liverysync_check_path("caf\xc3\xa9/\xe3\x83\x81\xe3\x83\xbc\xe3\x83\xa0.png", NULL));
    CHECK(!manifest);
}

static void a_struct_says_its_size(void)
{
    liverysync_manifest *manifest = NULL;
    const char *folder = new_folder();
    liverysync_scan_options options = {0};
    CHECK_RESULT(LIVERYSYNC_RESULT_STRUCT_SIZE, liverysync_scan(folder, &options, &manifest));
    CHECK_ERROR("liverysync_scan_options");
    options.size = sizeof options - 8;
    CHECK_RESULT(LIVERYSYNC_RESULT_STRUCT_SIZE, liverysync_scan(folder, &options, &manifest));

    /* A program of the future: what it leaves zero does not matter. */
    struct {
        liverysync_scan_options known;
        uint64_t unknown;
    } larger = {{.size = sizeof larger}, 0};
    CHECK_OK(liverysync_scan(folder, &larger.known, &manifest));
    liverysync_manifest_free(manifest);
    manifest = NULL;
    larger.unknown = 1;
    CHECK_RESULT(LIVERYSYNC_RESULT_STRUCT_SIZE, liverysync_scan(folder, &larger.known, &manifest));
    CHECK(!manifest);
}

static void only_what_the_caller_knows_is_written(void)
{
    liverysync_manifest *manifest = NULL;
    const liverysync_entry entry = {.size = sizeof entry, .path = "a.png", .sha256 = SHA256_A, .bytes = 1};
    CHECK_OK(liverysync_manifest_new(&entry, 1, NULL, &manifest));
    struct {
        liverysync_entry known;
        uint64_t unknown;
    } larger = {{.size = sizeof larger}, 17};
    CHECK_OK(liverysync_manifest_entry(manifest, 0, &larger.known));
    CHECK_TEXT("a.png", larger.known.path);
    CHECK_NUMBER(sizeof larger, larger.known.size);
    CHECK_NUMBER(17, larger.unknown);
    liverysync_entry unsized_entry = {0};
    CHECK_RESULT(LIVERYSYNC_RESULT_STRUCT_SIZE, liverysync_manifest_entry(manifest, 0, &unsized_entry));
    CHECK_TEXT(NULL, unsized_entry.path);
    liverysync_manifest_free(manifest);
}

static void *fail_elsewhere(void *unused)
{
    (void)unused;
    CHECK_TEXT("", liverysync_last_error());
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_PATH, liverysync_check_path("..", NULL));
    CHECK_ERROR("`..`");
    return NULL;
}

static void each_thread_has_its_own_error_text(void)
{
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_PATH, liverysync_check_path("con.png", NULL));
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, fail_elsewhere, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_ERROR("device name");
    CHECK_OK(liverysync_check_path("livery/decals.png", NULL));
    CHECK_ERROR("device name");
}

const test contract_tests[] = {
    {"contract::the_version_is_that_of_the_header", the_version_is_that_of_the_header},
    {"contract::results_have_names", results_have_names},
    {"contract::result_numbers_are_never_reused", result_numbers_are_never_reused},
    {"contract::null_gives_a_result_and_writes_nothing", null_gives_a_result_and_writes_nothing},
    {"contract::strings_must_be_utf8", strings_must_be_utf8},
    {"contract::a_struct_says_its_size", a_struct_says_its_size},
    {"contract::only_what_the_caller_knows_is_written", only_what_the_caller_knows_is_written},
    {"contract::each_thread_has_its_own_error_text", each_thread_has_its_own_error_text},
    {NULL, NULL},
};
