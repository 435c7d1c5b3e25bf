/* Scans, manifests and their differences. */
#define _POSIX_C_SOURCE 200809L

#include "check.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ENTRY(path_, sha256_) \
    {.size = sizeof(liverysync_entry), .path = (path_), .sha256 = (sha256_), .bytes = 1, \
     .mtime_ns = LIVERYSYNC_MTIME_UNKNOWN}

static liverysync_manifest *manifest_of(const liverysync_entry *entries, size_t count)
{
    liverysync_manifest *manifest = NULL;
    CHECK_OK(liverysync_manifest_new(entries, count, NULL, &manifest));
    return manifest;
}

static void check_entry(const liverysync_manifest *manifest, size_t index, const char *path,
                        const char *sha256)
{
    liverysync_entry entry = {.size = sizeof entry};
    if (CHECK_OK(liverysync_manifest_entry(manifest, index, &entry))) {
        CHECK_TEXT(path, entry.path);
        CHECK_TEXT(sha256, entry.sha256);
        CHECK_NUMBER(1, entry.bytes);
    }
}

static void a_scan_shows_what_is_shared_and_what_is_not(void)
{
    const char *folder = new_folder();
    put_file(folder, "#2/decals.png", "a");
    put_file(folder, "#2/sponsors.png", "b");
    put_file(folder, "#2/decals_0.dds", "made by the game");
    put_file(folder, "notes.doc", "mine");
    put_file(folder, ".backup/old.png", "kept");
    char link[600];
    snprintf(link, sizeof link, "%s/link.png", folder);
    CHECK(symlink("#2/decals.png", link) == 0);

    liverysync_manifest *manifest = NULL;
    if (!CHECK_OK(liverysync_scan(folder, NULL, &manifest))) {
        return;
    }
    CHECK_NUMBER(2, liverysync_manifest_count(manifest));
    CHECK_NUMBER(2, liverysync_manifest_total_bytes(manifest));
    check_entry(manifest, 0, "#2/decals.png", SHA256_A);
    check_entry(manifest, 1, "#2/sponsors.png", SHA256_B);
    liverysync_entry entry = {.size = sizeof entry};
    CHECK_OK(liverysync_manifest_entry(manifest, 0, &entry));
    CHECK(entry.mtime_ns > 1600000000000000000);
    CHECK_RESULT(LIVERYSYNC_RESULT_OUT_OF_RANGE, liverysync_manifest_entry(manifest, 2, &entry));
    CHECK_ERROR("there are 2");

    static const struct {
        const char *path, *kind, *reason;
    } expected[] = {
        {"#2/decals_0.dds", "cache", "#2/decals.png"},
        {"link.png", "link", "link"},
        {"notes.doc", "extension", "doc"},
    };
    CHECK_NUMBER(3, liverysync_manifest_skipped_count(manifest));
    for (size_t i = 0; i < 3; i++) {
        liverysync_skipped skipped = {.size = sizeof skipped};
        if (CHECK_OK(liverysync_manifest_skipped(manifest, i, &skipped))) {
            CHECK_TEXT(expected[i].path, skipped.path);
            CHECK_TEXT(expected[i].kind, skipped.kind);
            CHECK(strstr(skipped.reason, expected[i].reason));
        }
    }
    liverysync_skipped skipped = {.size = sizeof skipped};
    CHECK_RESULT(LIVERYSYNC_RESULT_OUT_OF_RANGE, liverysync_manifest_skipped(manifest, 3, &skipped));
    liverysync_manifest_free(manifest);
}

static void options_change_what_is_shared(void)
{
    const char *folder = new_folder();
    put_file(folder, "#2/decals.png", "a");
    put_file(folder, "#2/decals_0.dds", "cache");
    put_file(folder, "#3/decals.json", "{}");
    put_file(folder, "#3/notes.doc", "12345678");
    liverysync_scan_options options = {.size = sizeof options};
    static const struct {
        const char *extensions;
        uint32_t derived_dds, placeholders;
        uint64_t max_entries, max_file_size, expected;
    } cases[] = {
        {NULL, 0, 0, 0, 0, 1},  {NULL, 1, 0, 0, 0, 2},         {NULL, 0, 1, 0, 0, 2},
        {"doc", 0, 0, 0, 0, 1}, {"doc,PNG,json", 0, 1, 0, 0, 3}, {NULL, 1, 1, 2, 0, 2},
        {"doc", 0, 0, 0, 7, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        liverysync_manifest *manifest = NULL;
        options.extensions = cases[i].extensions;
        options.derived_dds = cases[i].derived_dds;
        options.placeholders = cases[i].placeholders;
        options.max_entries = cases[i].max_entries;
        options.max_file_size = cases[i].max_file_size;
        CHECK_OK(liverysync_scan(folder, &options, &manifest));
        CHECK_NUMBER(cases[i].expected, liverysync_manifest_count(manifest));
        liverysync_manifest_free(manifest);
    }
}

static void a_missing_folder_is_a_failure(void)
{
    char folder[600];
    snprintf(folder, sizeof folder, "%s/none", new_folder());
    liverysync_manifest *manifest = NULL;
    CHECK_RESULT(LIVERYSYNC_RESULT_FOLDER, liverysync_scan(folder, NULL, &manifest));
    CHECK_ERROR(folder);
    CHECK(!manifest);
}

static void lint_finds_what_is_wrong(void)
{
    const char *folder = new_folder();
    put_file(folder, "New folder/decals.txt", "a");
    char *findings = NULL;
    if (CHECK_OK(liverysync_lint(folder, NULL, NULL, &findings))) {
        CHECK_TEXT("[{\"kind\":\"no-picture\",\"livery\":\"New folder\",\"path\":null,"
                   "\"reason\":\"no decals.png and no sponsors.png; the game shows nothing\","
                   "\"fix\":\"add its decals.png or sponsors.png, or move the folder out of Liveries\"},"
                   "{\"kind\":\"new-folder\",\"livery\":\"New folder\",\"path\":null,"
                   "\"reason\":\"the name that Windows gives a new folder\","
                   "\"fix\":\"give it the name that the car file has as customSkinName\"}]",
                   findings);
        liverysync_string_free(findings);
    }

    const char *rules_folder = new_folder();
    char rules[600];
    snprintf(rules, sizeof rules, "%s/rules.toml", rules_folder);
    findings = NULL;
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_ARGUMENT,
                 liverysync_lint(folder, NULL, rules, &findings));
    CHECK_ERROR(rules);
    put_file(rules_folder, "rules.toml", "files = ['decals.png']\nsides = 3\n");
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_ARGUMENT,
                 liverysync_lint(folder, NULL, rules, &findings));
    CHECK_ERROR("line 2, `sides`");
    CHECK(findings == NULL);
    liverysync_client_options options = {
        .size = sizeof options, .host = "127.0.0.1", .liveries = folder, .lint_rules = rules};
    liverysync_client *client = NULL;
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_ARGUMENT, liverysync_client_start(&options, &client));
    CHECK_ERROR("line 2, `sides`");

    put_file(rules_folder, "rules.toml", "files = ['decals.png']\n");
    if (CHECK_OK(liverysync_lint(folder, NULL, rules, &findings))) {
        CHECK(strstr(findings, "\"kind\":\"file-not-allowed\",\"livery\":\"New folder\","
                               "\"path\":\"New folder/decals.txt\""));
        liverysync_string_free(findings);
    }
    CHECK_RESULT(LIVERYSYNC_RESULT_FOLDER, liverysync_lint(rules, NULL, NULL, &findings));
}

static void entries_from_elsewhere_make_a_manifest(void)
{
    char path[] = "b/decals.png";
    const liverysync_entry entries[] = {ENTRY(path, SHA256_B), ENTRY("A/decals.png", SHA256_A)};
    liverysync_manifest *manifest = manifest_of(entries, 2);
    /* It keeps copies. */
    memset(path, 'x', sizeof path - 1);
    CHECK_NUMBER(2, liverysync_manifest_count(manifest));
    check_entry(manifest, 0, "A/decals.png", SHA256_A);
    check_entry(manifest, 1, "b/decals.png", SHA256_B);
    liverysync_entry entry = {.size = sizeof entry};
    CHECK_OK(liverysync_manifest_entry(manifest, 0, &entry));
    CHECK(entry.mtime_ns == LIVERYSYNC_MTIME_UNKNOWN);
    CHECK_NUMBER(0, liverysync_manifest_skipped_count(manifest));
    liverysync_manifest_free(manifest);

    manifest = manifest_of(NULL, 0);
    CHECK_NUMBER(0, liverysync_manifest_count(manifest));
    /* The SHA-256 of "[]". */
    CHECK_TEXT("4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
               liverysync_manifest_hash(manifest));
    liverysync_manifest_free(manifest);
}

static void impossible_entries_are_refused(void)
{
    liverysync_manifest *manifest = NULL;
    const liverysync_entry twice[] = {ENTRY("a.png", SHA256_A), ENTRY("A.PNG", SHA256_A)};
    CHECK_RESULT(LIVERYSYNC_RESULT_COLLISION, liverysync_manifest_new(twice, 2, NULL, &manifest));
    CHECK_ERROR("A.PNG");
    const liverysync_entry outside = ENTRY("../a.png", SHA256_A);
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_PATH, liverysync_manifest_new(&outside, 1, NULL, &manifest));
    const liverysync_entry unlisted = ENTRY("a.png", SHA256_A);
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_PATH, liverysync_manifest_new(&unlisted, 1, "dds", &manifest));
    const liverysync_entry hashless = ENTRY("a.png", "0");
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_ARGUMENT,
                 liverysync_manifest_new(&hashless, 1, NULL, &manifest));
    const liverysync_entry pathless = ENTRY(NULL, SHA256_A);
    CHECK_RESULT(LIVERYSYNC_RESULT_NULL_POINTER, liverysync_manifest_new(&pathless, 1, NULL, &manifest));
    CHECK(!manifest);
}

static void the_hash_tells_whether_two_pcs_have_the_same_files(void)
{
    const liverysync_entry one[] = {ENTRY("a.png", SHA256_A), ENTRY("b.png", SHA256_B)};
    const liverysync_entry other[] = {ENTRY("b.png", SHA256_B), ENTRY("a.png", SHA256_A)};
    liverysync_manifest *same = manifest_of(one, 2), *as = manifest_of(other, 2), *less = manifest_of(one, 1);
    CHECK_NUMBER(64, strlen(liverysync_manifest_hash(same)));
    CHECK_TEXT(liverysync_manifest_hash(same), liverysync_manifest_hash(as));
    CHECK(strcmp(liverysync_manifest_hash(same), liverysync_manifest_hash(less)) != 0);
    CHECK(liverysync_manifest_hash(same) == liverysync_manifest_hash(same));
    liverysync_manifest_free(same);
    liverysync_manifest_free(as);
    liverysync_manifest_free(less);
}

static void a_diff_says_what_is_missing_different_and_extra(void)
{
    const liverysync_entry have[] = {ENTRY("same.png", SHA256_A), ENTRY("other.png", SHA256_A),
                                     ENTRY("mine.png", SHA256_A)};
    const liverysync_entry want[] = {ENTRY("SAME.png", SHA256_A), ENTRY("Other.png", SHA256_B),
                                     ENTRY("theirs.png", SHA256_B)};
    liverysync_manifest *mine = manifest_of(have, 3), *theirs = manifest_of(want, 3);
    liverysync_diff *diff = NULL;
    CHECK_OK(liverysync_diff_new(mine, theirs, &diff));
    liverysync_manifest_free(mine);
    liverysync_manifest_free(theirs);
    CHECK_NUMBER(3, liverysync_diff_count(diff));
    static const struct {
        liverysync_diff_kind kind;
        const char *path, *have, *want;
    } expected[] = {
        {LIVERYSYNC_DIFF_KIND_MISSING, "theirs.png", NULL, SHA256_B},
        {LIVERYSYNC_DIFF_KIND_DIFFERENT, "Other.png", SHA256_A, SHA256_B},
        {LIVERYSYNC_DIFF_KIND_EXTRA, "mine.png", SHA256_A, NULL},
    };
    liverysync_difference item = {.size = sizeof item};
    for (size_t i = 0; i < 3; i++) {
        if (CHECK_OK(liverysync_diff_item(diff, i, &item))) {
            CHECK_NUMBER(expected[i].kind, item.kind);
            CHECK_TEXT(expected[i].path, item.path);
            CHECK_TEXT(expected[i].have, item.have_sha256);
            CHECK_TEXT(expected[i].want, item.want_sha256);
            CHECK_NUMBER(expected[i].have ? 1 : 0, item.have_bytes);
            CHECK_NUMBER(expected[i].want ? 1 : 0, item.want_bytes);
        }
    }
    CHECK_RESULT(LIVERYSYNC_RESULT_OUT_OF_RANGE, liverysync_diff_item(diff, 3, &item));
    liverysync_diff_free(diff);
}

const test manifest_tests[] = {
    {"manifest::a_scan_shows_what_is_shared_and_what_is_not", a_scan_shows_what_is_shared_and_what_is_not},
    {"manifest::options_change_what_is_shared", options_change_what_is_shared},
    {"manifest::a_missing_folder_is_a_failure", a_missing_folder_is_a_failure},
    {"manifest::lint_finds_what_is_wrong", lint_finds_what_is_wrong},
    {"manifest::entries_from_elsewhere_make_a_manifest", entries_from_elsewhere_make_a_manifest},
    {"manifest::impossible_entries_are_refused", impossible_entries_are_refused},
    {"manifest::the_hash_tells_whether_two_pcs_have_the_same_files",
     the_hash_tells_whether_two_pcs_have_the_same_files},
    {"manifest::a_diff_says_what_is_missing_different_and_extra",
     a_diff_says_what_is_missing_different_and_extra},
    {NULL, NULL},
};
