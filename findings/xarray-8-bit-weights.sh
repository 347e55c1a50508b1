#!/usr/bin/env bash
# With weights of 8 or 16 bits, xarray's weighted mean of temperatures about 288 is 900,000, and its standard deviation
# 50 million: the weights are added up modulo 256 or 65,536.
# Versions: Python 3.11, xarray 2026.9.0, NumPy 2.4.6
#
# `weighted` is meant for weights such as counts, shares in percent or flags of quality, which files hold in 8 or 16
# bits. The sum over values times weights is of floats, and right; the sum of the weights keeps their type, since it is
# taken by a product of arrays (`dot`), which unlike `sum` takes no wider one. Weights of bool are counted rightly. Where
# the sum modulo 256 happens to be 0, all is NaN, as of weights that are all nought. Nothing is said.
#
# Seen on 2026-11-30, 2,000 readings about 288 with a spread of 5, all of one weight:
#   bool   1       mean 287.8599  std 5.0010  sum of weights 2000
#   int64  200     mean 287.8599  std 5.0010  sum of weights 400000
#   uint8  200     mean 899562.1002  std 50270958.2966  sum of weights 128
#   int8   100     mean 899562.1002  std 50270958.2966  sum of weights 64
#   uint8  128     mean nan  std nan  sum of weights nan
#   uint16 30000   mean 499756.7223  std 20811202.6041  sum of weights 34560
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
"${install[@]}" xarray==2026.9.0 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python -W error - <<'PY'
import sys

import numpy as np
import xarray as xr

readings = xr.DataArray(np.random.default_rng(0).normal(288, 5, 2000), dims="reading")
found = {}
for kind, weight in (("bool", 1), ("int64", 200), ("uint8", 200), ("int8", 100), ("uint8", 128), ("uint16", 30000)):
    weighted = readings.weighted(xr.DataArray(np.full(2000, weight, kind), dims="reading"))
    mean, std, total = (float(part) for part in (weighted.mean(), weighted.std(), weighted.sum_of_weights()))
    found[kind, weight] = mean
    print(f"{kind:6} {weight:<7} mean {mean:.4f}  std {std:.4f}  sum of weights {total:.0f}")

right = float(readings.mean())
assert all(abs(found[kind] - right) < 1e-6 for kind in (("bool", 1), ("int64", 200)))
wrong = [found[kind] for kind in (("uint8", 200), ("int8", 100), ("uint16", 30000))]
if all(abs(mean - right) < 1 for mean in wrong):
    sys.exit("changed: weights of few bits are added up rightly")
assert all(mean > 1000 for mean in wrong) and np.isnan(found["uint8", 128])
PY
