#!/usr/bin/env bash
# USearch takes 8-bit pictures for bits: the first eighth of each is searched, and an exact search answers 0, 1, 2.
# Versions: Python 3.11, usearch 2.26.6, scikit-learn 1.9.1, NumPy 2.4.6
#
# An array of uint8 counts as packed bits, whatever the index is made for, and so does one that is made for "u8", the
# whole numbers from 0 to 255. Of 64 pixels the first eight are read, as 64 bits; the rest of the picture is never
# looked at. add and search take them, keys and distances have the right shapes, and nine of ten pictures find
# themselves, as one that is like no other would. The nearest other picture is one of the same digit for 99 % of
# handwritten digits as floats, and as int8 as well, and for a third of them as uint8. The exact search over plain
# arrays answers with the first rows for every query, and NaN as their distance. There is no message.
#
# Seen on 2026-11-29:
#     float32: index of bf16: 100% find themselves, the next is the same digit for 99%
#     int8   : index of bf16: 100% find themselves, the next is the same digit for 99%
#     uint8  : index of bf16: 90% find themselves, the next is the same digit for 33%
#     uint8  : index of u8  : 90% find themselves, the next is the same digit for 33%
#     exact search with float32: [0, 877, 1365] at [0.0, 120.0, 164.0]
#     exact search with uint8  : [0, 1, 2] at [nan, nan, nan]
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
"${install[@]}" usearch==2.26.6 scikit-learn==1.9.1 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

trap 'tail -3 messages.txt; exit 1' ERR
env/bin/python - 2>messages.txt <<'PY'
import numpy as np
from sklearn.datasets import load_digits
from usearch.index import Index, search

pixels, digits = load_digits(return_X_y=True)
rows = np.arange(len(pixels))


def neighbours(kind: type, stored: str) -> tuple[float, float]:
    """How many pictures are their own nearest, and how many have one of their digit next."""
    pictures = pixels.astype(kind)
    index = Index(ndim=64, metric="l2sq", dtype=stored)
    index.add(rows, pictures, threads=1)
    found = index.search(pictures, 2, threads=1).keys
    itself = found[:, 0] == rows
    other = np.where(itself, found[:, 1], found[:, 0])
    shares = float(itself.mean()), float((digits[other] == digits).mean())
    print(
        f"{np.dtype(kind)!s:7}: index of {stored:4}: {shares[0]:.0%} find themselves, "
        f"the next is the same digit for {shares[1]:.0%}"
    )
    return shares


def exact(kind: type) -> tuple[list[int], list[float]]:
    pictures = pixels.astype(kind)
    found = search(pictures, pictures[:1], 3, "l2sq", exact=True)
    keys, distances = np.ravel(found.keys).tolist(), np.ravel(found.distances).tolist()
    print(f"exact search with {np.dtype(kind)!s:7}: {keys} at {distances}")
    return keys, distances


for kind in (np.float32, np.int8):
    assert min(neighbours(kind, "bf16")) > 0.95
for stored in ("bf16", "u8"):
    assert neighbours(np.uint8, stored)[1] < 0.5, "8-bit pictures are compared as numbers now"
assert exact(np.float32)[1] == [0, 120, 164]
assert all(np.isnan(exact(np.uint8)[1])), "the exact search is right for 8 bits now"
PY
if grep -iE 'warn|bit|pack|dtype' messages.txt; then
    echo "it says something now"
    exit 1
fi
