#!/usr/bin/env bash
# Make a virtual environment; on a bare Debian the venv module is a package of its own.
set -euo pipefail
python=$1 folder=$2
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Datong needs Python 3.11 or newer; $python is older. Name another: make PYTHON=python3.12 …" >&2; exit 1; }
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y python3-venv >/dev/null
  else
    echo "Install the venv module of $python first (Debian: apt-get install python3-venv)." >&2
    exit 1
  fi
fi
"$python" -m venv "$folder"
