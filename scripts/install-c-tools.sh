#!/usr/bin/env bash
# Installs what the step `ffi` of `cargo xtask test` needs beside a C compiler: a C++ compiler and valgrind, from
# Debian's own archives. Running it twice changes nothing.
#
#   install-c-tools.sh           installs what is missing
#   install-c-tools.sh --check   changes nothing; exit code 0: all there, 1: can be installed here,
#                                3: cannot be installed here. Says what is missing on standard output.
set -euo pipefail

missing() {
    command -v c++ >/dev/null || printf 'g++ '
    # The last one has the symbols of the C library, without which valgrind cannot watch some of its functions.
    command -v valgrind >/dev/null || printf 'valgrind libc6-dbg '
}

obstacle() {
    if [ -z "$(missing)" ]; then
        return
    elif ! command -v apt-get >/dev/null; then
        echo "needs $(missing)(or what your system calls them)"
    elif [ "$(id -u)" != 0 ]; then
        echo "needs $(missing)(root can install them with scripts/install-c-tools.sh)"
    fi
}

obstacle=$(obstacle)
if [ "${1:-}" = --check ]; then
    if [ -n "$obstacle" ]; then
        echo "$obstacle"
        exit 3
    fi
    missing=$(missing)
    [ -z "$missing" ] || { echo "missing: $missing"; exit 1; }
    exit 0
fi
[ -z "$obstacle" ] || { echo "error: $obstacle" >&2; exit 1; }

read -ra wanted <<<"$(missing)"
if [ "${#wanted[@]}" -gt 0 ]; then
    export DEBIAN_FRONTEND=noninteractive
    apt=(apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
    "${apt[@]}" update
    "${apt[@]}" install -y --no-install-recommends "${wanted[@]}"
fi
