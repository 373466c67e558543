#!/usr/bin/env bash
# Node builds the pages' assets. Where it is absent it comes from a wheel, into the virtual environment.
set -euo pipefail
bin=$1 lock=$2
if command -v npm >/dev/null && [ "$(node --version 2>/dev/null | sed -E 's/^v([0-9]+).*/\1/')" -ge 18 ] 2>/dev/null; then exit 0; fi
[ -x "$bin/npm" ] && exit 0
"$bin/python" -m pip --disable-pip-version-check --quiet install --require-hashes -r "$lock"
