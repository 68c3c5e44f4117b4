#!/bin/sh
# Lays ONNX Runtime's library into a folder: onnxruntime.sh DIR [x64|arm64]. Needs npm and nothing else.
#
# The library is the one that Microsoft publishes for Node, by version; what came is used only if it is, bit for bit, what was tested.
set -eu

version=1.30.0
sha256_x64=ffb75a925ba05e47b235bb66e3e3911714a80b328a9c9425539feb204aa32a23
sha256_arm64=1f549d46250b005580b597f4164984aaf75b3bcb9f3aeb07c7f8a8fe60b23c76

out=${1:?usage: onnxruntime.sh DIR [x64|arm64]}
arch=${2:-$(uname -m)}
case $arch in
  x64 | x86_64 | amd64) arch=x64 sha256=$sha256_x64 ;;
  arm64 | aarch64) arch=arm64 sha256=$sha256_arm64 ;;
  *) echo "onnxruntime.sh: no library for $arch; hitl runs its models in pure Go there" >&2 && exit 1 ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$work" && npm pack --silent "onnxruntime-node@$version" >archive && tar xzf "$(cat archive)" "package/bin/napi-v6/linux/$arch/libonnxruntime.so.1")
lib=$work/package/bin/napi-v6/linux/$arch/libonnxruntime.so.1
echo "$sha256  $lib" | sha256sum --check --quiet -
mkdir -p "$out"
install -m 0644 "$lib" "$out/libonnxruntime.so.1"
