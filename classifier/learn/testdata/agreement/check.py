"""Compute agreement with the packages krippendorff and irrCAC.

Standard input is a JSON object, name to table: a list of units, each a list with one label per rater, null where a rater said nothing. Standard
output is a JSON object, name to {"raw", "alpha", "ac1"}: alpha is krippendorff's, the others are irrCAC's.
"""

import json
import sys

import krippendorff
import numpy as np
import pandas as pd
from irrCAC.raw import CAC


def figures(units):
    labels = sorted({label for unit in units for label in unit if label is not None})
    codes = np.array([[np.nan if v is None else labels.index(v) for v in unit] for unit in units], dtype=float)
    ac1 = CAC(pd.DataFrame(units, dtype=object).where(lambda d: d.notna(), np.nan), digits=12).gwet()["est"]
    return {
        "raw": ac1["pa"],
        "alpha": krippendorff.alpha(codes.T, level_of_measurement="nominal"),
        "ac1": ac1["coefficient_value"],
    }


json.dump({name: figures(units) for name, units in json.load(sys.stdin).items()}, sys.stdout)
