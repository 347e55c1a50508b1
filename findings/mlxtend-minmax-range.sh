#!/usr/bin/env bash
# mlxtend scales to 0..1 where -1..1, 0..255 or 0..100 is asked for: it heeds a range only if both of its ends are new.
# Versions: Python 3.11, mlxtend 0.25.0, scikit-learn 1.9.1, pandas 3.1.1, NumPy 2.4.6
#
# minmax_scaling takes min_val and max_val, "minimum value after rescaling" and "maximum value after rescaling", by
# default 0 and 1. The result is stretched to them only if min_val is not 0 and max_val is not 1 either. So the ranges
# that are asked for most have no effect, -1..1 as a network with tanh takes it and 0..255 as a picture has it, while
# 1..10 and -1..2 are heeded. It is so for arrays and for data frames, and nothing is said. scikit-learn's minmax_scale
# takes the same ranges and is right. The cure is to scale to 0..1 and to stretch the result by hand.
#
# Seen on 2026-11-30, three flowers of the first column, and the lowest and the highest of all 150:
#     asked for   0..1  : 0.2222 0.1667 0.1111, from 0.0 to 1.0
#     asked for  -1..1  : 0.2222 0.1667 0.1111, from 0.0 to 1.0
#     asked for   0..255: 0.2222 0.1667 0.1111, from 0.0 to 1.0
#     asked for   0..100: 0.2222 0.1667 0.1111, from 0.0 to 1.0
#     asked for 0.1..1  : 0.2222 0.1667 0.1111, from 0.0 to 1.0
#     asked for   1..10 : 3.0000 2.5000 2.0000, from 1.0 to 10.0
#     asked for  -1..2  : -0.3333 -0.5000 -0.6667, from -1.0 to 2.0
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
"${install[@]}" mlxtend==0.25.0 scikit-learn==1.9.1 pandas==3.1.1 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python -W error - <<'PY'
import numpy as np
import pandas as pd
from mlxtend.preprocessing import minmax_scaling
from sklearn.datasets import load_iris
from sklearn.preprocessing import minmax_scale

flowers = load_iris().data[:, :2]
table = pd.DataFrame(flowers, columns=["length", "width"])
ranges = [(0, 1), (-1, 1), (0, 255), (0, 100), (0.1, 1), (1, 10), (-1, 2)]
for low, high in ranges:
    scaled = minmax_scaling(flowers, [0, 1], min_val=low, max_val=high)
    framed = minmax_scaling(table, ["length", "width"], min_val=low, max_val=high)
    first = " ".join(f"{value:.4f}" for value in scaled[:3, 0])
    print(f"asked for {low:>3}..{high:<3}: {first}, from {scaled[:, 0].min()} to {scaled[:, 0].max()}")
    assert np.array_equal(framed.to_numpy(), scaled)
    right = minmax_scale(flowers, feature_range=(low, high))
    by_hand = (flowers - flowers.min(axis=0)) / np.ptp(flowers, axis=0) * (high - low) + low
    assert np.allclose(right, by_hand)
    if low == 0 or high == 1:
        assert np.allclose(scaled, minmax_scale(flowers)), "the range is heeded now"
    else:
        assert np.allclose(scaled, right)
PY
