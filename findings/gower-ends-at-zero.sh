#!/usr/bin/env bash
# gower leaves out each column whose highest value is 0: decibels, depths and logarithms of shares do not count at all.
# Versions: Python 3.11, gower 0.1.2, scikit-learn 1.9.1, pandas 3.1.1, NumPy 2.4.6
#
# Gower's distance divides the difference in each column by the column's range, so that it does not matter where a
# scale begins. Here each column is divided by its highest value first, in float32, and "the highest is 0" is taken for
# "all are the same": the column adds 0 to each distance and still counts as one of those over which the mean is taken.
# So a level relative to the loudest sound, a depth below the surface, a log-likelihood relative to the best one, a
# temperature below freezing up to 0 have no influence, and with 1 added to all values they have. Nothing is said. The
# cure is to subtract the lowest value of each column before.
#
# Seen on 2026-12-01, the irises by the width of a sepal and the length of a petal, in decibels, with a number added:
#        0 dB: largest distance 0.50 (by the formula 0.77), nearest neighbour of the same kind 48% (90%)
#        1 dB: largest distance 0.77 (by the formula 0.77), nearest neighbour of the same kind 90% (90%)
#      100 dB: largest distance 0.77 (by the formula 0.77), nearest neighbour of the same kind 90% (90%)
#       -1 dB: largest distance 0.77 (by the formula 0.77), nearest neighbour of the same kind 90% (90%)
#     the length alone, 0 dB: largest distance 0.00
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
"${install[@]}" gower==0.1.2 scikit-learn==1.9.1 pandas==3.1.1 numpy==2.4.6 scipy==1.17.1 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python -W error - <<'PY'
import gower
import numpy as np
import pandas as pd
from sklearn.datasets import load_iris

flowers, species = load_iris(return_X_y=True)
widths, lengths = flowers[:, 1], flowers[:, 2]
decibels = 20 * np.log10(lengths / lengths.max())  # from -16.8 to 0


def same_kind(distances: np.ndarray) -> float:
    """The share of the flowers whose nearest neighbour is of their kind."""
    return float((species[(distances + 9.0 * np.eye(len(distances))).argmin(axis=1)] == species).mean())


def by_formula(table: pd.DataFrame) -> np.ndarray:
    values = table.to_numpy()
    return (np.abs(values[:, None] - values) / np.ptp(values, axis=0)).mean(axis=2)


for added in (0.0, 1.0, 100.0, -1.0):
    table = pd.DataFrame({"width": widths, "length": decibels + added})
    distances, expected = gower.gower_matrix(table), by_formula(table)
    print(
        f"{added:4.0f} dB: largest distance {distances.max():.2f} (by the formula {expected.max():.2f}),"
        f" nearest neighbour of the same kind {same_kind(distances):3.0%} ({same_kind(expected):.0%})"
    )
    alike = np.allclose(distances, expected, atol=1e-3)
    assert alike == (added != 0), "a column that ends at 0 counts now" if added == 0 else "other columns are wrong, too"
alone = gower.gower_matrix(pd.DataFrame({"length": decibels}))
print(f"the length alone, 0 dB: largest distance {alone.max():.2f}")
assert (alone == 0).all(), "a column that ends at 0 counts now"
PY
