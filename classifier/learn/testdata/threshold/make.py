"""Writes fixtures.json: exact binomial tests, Clopper-Pearson bounds and thresholds as other software finds them.

    python -m venv v && v/bin/pip install -r requirements.txt && v/bin/python make.py > fixtures.json

tests: the tail in Python's fractions, compared with scipy.stats.binom. bounds: scipy.stats.beta. walks: fixed-sequence testing of random samples,
written here a second time, with whole numbers; and MAPIE's BinaryClassificationController for precision with FWERFixedSequenceTesting, which tests by the
Hoeffding-Bentkus inequality and therefore finds a threshold that is the same or stricter.

starter.json holds what the starter model says of the 600 UCI sentences that it never saw: [confidence, whether it is right]. `hitl classify --json` on the
sentences that classifier/starter/train holds out gives them.
"""
import json
import sys
from fractions import Fraction
from math import comb

import numpy as np
from mapie.risk_control import BinaryClassificationController, FWERFixedSequenceTesting
from scipy.stats import beta, binom


def tail(k, n, p):
    return sum(comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))


tests = []
r = np.random.default_rng(1)
for n in [1, 5, 59, 149, 150, 300, 1000, 3000]:
    for risk in ["0.01", "0.02", "0.05", "0.3"]:
        for alpha in ["0.05", "0.1", "0.001"]:
            p, a = Fraction(risk), Fraction(alpha)
            k = 0
            while k <= n and binom.cdf(k, n, float(p)) <= float(a):
                k += 1
            for c in sorted({max(k - 2, 0), max(k - 1, 0), min(k, n), min(k + 1, n)}):
                exact = tail(c, n, p)
                assert abs(float(exact) - binom.cdf(c, n, float(p))) < 1e-9
                tests.append([c, n, risk, alpha, bool(exact <= a)])

bounds = []
for n in [1, 10, 300, 5000]:
    for k in sorted({0, 1, n // 50, n // 3, n - 1, n}):
        for alpha in [0.05, 0.025, 0.001]:
            bounds.append([k, n, alpha, 0.0 if k == 0 else float(beta.ppf(alpha, k, n - k + 1)), 1.0 if k == n else float(beta.ppf(1 - alpha, k + 1, n - k))])

grid = [0.9999, 0.9995, 0.999, 0.998] + [i / 200 for i in range(199, 9, -1)]
walks = []
for seed in range(40):
    r = np.random.default_rng(100 + seed)
    n = int(r.integers(150, 700))
    c = np.round(r.uniform(0.5, 1, n) ** r.uniform(0.2, 1), 4)
    right = (r.uniform(size=n) < c ** r.uniform(0.05, 0.6)).astype(int)
    risk, confidence = ["0.05", "0.1", "0.15"][seed % 3], ["0.9", "0.95"][seed % 2]
    level = 1 - Fraction(confidence)
    fewest = next(m for m in range(1, 5000) if (1 - Fraction(risk)) ** m <= level)
    start = next((i for i, t in enumerate(grid) if (c >= t).sum() >= fewest), None)
    ours = None
    for t in grid[start:] if start is not None else []:
        sampled = int((c >= t).sum())
        wrong = int((1 - right)[c >= t].sum())
        if tail(wrong, sampled, Fraction(risk)) > level:
            break
        ours = t
    theirs = None
    if start is not None:
        # MAPIE predicts "positive" where the threshold is reached or exceeded; precision is the share of right ones among them.
        control = BinaryClassificationController(
            predict_function=lambda x: np.column_stack([1 - x, x]), risk="precision", target_level=1 - float(risk), confidence_level=float(confidence),
            list_predict_params=np.array(grid[start:]), fwer_method=FWERFixedSequenceTesting(n_starts=1))
        import warnings
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            control.calibrate(c, right)
        valid = control.valid_predict_params
        # It turns the walk around where the observed risk falls along it, which is another procedure: then it is not compared.
        theirs = float(min(valid)) if len(valid) and np.isclose(valid, grid[start]).any() else None
    walks.append({"confidences": c.tolist(), "right": right.tolist(), "risk": risk, "confidence": confidence, "threshold": ours, "mapie": theirs})

json.dump({"tests": tests, "bounds": bounds, "walks": walks}, sys.stdout, separators=(",", ":"))
