#!/usr/bin/env bash
# POT says that the distance of any two samples of whole numbers is 0, by its one-dimensional and its sliced distance.
# Versions: Python 3.11, POT 0.9.7.post1, SciPy 1.17.1, scikit-learn 1.9.1, NumPy 2.4.6
#
# Without weights every one of n samples counts 1 / n. wasserstein_1d, sliced_wasserstein_distance and
# max_sliced_wasserstein_distance keep these weights in the type of the samples, and of whole numbers, as pixels, counts
# and ages are, 1 / n is 0: no sample counts, and the distance of noughts and ones is 0, as if the two sets were one. If
# only one of two samples is of whole numbers, the distance is neither 0 nor right. It is so for 8 to 64 bits, and
# nothing is said. emd2_1d, and emd2 by a matrix of distances, take the same numbers and are right. The cure is
# astype(float).
#
# Seen on 2026-11-30, handwritten noughts and ones:
#     float64: one pixel 12.0637, sliced 5.8962, largest slice 12.5156, emd2_1d 12.0637
#     int64  : one pixel 0.0000, sliced 0.0000, largest slice 0.0000, emd2_1d 12.0637
#     int32  : one pixel 0.0000, sliced 0.0000, largest slice 0.0000, emd2_1d 12.0637
#     uint8  : one pixel 0.0000, sliced 0.0000, largest slice 0.0000, emd2_1d 12.0637
#     noughts of int64, ones of float64: one pixel 1.8352
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
"${install[@]}" pot==0.9.7.post1 scipy==1.17.1 scikit-learn==1.9.1 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python -W error - <<'PY'
import numpy as np
import ot
from sklearn.datasets import load_digits

pixels, digits = load_digits(return_X_y=True)
noughts, ones = pixels[digits == 0], pixels[digits == 1]
assert (pixels == pixels.round()).all() and (noughts[:, 20] != ones[: len(noughts), 20]).any()


def apart(kind: str) -> tuple[list[float], float]:
    a, b = noughts.astype(kind), ones.astype(kind)
    distances = [
        float(ot.wasserstein_1d(a[:, 20], b[:, 20])),
        float(ot.sliced_wasserstein_distance(a, b, seed=0)),
        float(ot.max_sliced_wasserstein_distance(a, b, seed=0)),
    ]
    other = float(ot.emd2_1d(a[:, 20], b[:, 20], metric="euclidean"))
    pixel, sliced, largest = distances
    print(f"{kind:7}: one pixel {pixel:.4f}, sliced {sliced:.4f}, largest slice {largest:.4f}, emd2_1d {other:.4f}")
    return distances, other


right, other = apart("float64")
assert min(right) > 5 and abs(right[0] - other) < 1e-6
for kind in ("int64", "int32", "uint8"):
    distances, again = apart(kind)
    assert distances == [0, 0, 0], "whole numbers have weights now"
    assert abs(again - other) < 1e-6
mixed = float(ot.wasserstein_1d(noughts[:, 20].astype(int), ones[:, 20]))
print(f"noughts of int64, ones of float64: one pixel {mixed:.4f}")
assert abs(mixed - right[0]) > 5
weights = (np.full(len(part), 1 / len(part)) for part in (noughts, ones))
assert abs(ot.wasserstein_1d(noughts[:, 20].astype(int), ones[:, 20].astype(int), *weights) - right[0]) < 1e-6
PY
