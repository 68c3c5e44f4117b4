#!/bin/sh
# Builds hitl and lays out what the image adds to its base: build.sh DIR, in the root of the repository. Needs Go and a C compiler.
#
# HITL_VERSION is what `hitl version` will say: a tag, or a commit.
set -eu

out=${1:?usage: build.sh DIR}
mkdir -p "$out/usr/local/bin" "$out/etc/hitl" "$out/var/cache/hitl"
# With cgo, since ONNX Runtime is called through it. The binary is the same wherever it is built: no paths, no symbol table, no commit of the folder.
export CGO_ENABLED=1 GOFLAGS="${GOFLAGS:--trimpath}"
go build -buildvcs=false -ldflags "-s -w -X main.stamped=${HITL_VERSION:-}" -o "$out/usr/local/bin/hitl" ./cmd/hitl
