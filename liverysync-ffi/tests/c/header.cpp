// The header from C++, twice, and alone in front of everything else.
#include <liverysync.h>
#include <liverysync.h>

#include <cstdio>
#include <type_traits>

static_assert(std::is_same<decltype(liverysync_version_number()), uint32_t>::value, "a number");
static_assert(sizeof(liverysync_result) == 4, "as in C");

int main()
{
    liverysync_scan_options options = {};
    options.size = sizeof options;
    liverysync_manifest *manifest = nullptr;
    bool ok = liverysync_scan(nullptr, &options, &manifest) == LIVERYSYNC_RESULT_NULL_POINTER
              && liverysync_version_number() == LIVERYSYNC_VERSION_NUMBER && manifest == nullptr;
    std::printf("test cpp::the_header_works_from_cpp ... %s\n", ok ? "ok" : "FAILED");
    std::printf("test result: %s. %d passed; %d failed; 0 ignored\n", ok ? "ok" : "FAILED", ok ? 1 : 0,
                ok ? 0 : 1);
    return ok ? 0 : 1;
}
