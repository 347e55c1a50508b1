#!/usr/bin/env bash
# tslearn and aeon standardise a flat series to -1, 0 or 1 throughout, by the level that it was at.
# Versions: Python 3.11, tslearn 0.10.0, aeon 1.6.0, scikit-learn 1.9.1, NumPy 2.3.5
#
# TimeSeriesScalerMeanVariance and Normalizer divide by 1 where the deviation of a series is 0, so that a flat one is
# to be 0. They compare with 0 exactly: the mean of a hundred times 0.1 is 0.1 and a last bit, the deviation is that
# bit, and their quotient is a full -1 or 1 at each step. Of a sensor that stood still at a level all that is left is
# the rounding of the level, as large as any signal, and in tests with 0.5 or 1.0 it is 0 as it should be. The
# shape, the type and the range are right and nothing is said. scikit-learn's StandardScaler takes a deviation below
# rounding for 0.
#
# Seen on 2026-11-29:
#     a flat series of :   0.1   0.3   0.5   0.7   1.1  36.6
#     by tslearn       :   1.0   0.0   0.0  -1.0   1.0   0.0
#     by aeon          :   1.0   0.0   0.0  -1.0   1.0   0.0
#     by scikit-learn  :   0.0   0.0   0.0   0.0   0.0   0.0
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
"${install[@]}" tslearn==0.10.0 aeon==1.6.0 scikit-learn==1.9.1 numpy==2.3.5 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

trap 'tail -3 messages.txt; exit 1' ERR
env/bin/python 2>messages.txt - <<'PY'
import numpy as np
from aeon.transformations.collection import Normalizer
from sklearn.preprocessing import StandardScaler
from tslearn.preprocessing import TimeSeriesScalerMeanVariance

levels = [0.1, 0.3, 0.5, 0.7, 1.1, 36.6]
series = np.repeat(np.array(levels)[:, None], 100, axis=1)  # [level, time], each flat
scaled = {
    "tslearn": TimeSeriesScalerMeanVariance().fit_transform(series)[..., 0],
    "aeon": Normalizer().fit_transform(series[:, None])[:, 0],
    "scikit-learn": StandardScaler().fit_transform(series.T).T,
}
print("a flat series of :", " ".join(f"{level:5.1f}" for level in levels))
for name, values in scaled.items():
    assert (values == values[:, :1]).all(), "it is not flat any more"
    print(f"by {name:12}  :", " ".join(f"{value + 0.0:5.1f}" for value in values[:, 0].round(6)))
for name in ("tslearn", "aeon"):
    ends = np.abs(scaled[name][:, 0])
    assert ends[levels.index(0.5)] == 0
    assert (ends > 0.5).sum() >= 2, "flat series are 0 now"
assert np.abs(scaled["scikit-learn"]).max() < 1e-9
PY
