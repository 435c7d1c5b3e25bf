#include "check.h"
const test client_tests[] = {{NULL, NULL}};
