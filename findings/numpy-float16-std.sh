#!/usr/bin/env bash
# NumPy's std of float16 pictures shrinks with their number: the mean of the same array is right, and nothing warns.
# Versions: Python 3.11, NumPy 2.4.6, PyTorch 2.15.0
#
# mean() sums float16 in float32. std() and var() do not: both of their sums are float16. Over the axes (0, 1, 2) of
# pictures in channels-last order the sums add one number after the other, and stop where the next one is below half of
# the last digit: 2,048 for numbers from 0 to 1. So the more pictures there are, the smaller is what is returned. For
# 2,000 pictures of 32 x 32, as a small data set in float16 has them, the deviation of a channel is said to be 0.032
# instead of 0.289, and pictures that are normalised by it come out nine times too large. It is silent: a warning of an overflow
# comes only where a sum passes 65,504, as with values from 0 to 255. PyTorch is right on the same array, and so is
# std(dtype="float32").
#
# Seen on 2026-11-28:
#      pictures   mean     std   std in float32   PyTorch
#            50  0.500   0.200            0.288     0.288
#           200  0.499   0.100            0.289     0.289
#         2,000  0.500   0.032            0.288     0.289
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
"${install[@]}" numpy==2.4.6 torch==2.15.0 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python -W error - <<'PY'
import numpy as np
import torch

print(f"{'pictures':>13}{'mean':>7}{'std':>8}{'std in float32':>17}{'PyTorch':>10}")
random = np.random.default_rng(0)
for count in (50, 200, 2000):
    pictures = random.random((count, 32, 32, 3), dtype=np.float32).astype(np.float16)
    axes = (0, 1, 2)
    mean, plain = pictures.mean(axes)[0], pictures.std(axes)[0]
    exact, torch_says = pictures.std(axes, dtype=np.float32)[0], torch.from_numpy(pictures).std(axes)[0]
    print(f"{count:>13,}{mean:>7.3f}{plain:>8.3f}{exact:>17.3f}{torch_says:>10.3f}")
    assert abs(mean - 0.5) < 0.005 and abs(exact - 12**-0.5) < 0.002, "the mean or the exact deviation is off as well"
    assert abs(torch_says - exact) < 0.002, "PyTorch is off, too"
    assert plain < 0.75 * exact, "std() sums float16 more exactly now"
assert plain < 0.04, "the error no longer grows with the number of pictures"
PY
