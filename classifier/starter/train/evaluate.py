"""Measures the written model folder on the held-out sentences, through ONNX Runtime, and records what Go must reproduce."""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

import corpus
import sources

BINS = 10
SURE = 0.85
RECORDED = 24
SAMPLES = Path(__file__).resolve().parent.parent / "samples.jsonl"


class Model:
    """The folder as any user of it would load it."""

    def __init__(self, folder: Path):
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(json.loads((folder / "config.json").read_text())["max_position_embeddings"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])

    def encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text).ids

    def probabilities(self, text: str) -> np.ndarray:
        ids = np.array([self.encode(text)], np.int64)
        (logits,) = self._session.run(["logits"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        raised = np.exp(logits[0].astype(np.float64) - logits[0].max())
        return raised / raised.sum()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    out = arguments.out
    model = Model(out / "model")

    held_out = corpus.load(sources.fetch(arguments.cache)).held_out
    if sorted(corpus.text_hash(example.text) for example in held_out) != (out / "held_out.txt").read_text().split():
        raise SystemExit("the held-out sentences are not those of held_out.txt")
    positive = np.array([model.probabilities(example.text)[1] for example in held_out])
    labels = np.array([example.target for example in held_out]) > 0.5
    files = np.array([example.source for example in held_out])

    figures = json.loads((out / "figures.json").read_text())
    figures["held_out"] = measure(positive, labels) | {
        "by_file": {name: measure(positive[files == name], labels[files == name]) for name in corpus.UCI_FILES}
    }
    figures["files"] = {
        path.name: {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in sorted((out / "model").iterdir())
    }
    (out / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures["held_out"], indent=2))
    record(model, out)


def measure(positive: np.ndarray, labels: np.ndarray) -> dict:
    """Accuracy (Wilson interval, 95%), Brier score, calibration and what a threshold of 0.85 would do."""
    count = len(labels)
    right = (positive > 0.5) == labels
    confidence = np.maximum(positive, 1 - positive)
    sure = confidence >= SURE
    return {
        "sentences": count,
        "accuracy": _round(right.mean()),
        "accuracy_interval": [_round(edge) for edge in _wilson(int(right.sum()), count)],
        "brier": _round(np.mean((positive - labels) ** 2)),
        "log_loss": _round(-np.mean(np.log(np.where(labels, positive, 1 - positive)))),
        "calibration_error": _round(_calibration_error(confidence, right)),
        "share_below_0.85": _round(1 - sure.mean()),
        "errors_at_or_above_0.85": int((~right & sure).sum()),
        "error_rate_at_or_above_0.85": _round((~right)[sure].mean()),
        "error_rate_interval_at_or_above_0.85": [_round(edge) for edge in _wilson(int((~right & sure).sum()), int(sure.sum()))],
        "error_rate_below_0.85": _round((~right)[~sure].mean()),
    }


def _calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error (Naeini et al. 2015): ten bins of equal width over the confidence, 0.5 to 1."""
    at = np.minimum(((confidence - 0.5) * 2 * BINS).astype(int), BINS - 1)
    return sum((at == b).mean() * abs(right[at == b].mean() - confidence[at == b].mean()) for b in range(BINS) if (at == b).any())


def _wilson(successes: int, count: int) -> tuple[float, float]:
    share, z = successes / count, 1.959964
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return middle - half, middle + half


def _round(value) -> float:
    return round(float(value), 4)


def record(model: Model, out: Path) -> None:
    """Writes token ids and probabilities of some samples of every kind, for the Go test."""
    samples = [json.loads(line) for line in SAMPLES.read_text().splitlines()]
    chosen = samples[:: max(1, len(samples) // RECORDED)]
    chosen += [sample for sample in samples if sample["kind"] in ("odd", "long") and sample not in chosen]
    recorded = [
        {"text": s["text"], "ids": model.encode(s["text"]), "probabilities": [round(float(p), 7) for p in model.probabilities(s["text"])]}
        for s in chosen
    ]
    (out / "testdata").mkdir(exist_ok=True)
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in recorded)
    (out / "testdata" / "recorded.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
