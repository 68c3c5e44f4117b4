"""Record what scipy and numpy say of pairs of windows: python make.py > recorded.json."""

import json
import sys

import numpy as np
from scipy.stats import chi2, kstwobign, ks_2samp

rng = np.random.default_rng(7)


def psi(a, b):
    """Of counts, with half a count in each bin that either has."""
    a, b = np.array(a), np.array(b)
    used = a + b > 0
    a, b = a[used], b[used]
    k, n, m = used.sum(), a.sum(), b.sum()
    p, q = (a + 0.5) / (n + k / 2), (b + 0.5) / (m + k / 2)
    index, scale = np.sum((p - q) * np.log(p / q)), 1 / n + 1 / m
    return {"index": index, "by_chance": scale * chi2.ppf(0.95, k - 1), "p": chi2.sf(index / scale, k - 1)}


def bins(a, b):
    """Counts in deciles of a: numpy's inverted_cdf is the smallest value that a tenth, two tenths … do not exceed."""
    edges = np.unique(np.quantile(a, np.arange(1, 10) / 10, method="inverted_cdf"))
    edges = edges[edges < np.max(a)]
    count = lambda w: np.bincount(np.searchsorted(edges, w, side="left"), minlength=len(edges) + 1)
    return count(a).tolist(), count(b).tolist()


values = []
for i in range(40):
    n, m = (int(v) for v in rng.integers(3, 120, 2))
    if i >= 36:
        n, m = (int(v) for v in rng.integers(1200, 1500, 2))
    a, b = rng.beta(5, 1.5, n), rng.beta(5 - 2 * (i % 4) / 3, 1.5, m)
    digits = 1 if i % 3 == 0 else 4  # ties
    a, b = a.round(digits), b.round(digits)
    en = n * m / (n + m)
    exact = ks_2samp(a, b, method="exact") if n * m <= 1_000_000 else None
    d = ks_2samp(a, b, method="asymp")
    r, c = bins(a, b)
    values.append({
        "reference": a.tolist(), "current": b.tolist(), "d": d.statistic,
        "exact": exact.pvalue if exact else None, "limit": kstwobign.sf(np.sqrt(en) * d.statistic), "asymptotic": d.pvalue,
        "counts": [r, c], "psi": psi(r, c) if len(r) > 1 else None,
    })
labels = []
for i in range(40):
    k = int(rng.integers(2, 12))
    p, q = rng.dirichlet(np.ones(k)), rng.dirichlet(np.ones(k))
    a = rng.multinomial(int(rng.integers(5, 3000)), p)
    b = rng.multinomial(int(rng.integers(5, 3000)), p if i % 2 else 0.8 * p + 0.2 * q)
    if np.sum(a + b > 0) > 1:
        labels.append({"counts": [a.tolist(), b.tolist()], "psi": psi(a, b)})
json.dump({"values": values, "labels": labels}, sys.stdout)
