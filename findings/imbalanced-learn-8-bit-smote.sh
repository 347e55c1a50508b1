#!/usr/bin/env bash
# SMOTE on 8-bit pixels computes differences modulo 256: what it makes is not between two samples.
# Versions: Python 3.11, imbalanced-learn 0.14.2, scikit-learn 1.9.1, NumPy 2.4.6
#
# A sample that SMOTE makes lies on the line between a sample and one of its neighbours: x + step * (neighbour - x).
# The difference is taken in the type of the array, so that 3 - 10 is 249 in uint8, as pictures are stored; the sum is
# cut to 8 bits again. Where the neighbour is darker, pixels run up to 255 and over. Of scikit-learn's digits, whose
# pixels are 0 to 16, nearly all that is made has pixels that no picture has, and a classifier that knows the real
# ones no longer knows them. ADASYN and the borderline variant do the same. Shapes, types and counts are right, and
# nothing is said. X.astype(float) before is the cure.
#
# Seen on 2026-11-29:
#     SMOTE, float64          : brightest pixel  16,   0% have one above 16, 100% are next to an eight
#     SMOTE, uint8            : brightest pixel 255, 100% have one above 16,  31% are next to an eight
#     BorderlineSMOTE, float64: brightest pixel  16,   0% have one above 16, 100% are next to an eight
#     BorderlineSMOTE, uint8  : brightest pixel 255,  99% have one above 16,  27% are next to an eight
#     ADASYN, float64         : brightest pixel  16,   0% have one above 16, 100% are next to an eight
#     ADASYN, uint8           : brightest pixel 255, 100% have one above 16,  28% are next to an eight
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
"${install[@]}" imbalanced-learn==0.14.2 scikit-learn==1.9.1 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python -W error - <<'PY'
import numpy as np
from imblearn.over_sampling import ADASYN, SMOTE, BorderlineSMOTE
from sklearn.datasets import load_digits

pixels, digits = load_digits(return_X_y=True)
rare = digits == 8
keep = ~rare | (np.cumsum(rare) <= 60)  # sixty eights among all others
assert pixels.max() == 16


def made(sampler: type, kind: type) -> tuple[float, float, float]:
    """Of what a sampler makes: its brightest pixel, the share with one above 16, and with an eight as nearest digit."""
    given = pixels[keep].astype(kind)
    every, _ = sampler(random_state=0).fit_resample(given, rare[keep])
    new = every[len(given):].astype(float)
    assert every.dtype == kind and (every[: len(given)] == given).all()
    nearest = ((pixels**2).sum(1) - 2 * new @ pixels.T).argmin(1)
    told = new.max(), (new > 16).any(1).mean(), rare[nearest].mean()
    title = f"{sampler.__name__}, {np.dtype(kind)}"
    print(
        f"{title:24}: brightest pixel {told[0]:3.0f}, "
        f"{told[1]:4.0%} have one above 16, {told[2]:4.0%} are next to an eight"
    )
    return told


for sampler in (SMOTE, BorderlineSMOTE, ADASYN):
    brightest, outside, eights = made(sampler, np.float64)
    assert brightest <= 16 and outside == 0 and eights > 0.9, "floats go wrong as well now"
    brightest, outside, eights = made(sampler, np.uint8)
    assert brightest > 200 and outside > 0.9 and eights < 0.9, "8-bit pixels are right now"
PY
