#!/bin/sh
# Makes what a release consists of, of the commit that is checked out: deploy/release.sh VERSION DIR
#
#     hitl-VERSION-OS-ARCH             the command, as deploy/image/build.sh builds it for the image
#     hitl-VERSION-OS-ARCH.cdx.json    its bill of materials (CycloneDX): the modules that are linked into it, with their hashes, and Go itself
#     notes-VERSION.md                 the first section of CHANGELOG.md
#     SHA256SUMS                       of all of these
#
# The command is built twice, in two folders and the second time with nothing compiled before, and nothing is written unless both are the same, bit for
# bit. So anybody with the same Go and C compiler can build it again and compare. The bill and the notes are the same each time too. ONNX Runtime is
# none of it: deploy/image/onnxruntime.sh names its version and hash.
set -eu

version=${1:?usage: release.sh VERSION DIR}
out=${2:?usage: release.sh VERSION DIR}
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
name=hitl-$version-$(go env GOOS)-$(go env GOARCH)

build() { # folder of the source, folder for the tree
	mkdir -p "$1"
	git archive HEAD | tar -x -C "$1"
	(cd "$1" && HITL_VERSION=$version GOFLAGS=-trimpath deploy/image/build.sh "$2")
}
build "$work/a" "$work/first"
GOCACHE=$work/cache build "$work/another/folder" "$work/second"
if ! cmp "$work/first/usr/local/bin/hitl" "$work/second/usr/local/bin/hitl"; then
	echo "release.sh: the same source gave two different commands; go tool buildid and go version -m show what differs" >&2
	exit 1
fi

go build -C deploy/tools/sbom -o "$work/" github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod
(cd "$work/first/usr/local/bin" && "$work/cyclonedx-gomod" bin -json -std -noserial -notimestamp -version "$version" -output "$work/bill" hitl)

awk '/^## / { if (n++) exit; next } n && (NF || begun) { begun = 1; print }' CHANGELOG.md >"$work/notes"
case $(grep -m1 '^## ' CHANGELOG.md) in
*"${version#v}"*) ;;
*) echo "release.sh: the notes are those of \"$(grep -m1 '^## ' CHANGELOG.md)\": no section of CHANGELOG.md is first and called ${version#v}" >&2 ;;
esac

install -m 0755 "$work/first/usr/local/bin/hitl" "$out/$name"
install -m 0644 "$work/bill" "$out/$name.cdx.json"
install -m 0644 "$work/notes" "$out/notes-$version.md"
(cd "$out" && sha256sum "$name" "$name.cdx.json" "notes-$version.md" | tee SHA256SUMS)
