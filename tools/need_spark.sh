#!/usr/bin/env bash
# A real Spark for the slow tests, in an environment of its own. Without Java those tests skip and say so.
set -euo pipefail
command -v java >/dev/null || { echo "no Java here: the rules are not compared on Spark" >&2; exit 0; }
folder=acceptance/spark
[ "$folder/.venv/.ready" -nt "$folder/requirements.txt" ] && exit 0
echo "installing Spark for the slow tests"
"$1" -m venv "$folder/.venv"
"$folder/.venv/bin/pip" --disable-pip-version-check --quiet --no-input install --require-hashes -r "$folder/requirements.txt"
touch "$folder/.venv/.ready"
