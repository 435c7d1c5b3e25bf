/* Merging what several PCs hold. */
#include <string.h>

#include "check.h"

#define ENTRY(path_, sha256_, mtime_) \
    {.size = sizeof(liverysync_entry), .path = (path_), .sha256 = (sha256_), .bytes = 1, .mtime_ns = (mtime_)}

/* Two PCs with rivals at #2/decals.png; the second one's is newer. The last one has a file where a folder is. */
static size_t make_league(const liverysync_manifest **league)
{
    const liverysync_entry first[] = {ENTRY("#2/decals.png", SHA256_A, 1), ENTRY("only/here.png", SHA256_B, 1)};
    const liverysync_entry second[] = {ENTRY("#2/decals.png", SHA256_B, 2)};
    const liverysync_entry third[] = {ENTRY("#2/DECALS.png", SHA256_A, 1), ENTRY("only/here.png/x.png", SHA256_A, 1)};
    const struct {
        const liverysync_entry *entries;
        size_t count;
    } lists[] = {{first, 2}, {second, 1}, {third, 2}};
    for (size_t i = 0; i < 3; i++) {
        liverysync_manifest *manifest = NULL;
        CHECK_OK(liverysync_manifest_new(lists[i].entries, lists[i].count, NULL, &manifest));
        league[i] = manifest;
    }
    return 3;
}

static liverysync_union *merge(const liverysync_merge_options *options)
{
    const liverysync_manifest *league[3];
    size_t count = make_league(league);
    liverysync_union *merged = NULL;
    CHECK_OK(liverysync_merge(league, count, options, &merged));
    for (size_t i = 0; i < count; i++) {
        liverysync_manifest_free((liverysync_manifest *)league[i]);
    }
    return merged;
}

static void check_file(const liverysync_union *merged, size_t index, const char *path, const char *sha256,
                       size_t holders)
{
    liverysync_entry entry = {.size = sizeof entry};
    if (CHECK_OK(liverysync_union_entry(merged, index, &entry))) {
        CHECK_TEXT(path, entry.path);
        CHECK_TEXT(sha256, entry.sha256);
        CHECK_NUMBER(holders, liverysync_union_holder_count(merged, index));
    }
}

static void the_union_has_every_content_under_some_name(void)
{
    liverysync_union *merged = merge(NULL);
    CHECK_NUMBER(3, liverysync_union_count(merged));
    check_file(merged, 0, "#2/decals.png", SHA256_A, 2);
    check_file(merged, 1, "#2/decals__CONFLICT__3e23e816.png", SHA256_B, 1);
    check_file(merged, 2, "only/here.png", SHA256_B, 1);
    liverysync_entry entry = {.size = sizeof entry};
    CHECK_RESULT(LIVERYSYNC_RESULT_OUT_OF_RANGE, liverysync_union_entry(merged, 3, &entry));

    liverysync_conflict conflict = {.size = sizeof conflict};
    CHECK_NUMBER(1, liverysync_union_conflict_count(merged));
    CHECK_OK(liverysync_union_conflict(merged, 0, &conflict));
    CHECK_NUMBER(1, conflict.peer);
    CHECK_TEXT("#2/decals.png", conflict.path);
    CHECK_TEXT("#2/decals__CONFLICT__3e23e816.png", conflict.conflict_path);
    CHECK_RESULT(LIVERYSYNC_RESULT_OUT_OF_RANGE, liverysync_union_conflict(merged, 1, &conflict));

    liverysync_refused refused = {.size = sizeof refused};
    CHECK_NUMBER(1, liverysync_union_refused_count(merged));
    CHECK_OK(liverysync_union_refused(merged, 0, &refused));
    CHECK_NUMBER(2, refused.peer);
    CHECK_TEXT("only/here.png/x.png", refused.path);
    CHECK_RESULT(LIVERYSYNC_RESULT_OUT_OF_RANGE, liverysync_union_refused(merged, 1, &refused));
    liverysync_union_free(merged);
}

static void each_holder_has_its_own_path(void)
{
    liverysync_union *merged = merge(NULL);
    liverysync_holder holder = {.size = sizeof holder};
    CHECK_OK(liverysync_union_holder(merged, 0, 0, &holder));
    CHECK_NUMBER(0, holder.peer);
    CHECK_TEXT("#2/decals.png", holder.path);
    CHECK_OK(liverysync_union_holder(merged, 0, 1, &holder));
    CHECK_NUMBER(2, holder.peer);
    CHECK_TEXT("#2/DECALS.png", holder.path);
    CHECK_OK(liverysync_union_holder(merged, 1, 0, &holder));
    CHECK_NUMBER(1, holder.peer);
    CHECK_TEXT("#2/decals.png", holder.path);
    CHECK_RESULT(LIVERYSYNC_RESULT_OUT_OF_RANGE, liverysync_union_holder(merged, 1, 1, &holder));
    CHECK_RESULT(LIVERYSYNC_RESULT_OUT_OF_RANGE, liverysync_union_holder(merged, 9, 0, &holder));
    CHECK_NUMBER(0, liverysync_union_holder_count(merged, 9));
    liverysync_union_free(merged);
}

static void the_policy_says_who_keeps_the_name(void)
{
    static const struct {
        uint32_t policy;
        const char *keeps;
    } cases[] = {
        {LIVERYSYNC_POLICY_ESTABLISHED, SHA256_A},
        {LIVERYSYNC_POLICY_LOWEST_HASH, SHA256_B},
        {LIVERYSYNC_POLICY_NEWEST_MTIME, SHA256_B},
    };
    for (size_t i = 0; i < 3; i++) {
        const liverysync_merge_options options = {.size = sizeof options, .policy = cases[i].policy};
        liverysync_union *merged = merge(&options);
        liverysync_entry entry = {.size = sizeof entry};
        CHECK_OK(liverysync_union_entry(merged, 0, &entry));
        CHECK_TEXT(cases[i].keeps, entry.sha256);
        liverysync_union_free(merged);
    }
    const liverysync_merge_options unknown = {.size = sizeof unknown, .policy = 3};
    liverysync_union *merged = NULL;
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_ARGUMENT, liverysync_merge(NULL, 0, &unknown, &merged));
    CHECK(!merged);
}

static void the_scope_says_what_gets_a_conflict_name(void)
{
    const liverysync_merge_options options = {.size = sizeof options, .scope = LIVERYSYNC_SCOPE_LIVERY};
    liverysync_union *merged = merge(&options);
    liverysync_conflict conflict = {.size = sizeof conflict};
    CHECK_OK(liverysync_union_conflict(merged, 0, &conflict));
    CHECK(strstr(conflict.conflict_path, "__CONFLICT__") < strchr(conflict.conflict_path, '/'));
    liverysync_union_free(merged);
    const liverysync_merge_options unknown = {.size = sizeof unknown, .scope = 2};
    merged = NULL;
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_ARGUMENT, liverysync_merge(NULL, 0, &unknown, &merged));
    CHECK(!merged);
}

static void a_diff_with_the_unions_manifest_shows_what_a_pc_lacks(void)
{
    const liverysync_manifest *league[3];
    size_t count = make_league(league);
    liverysync_union *merged = NULL;
    liverysync_manifest *want = NULL;
    liverysync_diff *diff = NULL;
    CHECK_OK(liverysync_merge(league, count, NULL, &merged));
    CHECK_OK(liverysync_union_manifest(merged, &want));
    liverysync_union_free(merged);
    CHECK_OK(liverysync_diff_new(league[0], want, &diff));
    liverysync_difference item = {.size = sizeof item};
    CHECK_NUMBER(1, liverysync_diff_count(diff));
    CHECK_OK(liverysync_diff_item(diff, 0, &item));
    CHECK_TEXT("#2/decals__CONFLICT__3e23e816.png", item.path);
    liverysync_diff_free(diff);
    liverysync_manifest_free(want);
    for (size_t i = 0; i < count; i++) {
        liverysync_manifest_free((liverysync_manifest *)league[i]);
    }
}

static void a_list_may_be_empty_but_holds_no_null(void)
{
    liverysync_union *merged = NULL;
    CHECK_OK(liverysync_merge(NULL, 0, NULL, &merged));
    CHECK_NUMBER(0, liverysync_union_count(merged));
    liverysync_union_free(merged);
    merged = NULL;
    const liverysync_manifest *hole[1] = {NULL};
    CHECK_RESULT(LIVERYSYNC_RESULT_NULL_POINTER, liverysync_merge(hole, 1, NULL, &merged));
    CHECK_ERROR("number 0 of manifests");
    CHECK(!merged);
}

const test union_tests[] = {
    {"union::the_union_has_every_content_under_some_name", the_union_has_every_content_under_some_name},
    {"union::each_holder_has_its_own_path", each_holder_has_its_own_path},
    {"union::the_policy_says_who_keeps_the_name", the_policy_says_who_keeps_the_name},
    {"union::the_scope_says_what_gets_a_conflict_name", the_scope_says_what_gets_a_conflict_name},
    {"union::a_diff_with_the_unions_manifest_shows_what_a_pc_lacks",
     a_diff_with_the_unions_manifest_shows_what_a_pc_lacks},
    {"union::a_list_may_be_empty_but_holds_no_null", a_list_may_be_empty_but_holds_no_null},
    {NULL, NULL},
};
