"""Tokenises with Hugging Face's tokenizers, for hitl-bench: as fast as it can on one core, without offsets.

    tokenize.py TOKENIZER_JSON TEXTS_JSON LIMIT

Prints one JSON line with the ids of every text and the version, and then, for each line that it reads, the seconds that all texts took.
"""

import json
import sys
import time

import tokenizers

tokenizer = tokenizers.Tokenizer.from_file(sys.argv[1])
tokenizer.no_padding()
tokenizer.enable_truncation(int(sys.argv[3]))
with open(sys.argv[2], encoding="utf-8") as file:
    texts = json.load(file)
encode = tokenizer.encode_batch_fast
print(json.dumps({"version": tokenizers.__version__, "ids": [e.ids for e in encode(texts)]}), flush=True)
for _ in sys.stdin:
    begin = time.perf_counter()
    encode(texts)
    print(time.perf_counter() - begin, flush=True)
