#!/usr/bin/env bash
# A bfloat16 or float8 array of NumPy with a NaN in it is not sorted by np.sort, nor ranked by np.argsort.
# Versions: Python 3.11, ml_dtypes 0.6.0, NumPy 2.4.6
#
# NumPy sorts NaN last. The types of ml_dtypes, which arrays of JAX in bfloat16 have in NumPy, are compared with
# "smaller than" alone, which is false of a NaN: it stands as a wall that numbers do not pass. np.sort gives back a few
# numbers as they were, np.unique has all NaN, and searchsorted answers by what lies about. Of 256 scores of which 12
# are NaN, as those of samples are whose loss overflowed, the "20 smallest" by argsort are 13 that are, 2 NaN, and 5
# others. There is no message, and all is right without a NaN. NumPy's own float16 is sorted as float32 is. The
# documentation of np.sort says that NaN of real numbers are last, and that of ml_dtypes names no limits.
#
# Seen on 2026-11-29:
#     float32      : sorted 0 1 2 3 4 5 nan nan; of the 20 smallest: 20, NaN: 0
#     float16      : sorted 0 1 2 3 4 5 nan nan; of the 20 smallest: 20, NaN: 0
#     bfloat16     : sorted 3 nan 2 5 nan 0 1 4; of the 20 smallest: 13, NaN: 2
#     float8_e4m3fn: sorted 3 nan 2 5 nan 0 1 4; of the 20 smallest: 17, NaN: 2
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
"${install[@]}" ml_dtypes==0.6.0 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python -W error - <<'PY'
import ml_dtypes
import numpy as np

few = np.array([3, np.nan, 2, 5, np.nan, 0, 4, 1])
random = np.random.default_rng(0)
scores = random.permutation(np.arange(256) / 256)  # in bfloat16 and float16 exact, and each comes once
scores[random.permutation(256)[:12]] = np.nan
best = set(np.argsort(scores)[:20].tolist())


def ranked(kind: type) -> tuple[list[float], int, int]:
    """The few numbers sorted, how many of the 20 smallest scores argsort finds, and how many NaN are among its 20."""
    ordered = np.sort(few.astype(kind)).astype(float).tolist()
    first = np.argsort(scores.astype(kind))[:20]
    found, missing = len(best & set(first.tolist())), int(np.isnan(scores[first]).sum())
    text = " ".join(f"{value:g}" for value in ordered)
    print(f"{np.dtype(kind).name:13}: sorted {text}; of the 20 smallest: {found}, NaN: {missing}")
    return ordered, found, missing


for kind in (np.float32, np.float16):
    ordered, found, missing = ranked(kind)
    assert ordered[:6] == [0, 1, 2, 3, 4, 5] and (found, missing) == (20, 0)
for kind in (ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn):
    ordered, found, missing = ranked(kind)
    assert ordered[:6] != [0, 1, 2, 3, 4, 5], "NaN is sorted last now"
    assert found < 20 and missing > 0, "argsort finds the smallest now"
assert np.isnan(np.unique(few.astype(ml_dtypes.bfloat16)).astype(float)).sum() == 2
finite = scores[~np.isnan(scores)].astype(ml_dtypes.bfloat16)
assert (np.diff(np.sort(finite).astype(float)) > 0).all(), "it is not NaN alone that is not sorted"
PY
