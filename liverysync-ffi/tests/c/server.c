#include "check.h"
const test server_tests[] = {{NULL, NULL}};
