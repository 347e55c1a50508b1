#!/usr/bin/env bash
# The chi-squared test of SDMetrics has the same p-value for 10 rows and for a million: it tests shares, not counts.
# Versions: Python 3.11, sdmetrics 0.32.0, SciPy 1.17.1, scikit-learn 1.9.1, pandas 2.3.3, NumPy 2.4.6
#
# CSTest compares a column of classes in made data with the real one, and gives the p-value as the score. "A small value
# indicates that we can reject the null hypothesis", says its docstring. But the shares of the classes go into the test
# where it wants their numbers, as though there were one row. So p is large for all columns that can be: of two classes,
# half each, against 20 % and 80 % it is 0.55, of ten classes against one of them alone 0.44, and both look as good as
# chance would do. No number of rows brings it down. On the other hand a single row of a class that the real column does
# not have, among a thousand, has a p of 0, for a share of almost nothing is made up for the real one. There is no
# message. The test by the numbers of rows is scipy.stats.chi2_contingency.
#
# Seen on 2026-12-01, p by CSTest, p by the numbers of rows, and the overlap of the shares (TVComplement):
#     half and half, 20 % and 80 %, 10       : p 0.55, by counts 0.35, overlap 0.70
#     half and half, 20 % and 80 %, 1000     : p 0.55, by counts 0.00, overlap 0.70
#     half and half, 20 % and 80 %, 1000000  : p 0.55, by counts 0.00, overlap 0.70
#     ten classes, one of them alone         : p 0.44, by counts 0.00, overlap 0.10
#     half and half, but one row is new, 1000: p 0.00, by counts 0.61, overlap 1.00
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3.11}" -m venv env
if command -v uv >/dev/null; then
    install=(uv pip install --quiet --python env/bin/python)
else
    install=(env/bin/python -m pip install --quiet --disable-pip-version-check)
fi
"${install[@]}" sdmetrics==0.32.0 scikit-learn==1.9.1 scipy==1.17.1 pandas==2.3.3 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python -W error - <<'PY'
import numpy as np
import pandas as pd
from scipy.stats import chi2_contingency
from sdmetrics.single_column import CSTest, TVComplement


def column(*counts: int) -> pd.Series:
    return pd.Series(np.repeat(list("abcdefghij")[: len(counts)], counts))


def compared(name: str, real: tuple[int, ...], made: tuple[int, ...]) -> tuple[float, float]:
    p = CSTest.compute(column(*real), column(*made))
    by_counts = chi2_contingency([real, made]).pvalue
    overlap = TVComplement.compute(column(*real), column(*made))
    print(f"{name:39}: p {p:.2f}, by counts {by_counts:.2f}, overlap {overlap:.2f}")
    return p, by_counts


found = []
for rows in (10, 1000, 1_000_000):
    sizes = (rows // 2, rows // 2), (rows // 5, rows - rows // 5)
    found.append(compared(f"half and half, 20 % and 80 %, {rows}", *sizes))
assert max(p for p, _ in found) - min(p for p, _ in found) < 1e-9, "the number of rows counts now"
assert found[0][1] > 0.1 and found[0][0] > 0.5 and found[-1][1] < 1e-9
p, by_counts = compared("ten classes, one of them alone", 10 * (1000,), (10_000, *9 * (0,)))
assert p > 0.4 and by_counts < 1e-9, "one class of ten is told from ten now"
p, by_counts = compared("half and half, but one row is new, 1000", (500, 500, 0), (500, 499, 1))
assert p < 1e-3 and by_counts > 0.5, "one row of a new class is nothing now"
PY
