#!/usr/bin/env bash
# Installs what `cargo xtask test --only python` needs beside Python itself: the module that makes virtual environments, which
# Debian has in a package of its own. Running it twice changes nothing.
set -euo pipefail

if python3 -c 'import ensurepip, venv' 2>/dev/null; then
    exit 0
fi
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    echo "error: python3 cannot make virtual environments (modules ensurepip and venv); on Debian: apt-get install python3-venv" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt=(apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
"${apt[@]}" update
"${apt[@]}" install -y --no-install-recommends python3-venv
