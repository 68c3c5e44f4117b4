"""Record what scipy makes of p-values: python make.py > recorded.json."""

import json
import sys

import numpy as np
from scipy.stats import false_discovery_control

rng = np.random.default_rng(4)
out = []
for i in range(25):
    p = rng.uniform(size=int(rng.integers(1, 30))) ** (1 + i % 4)
    if i % 5 == 0:
        p = p.round(1)  # ties, zeros and ones
    out.append({"p": p.tolist(), "adjusted": false_discovery_control(p, method="bh").tolist()})
json.dump(out, sys.stdout)
