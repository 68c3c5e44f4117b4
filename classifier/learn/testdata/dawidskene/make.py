"""Record what crowd-kit's DawidSkene makes of random tables: python make.py > recorded.json.

It runs a fixed number of rounds, so that nothing hangs on when to stop. votes are [item, reviewer, label]; every item has two or more.
"""

import json
import sys

import numpy as np
import pandas as pd
from crowdkit.aggregation import DawidSkene

ROUNDS = 40
rng = np.random.default_rng(3)
out = []
for i in range(30):
    labels, people, items = (int(rng.integers(a, b)) for a, b in ((2, 5), (3, 8), (15, 90)))
    prior = rng.dirichlet(np.full(labels, 3.0))
    skill = rng.uniform(0.35 if i % 5 == 0 else 0.6, 0.97, people)
    votes = []
    for u in range(items):
        true = rng.choice(labels, p=prior)
        for r in rng.choice(people, size=int(rng.integers(2, people + 1)), replace=False):
            said = true if rng.random() < skill[r] else rng.integers(labels)
            votes.append([f"u{u:03}", f"r{r}", "abcd"[said]])
    model = DawidSkene(n_iter=ROUNDS, tol=-np.inf).fit(pd.DataFrame(votes, columns=["task", "worker", "label"]))
    names = sorted({label for _, _, label in votes})
    out.append({
        "votes": votes, "labels": names, "rounds": len(model.loss_history_),
        "prior": model.priors_[names].tolist(),
        "truth": {u: row[names].tolist() for u, row in model.probas_.iterrows()},
        # given label by true label: crowd-kit's columns are true labels
        "confusion": [[worker, given, row[names].tolist()] for (worker, given), row in model.errors_.iterrows()],
    })
    for known in out[-1]["truth"].values():
        known[:] = [round(p, 12) for p in known]
json.dump(out, sys.stdout)
