/* The path rule, conflict names, the game's folder. */
#define _POSIX_C_SOURCE 200809L

#include "check.h"

#include <stdlib.h>

static void valid_paths_are_accepted_and_others_refused_with_a_reason(void)
{
    CHECK_OK(liverysync_check_path("#2_TeamIris_992/decals.json", NULL));
    static const struct {
        const char *path, *reason;
    } refused[] = {
        {"", "empty"},
        {"/etc/passwd.txt", "slash"},
        {"a/../b.png", "`..`"},
        {"C:/a.png", "`:`"},
        {"a/nul.png", "device name"},
        {"a./b.png", "dot"},
        {".backup/a.png", "own"},
        {"a/b.exe", "`exe`"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_PATH, liverysync_check_path(refused[i].path, NULL));
        CHECK_ERROR(refused[i].reason);
    }
}

static void extensions_are_separated_by_commas(void)
{
    CHECK_OK(liverysync_check_path("a/b.EXE", "png, .exe"));
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_PATH, liverysync_check_path("a/b.json", "png,exe"));
    CHECK_OK(liverysync_check_path("a.png", ",png,"));
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_ARGUMENT, liverysync_check_path("a.png", "png,.."));
    CHECK_ERROR("file extension");
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_ARGUMENT, liverysync_check_path("a.png", ""));
    CHECK_ERROR("an empty list of extensions");
}

static void a_conflict_copy_is_named_after_its_content(void)
{
    char *name = NULL;
    CHECK_OK(liverysync_conflict_name("#2/decals.png", SHA256_A, NULL, NULL, &name));
    CHECK_TEXT("#2/decals__CONFLICT__ca978112.png", name);
    liverysync_string_free(name);
    CHECK_OK(liverysync_conflict_name("#2/decals__CONFLICT__ca978112.png", SHA256_B, NULL, NULL, &name));
    CHECK_TEXT("#2/decals__CONFLICT__3e23e816.png", name);
    liverysync_string_free(name);
}

static void a_taken_name_gets_a_number(void)
{
    const liverysync_entry other = {.size = sizeof other,
                                    .path = "#2/DECALS__conflict__CA978112.png",
                                    .sha256 = SHA256_B,
                                    .bytes = 1};
    liverysync_manifest *taken = NULL;
    char *name = NULL;
    CHECK_OK(liverysync_manifest_new(&other, 1, NULL, &taken));
    CHECK_OK(liverysync_conflict_name("#2/decals.png", SHA256_A, NULL, taken, &name));
    CHECK_TEXT("#2/decals__CONFLICT__ca978112_1.png", name);
    liverysync_string_free(name);
    liverysync_manifest_free(taken);
}

static void a_league_may_set_its_own_suffix(void)
{
    liverysync_naming_options options = {.size = sizeof options, .suffix = "~~", .extensions = "bin"};
    char *name = NULL;
    CHECK_OK(liverysync_conflict_name("a.bin", SHA256_A, &options, NULL, &name));
    CHECK_TEXT("a~~ca978112.bin", name);
    liverysync_string_free(name);
    name = NULL;
    options.suffix = "?";
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_ARGUMENT,
                 liverysync_conflict_name("a.bin", SHA256_A, &options, NULL, &name));
    options.suffix = "";
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_ARGUMENT,
                 liverysync_conflict_name("a.bin", SHA256_A, &options, NULL, &name));
    CHECK(!name);
}

static void a_hash_has_64_hex_digits(void)
{
    char *name = NULL;
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_ARGUMENT,
                 liverysync_conflict_name("a.png", "ca978112", NULL, NULL, &name));
    CHECK_ERROR("64 hex digits");
    CHECK(!name);
}

static void text_of_other_people_is_made_safe_to_show(void)
{
    char *escaped = NULL;
    CHECK_OK(liverysync_escape("Zo\xc3\xab \x1b[2J\n", &escaped));
    CHECK_TEXT("Zo\xc3\xab \\u{1b}[2J\\u{a}", escaped);
    liverysync_string_free(escaped);
    escaped = NULL;
    CHECK_RESULT(LIVERYSYNC_RESULT_INVALID_UTF8, liverysync_escape("\xff", &escaped));
    CHECK_RESULT(LIVERYSYNC_RESULT_NULL_POINTER, liverysync_escape(NULL, &escaped));
    CHECK_RESULT(LIVERYSYNC_RESULT_NULL_POINTER, liverysync_escape("", NULL));
    CHECK(!escaped);
}

static void the_games_folder_is_found_below_the_documents(void)
{
    const char *home = new_folder();
    put_file(home, ".config/user-dirs.dirs", "XDG_DOCUMENTS_DIR=\"$HOME/Documents\"\n");
    const char *old_home = getenv("HOME");
    char *folder = NULL;
    CHECK(setenv("HOME", home, 1) == 0);
    CHECK(unsetenv("XDG_CONFIG_HOME") == 0);
    CHECK_RESULT(LIVERYSYNC_RESULT_NOT_FOUND, liverysync_liveries_folder(&folder));
    CHECK_ERROR("tried");
    CHECK(!folder);
    put_file(home, "Documents/Assetto Corsa Competizione/Customs/Liveries/a/decals.png", "a");
    if (CHECK_OK(liverysync_liveries_folder(&folder))) {
        CHECK(file_is(folder, "a/decals.png", "a"));
        liverysync_string_free(folder);
    }
    if (old_home) {
        setenv("HOME", old_home, 1);
    }
}

const test path_tests[] = {
    {"paths::valid_paths_are_accepted_and_others_refused_with_a_reason",
     valid_paths_are_accepted_and_others_refused_with_a_reason},
    {"paths::extensions_are_separated_by_commas", extensions_are_separated_by_commas},
    {"paths::a_conflict_copy_is_named_after_its_content", a_conflict_copy_is_named_after_its_content},
    {"paths::a_taken_name_gets_a_number", a_taken_name_gets_a_number},
    {"paths::a_league_may_set_its_own_suffix", a_league_may_set_its_own_suffix},
    {"paths::a_hash_has_64_hex_digits", a_hash_has_64_hex_digits},
    {"paths::text_of_other_people_is_made_safe_to_show", text_of_other_people_is_made_safe_to_show},
    {"paths::the_games_folder_is_found_below_the_documents",
     the_games_folder_is_found_below_the_documents},
    {NULL, NULL},
};
