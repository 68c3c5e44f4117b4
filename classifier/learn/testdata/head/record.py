"""Record what scikit-learn's LogisticRegression (lbfgs) makes of data sets that it carries: fits.json, which TestFitHeadAgainstScikitLearn reads.

python testdata/head/record.py > testdata/head/fits.json

Features are rounded to float32, as embeddings are. Each fit stands behind a StandardScaler that knows the weights; the coefficients are given for the
features as they were before it. With two labels, scikit-learn has one row of coefficients and we have two that are each other's negative, with half
the penalty together: it gets twice the C, and half of what it finds is ours.

Coefficients and probabilities are of the solver newton-cholesky, which goes on until rounding ends it; lbfgs, the solver that is theirs by default,
stops a little earlier at large C. Its objective is what ours must not exceed.
"""

import json
import sys

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def record(name, load, rows, weighted, c, rng):
    data = load()
    chosen = rng.permutation(len(data.target))[:rows]
    x = data.data[chosen].astype(np.float32).astype(float)
    y = data.target[chosen]
    w = rng.choice([1.0, 2.5, 10.0], len(y), p=[0.6, 0.3, 0.1]) if weighted else np.ones(len(y))
    scaler = StandardScaler().fit(x, sample_weight=w)
    binary = len(set(y)) == 2
    l2 = 1 / (c * w.sum())
    objective = {}
    for solver in ("lbfgs", "newton-cholesky"):
        fit = LogisticRegression(C=2 * c if binary else c, solver=solver, tol=1e-10, max_iter=100_000).fit(scaler.transform(x), y, sample_weight=w)
        coef, intercept = fit.coef_, fit.intercept_
        if binary:
            coef, intercept = np.vstack([-coef, coef]) / 2, np.hstack([-intercept, intercept]) / 2
        probability = softmax(scaler.transform(x) @ coef.T + intercept)
        assert np.abs(probability - fit.predict_proba(scaler.transform(x))).max() < 1e-9
        loss = -(w * np.log(probability[np.arange(len(y)), y])).sum() / w.sum()
        objective[solver] = loss + l2 / 2 * (coef**2).sum()
    raw = coef / scaler.scale_
    return {
        "name": name, "features": x.tolist(), "labels": [int(v) for v in y], "weights": w.tolist(), "l2": l2,
        "coefficients": raw.tolist(), "intercepts": (intercept - raw @ scaler.mean_).tolist(),
        "probabilities": probability[:20].tolist(), "objective": objective["lbfgs"],
    }


rng = np.random.default_rng(5)
json.dump([
    record(f"{load.__name__[5:]}, C {c}, {'weighted' if weighted else 'unweighted'}", load, rows, weighted, c, rng)
    for load, rows in [(load_iris, 100), (load_wine, 80), (load_breast_cancer, 80), (load_digits, 120)]
    for c, weighted in [(0.01, True), (1, False), (1, True), (100, True)]
    if load is not load_digits or weighted and c == 1
], sys.stdout)
sys.stdout.write("\n")
