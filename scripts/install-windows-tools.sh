#!/usr/bin/env bash
# Installs what `cargo xtask windows` needs: a Rust compiler with the sources of its standard library,
# the mingw linker and Wine. All of it comes from Debian's own archives. Running it twice changes nothing.
#
#   install-windows-tools.sh           installs what is missing, then checks versions
#   install-windows-tools.sh --check   changes nothing; exit code 0: all there, 1: can be installed here,
#                                      3: cannot be installed here. Says what is missing on standard output.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The -web packages are the newer compiler that Debian carries for its browsers.
packages=(cargo-web rustc-web rust-web-src mingw-w64 wine64 wine)

missing() {
    local package
    for package in "${packages[@]}"; do
        dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed \
            || printf '%s ' "$package"
    done
}

obstacle() {
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        echo "needs a Debian-like x86-64 system (apt) for: ${packages[*]}"
    elif [ "$(dpkg --print-architecture)" != amd64 ]; then
        echo "needs an x86-64 system, this one is $(dpkg --print-architecture)"
    elif [ -n "$(missing)" ] && [ "$(id -u)" != 0 ]; then
        echo "needs $(missing)(root can install them with scripts/install-windows-tools.sh)"
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

# An older Debian has packages that are too old: better said here than as a page of compiler errors.
wanted_rust=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
found_rust=$(/usr/bin/rustc --version | cut -d' ' -f2)
oldest=$(printf '%s\n' "$wanted_rust" "$found_rust" | sort --version-sort | head -n 1)
if [ "$oldest" != "$wanted_rust" ]; then
    echo "error: /usr/bin/rustc is $found_rust, the project needs $wanted_rust or newer" >&2
    exit 1
fi
if [ ! -f "$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust/library/Cargo.lock" ]; then
    echo "error: the sources of the standard library are not where /usr/bin/rustc looks for them" >&2
    exit 1
fi
echo "rustc $found_rust, mingw gcc $(x86_64-w64-mingw32-gcc -dumpversion), $(wine --version 2>/dev/null)"
