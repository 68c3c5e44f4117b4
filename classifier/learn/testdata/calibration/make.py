"""Writes fixtures.json: random answers, and what scikit-learn and SciPy make of them.

    python -m venv v && v/bin/pip install -r requirements.txt && v/bin/python make.py > fixtures.json

Temperature: scipy.optimize.minimize_scalar over log T of the weighted log loss. Isotonic: sklearn.isotonic.IsotonicRegression with
sample_weight, before the rule of succession. Brier and log loss: sklearn.metrics, of "the top label is right". Calibration error: NumPy.
"""
import json
import sys

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import brier_score_loss, log_loss


def case(seed):
    r = np.random.default_rng(seed)
    n, k = int(r.integers(60, 130)), int(r.integers(2, 5))
    logits = r.normal(0, r.uniform(0.5, 3), (n, k))
    true = np.array([r.choice(k, p=softmax(row / r.uniform(0.7, 3))) for row in logits])
    p = np.array([softmax(row) for row in logits])
    if seed % 3 == 0:  # ties
        p = np.round(p, 1)
        p = (p + 1e-3) / (p + 1e-3).sum(axis=1, keepdims=True)
    p = np.round(p, 5)
    if seed % 5 == 0:  # a label that the model is certain of
        p[:3] = np.eye(k)[:1]
    order = np.argsort(-p, axis=1, kind="stable")
    p = np.take_along_axis(p, order, axis=1)
    right = np.array([int(np.where(order[i] == true[i])[0][0]) for i in range(n)])
    w = np.ones(n) if seed % 4 == 0 else np.round(1 / r.choice([1, 0.5, 0.1, 0.02], n), 3)

    logs = np.log(np.maximum(p, 1e-12))

    def loss(log_t):
        z = logs / np.exp(log_t)
        z = z - z.max(axis=1, keepdims=True)
        return -np.sum(w * (z[np.arange(n), right] - np.log(np.exp(z).sum(axis=1))))

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded", options={"xatol": 1e-12, "maxiter": 5000})
    y = (right == 0).astype(float)
    iso = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(p[:, 0], y, sample_weight=w)
    grid = [0, 0.1, 0.3, 0.5, 0.65, 0.8, 0.9, 0.97, 1] + list(p[:5, 0])
    bins = np.minimum((p[:, 0] * 10).astype(int), 9)
    error = sum(
        w[bins == b].sum() / w.sum() * abs(np.average(p[bins == b, 0], weights=w[bins == b]) - np.average(y[bins == b], weights=w[bins == b]))
        for b in range(10) if (bins == b).any())
    return {
        "scores": p.tolist(), "right": right.tolist(), "weights": w.tolist(),
        "temperature": float(np.exp(found.x)), "loss": float(found.fun / w.sum()),
        "grid": [float(g) for g in grid], "isotonic": [float(v) for v in iso.predict(grid)],
        "brier": float(brier_score_loss(y, p[:, 0], sample_weight=w)),
        "log_loss": float(log_loss(y, np.clip(p[:, 0], 1e-12, 1 - 1e-12), sample_weight=w, labels=[0, 1])),
        "error": float(error),
    }


def softmax(z):
    e = np.exp(z - z.max())
    return e / e.sum()


json.dump([case(s) for s in range(36)], sys.stdout, separators=(",", ":"))
