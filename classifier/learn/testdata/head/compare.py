"""Record exact McNemar tests of statsmodels, and Tango's intervals found the long way round: compare.json, which TestCompareAgainstOthers reads.

python testdata/head/compare.py > testdata/head/compare.json

Tango's interval holds the differences that a score test does not reject. Here the shares that are likeliest under a difference are searched for by
numbers, where our code has a formula.
"""

import json
import sys

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from statsmodels.stats.contingency_tables import mcnemar

Z = 1.959963984540054


def score(a, b, c, d, delta):
    n = a + b + c + d

    def against(q):  # minus log likelihood; q is the share of c, q + delta that of b, the rest agree
        p = [q + delta, q, 1 - 2 * q - delta]
        return -sum(k * np.log(max(s, 1e-300)) for k, s in zip((b, c, a + d), p) if k)

    low, high = max(0, -delta), (1 - delta) / 2
    q = minimize_scalar(against, bounds=(low, high), method="bounded", options={"xatol": 1e-13}).x
    q = min((low, high, q), key=against)
    return (b - c - n * delta) / np.sqrt(n * (2 * q + delta - delta**2))


def interval(a, b, c, d):
    at = (b - c) / (a + b + c + d)
    low = brentq(lambda x: score(a, b, c, d, x) - Z, -1 + 1e-12, at - 1e-9) if at > -1 else -1
    high = brentq(lambda x: score(a, b, c, d, x) + Z, at + 1e-9, 1 - 1e-12) if at < 1 else 1
    return [low, high]


tables = [(20, 12, 2, 16), (43, 0, 0, 7), (30, 1, 0, 9), (0, 15, 3, 2), (480, 55, 30, 35), (900, 10, 40, 50), (5, 5, 5, 5), (700, 230, 180, 400), (0, 9, 0, 1)]
json.dump([
    {"table": t, "p": float(mcnemar([[t[0], t[1]], [t[2], t[3]]], exact=True).pvalue), "interval": [float(v) for v in interval(*t)]} for t in tables
], sys.stdout, indent=1)
sys.stdout.write("\n")
