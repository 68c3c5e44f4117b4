"""The labelled sentences: which are held out for ever, which may be learned from.

UCI's sentences (Kotzias et al. 2015) have a label each, 0 or 1. VADER's snippets (Hutto and Gilbert 2014) were rated by twenty or
more people each from -4 to 4; they become soft labels, so that what people call mixed stays mixed.
"""

import hashlib
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path

HELD_OUT_PER_FILE = 200
UCI_FILES = ("amazon", "imdb", "yelp")
VADER_FILES = ("amazonReviewSnippets", "movieReviewSnippets", "tweets", "nytEditorialSnippets")

# A text is too near a held-out one when they share this part of their words, or when one holds the other's words in a row.
NEAR = 0.7


@dataclass(frozen=True)
class Example:
    text: str
    target: float  # probability of POSITIVE
    weight: float
    source: str


@dataclass(frozen=True)
class Corpus:
    train: list[Example]  # UCI sentences that may be learned from
    extra: list[Example]  # VADER's snippets and single rated words
    held_out: list[Example]
    dropped: dict[str, int]  # why texts were left out, for the model card


def text_hash(text: str) -> str:
    """Names a text by its words alone, so that case, spacing and punctuation can't hide a held-out sentence."""
    return hashlib.sha256(" ".join(_words(text)).encode()).hexdigest()


def load(folders: dict[str, Path]) -> Corpus:
    dropped = {"null": 0, "duplicate": 0, "contradicting": 0, "near_held_out": 0}
    uci, held_out = [], []
    for name, examples in _uci(folders["sentiment"], dropped).items():
        ranked = sorted(examples, key=lambda example: text_hash(example.text))
        held_out += ranked[:HELD_OUT_PER_FILE]
        uci += ranked[HELD_OUT_PER_FILE:]
    guard = _Guard(held_out)
    extra = _snippets(folders["vaderSentiment"]) + _lexicon(folders["vaderSentiment"])
    seen = {text_hash(example.text) for example in uci}
    train = _keep(uci, guard, set(), dropped)
    extra = _keep(extra, guard, seen, dropped)
    return Corpus(train, extra, held_out, dropped)


def _uci(folder: Path, dropped: dict[str, int]) -> dict[str, list[Example]]:
    labels: dict[str, set[int]] = {}
    files: dict[str, list[Example]] = {}
    for name in UCI_FILES:
        files[name] = []
        for row in json.loads((folder / "package/test/fixtures" / f"{name}.json").read_text()):
            if not row or not row.get("text") or row.get("class") not in (0, 1) or not _words(row["text"]):
                dropped["null"] += 1
                continue
            key = text_hash(row["text"])
            if key in labels:
                dropped["duplicate"] += 1
                labels[key].add(row["class"])
                continue
            labels[key] = {row["class"]}
            files[name].append(Example(row["text"].strip(), float(row["class"]), 1.0, name))
    for name, examples in files.items():
        files[name] = [example for example in examples if len(labels[text_hash(example.text)]) == 1]
        dropped["contradicting"] += len(examples) - len(files[name])
    return files


def _snippets(folder: Path) -> list[Example]:
    examples = []
    for name in VADER_FILES:
        path = folder / "hutto_ICWSM_2014" / f"{name}_GroundTruth.txt"
        for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines():
            fields = line.split("\t", 2)
            if len(fields) == 3 and _words(fields[2]):
                examples.append(_rated(fields[2].strip(), float(fields[1]), 1.0, name))
    return examples


def _lexicon(folder: Path) -> list[Example]:
    """VADER's rated words, each a text of its own: most of them stand in no training sentence."""
    examples = []
    for path in sorted(folder.glob("*/vaderSentiment/vader_lexicon.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            word, rating = line.split("\t")[:2]
            if re.fullmatch(r"[a-z]{3,}", word):
                examples.append(_rated(word, float(rating), 1.0, "lexicon"))
    return examples


def _rated(text: str, rating: float, weight: float, source: str) -> Example:
    return Example(text, 1 / (1 + math.exp(-1.5 * rating)), weight, source)


def _keep(examples: list[Example], guard: "_Guard", seen: set[str], dropped: dict[str, int]) -> list[Example]:
    kept = []
    for example in examples:
        key = text_hash(example.text)
        if guard.near(example.text):
            dropped["near_held_out"] += 1
        elif key in seen:
            dropped["duplicate"] += 1
        else:
            seen.add(key)
            kept.append(example)
    return kept


class _Guard:
    """Tells whether a text is too near to a held-out one."""

    def __init__(self, held_out: list[Example]):
        self._words = [_words(example.text) for example in held_out]
        self._sets = [set(words) for words in self._words]
        self._rows = [" " + " ".join(words) + " " for words in self._words]
        self._index: dict[str, set[int]] = {}
        for at, words in enumerate(self._sets):
            for word in words:
                self._index.setdefault(word, set()).add(at)

    def near(self, text: str) -> bool:
        words = _words(text)
        bag, row = set(words), " " + " ".join(words) + " "
        for at in set().union(*(self._index.get(word, ()) for word in bag)):
            other = self._sets[at]
            if len(bag & other) >= NEAR * len(bag | other):
                return True
            # Short rows ("great phone") are everyday language; five words in a row are a quotation.
            if len(words) >= 5 and row in self._rows[at] or len(other) >= 5 and self._rows[at] in row:
                return True
        return False


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())
