#!/usr/bin/env bash
# With bottleneck installed, the standard deviation of a float32 column in pandas is wrong, and the mean is right.
# Versions: Python 3.11, pandas 3.1.1, bottleneck 1.6.0, NumPy 2.4.6
#
# pandas hands std and var to bottleneck as soon as that package is there, which its installation guide advises for
# speed, and no line of the program names it. Bottleneck adds float32 values one by one in float32, first for a mean of
# its own and then for the squares, so both drift. Sums and means were taken from it for that reason, std and var were
# not. Of 100,000 readings of about 1000 the std is nearly twice as large, and that of 10,000 equal ones is not 0; the
# std of all pixels of 60,000 pictures, by which they are standardised, is too small. The mean, the standard error and
# the std of a single group, which pandas works out by itself, are right on the same column. There is no message.
#
# Seen on 2026-11-29:
#     without bottleneck:
#     100,000 readings of 1000 to 1001: mean 1000.4990, std 0.2885, std of one group 0.2885
#     10,000 readings of 1000.1: mean 1000.1000, std 0.0000, std of one group 0.0000
#     47,040,000 pixels of 0 to 1: mean 0.1000, std 0.2380, std of one group 0.2380
#     with bottleneck:
#     100,000 readings of 1000 to 1001: mean 1000.4990, std 0.5057, std of one group 0.2885
#     10,000 readings of 1000.1: mean 1000.1000, std 0.0753, std of one group 0.0000
#     47,040,000 pixels of 0 to 1: mean 0.1000, std 0.2214, std of one group 0.2380
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
"${install[@]}" pandas==3.1.1 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

cat >measure.py <<'PY'
import sys

import numpy as np
import pandas as pd

rng = np.random.default_rng(0)
pixels = rng.random(60_000 * 784, dtype=np.float32)
pixels[rng.random(pixels.size, dtype=np.float32) < 0.8] = 0
columns = {
    "readings of 1000 to 1001": rng.random(100_000, dtype=np.float32) + np.float32(1000),
    "readings of 1000.1": np.full(10_000, 1000.1, np.float32),
    "pixels of 0 to 1": pixels,
}
off = []
for title, values in columns.items():
    column = pd.Series(values)
    group = column.groupby(np.zeros(len(column), np.int8)).std().item()
    true = values.std(dtype=np.float64)
    print(f"{len(column):,} {title}: mean {column.mean():.4f}, std {column.std():.4f}, std of one group {group:.4f}")
    assert abs(column.mean() - values.mean(dtype=np.float64)) < 1e-3 and abs(group - true) < 1e-3
    off.append(abs(column.std() - true))
if sys.argv[1] == "without":
    assert max(off) < 1e-3
else:
    assert off[0] > 0.1 and off[1] > 0.01 and off[2] > 0.005, "std is right with bottleneck now"
PY
trap 'tail -3 messages.txt; exit 1' ERR
echo "without bottleneck:"
env/bin/python measure.py without 2>messages.txt
"${install[@]}" bottleneck==1.6.0 || { echo "cannot be seen here: bottleneck did not install"; exit 77; }
echo "with bottleneck:"
env/bin/python measure.py with 2>>messages.txt
if grep -iE 'warn|precision|bottleneck' messages.txt; then
    echo "it says something now"
    exit 1
fi
