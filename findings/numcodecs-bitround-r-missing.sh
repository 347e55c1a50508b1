#!/usr/bin/env bash
# numcodecs' BitRound turns the missing values of R into infinity: none is missing any more, and the mean is infinite.
# Versions: Python 3.11, numcodecs 0.16.6, Zarr 3.1.6, pyreadr 0.5.8, pandas 3.1.1, NumPy 2.4.6
#
# A NaN is a number whose exponent is all ones and whose mantissa is not 0; which bits are set is free. NumPy sets the
# highest one. R marks a missing value by the number 1954 in the lowest bits, and pyreadr hands it over as it stands:
# NumPy and pandas call it NaN. BitRound, which drops the lower bits of the mantissa so that arrays compress better,
# drops these too, and an exponent of ones with a mantissa of 0 is infinity. It is so for every keepbits up to 40. A
# float32 NaN with all bits set but the sign, the canonical one of NVIDIA's graphics cards, is even rounded up into the
# sign and becomes -0: a diverged loss is a perfect one. Nothing is said. The docstring says that the codec "drops a
# specified number of bits from the floating point mantissa", and nothing about NaN. The cure is
# x[np.isnan(x)] = np.nan before.
#
# Seen on 2026-11-30, 100 readings of a file as R writes it, 10 of them missing:
#     as read            : 10 missing, 0 infinite, mean 20.10
#     by BitRound        : 0 missing, 10 infinite, mean inf
#     np.nan, by BitRound: 10 missing, 0 infinite, mean 20.10
#     keepbits with an infinite one: 0 to 40
#     float32, a NaN of all bits: nan becomes -0.0 for keepbits 0 to 22
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
"${install[@]}" numcodecs==0.16.6 zarr==3.1.6 pyreadr==0.5.8 pandas==3.1.1 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python -W error - <<'PY'
from pathlib import Path

import numpy as np
import pandas as pd
import pyreadr
import zarr
from numcodecs import BitRound

# R's own file: pyreadr writes NumPy's NaN, which R reads as NaN, not as NA, so its bytes are replaced by those of NA.
table = pd.DataFrame({"reading": np.linspace(10, 30, 100)})
table.loc[::10, "reading"] = np.nan
pyreadr.write_rds("readings.rds", table)
content = Path("readings.rds").read_bytes()
nan, missing = bytes.fromhex("7ff8000000000000"), bytes.fromhex("7ff00000000007a2")
assert content.count(nan) == 10
Path("readings.rds").write_bytes(content.replace(nan, missing))


def describe(name: str, values: np.ndarray) -> tuple[int, int, float]:
    column = pd.Series(values)
    facts = int(column.isna().sum()), int(np.isinf(values).sum()), float(column.mean())
    print(f"{name:19}: {facts[0]} missing, {facts[1]} infinite, mean {facts[2]:.2f}")
    return facts


def stored(values: np.ndarray, keepbits: int) -> np.ndarray:
    """The values as they come back from an array on disk, in the format 2 of Zarr, with BitRound as its filter."""
    array = zarr.create_array(
        f"{keepbits}.zarr", data=values, filters=[BitRound(keepbits)], zarr_format=2, overwrite=True
    )
    return np.asarray(array[:])


readings = pyreadr.read_r("readings.rds")[None]["reading"].to_numpy()
right = describe("as read", readings)
wrong = describe("by BitRound", stored(readings, 12))
usual = np.where(np.isnan(readings), np.nan, readings)
cured = describe("np.nan, by BitRound", stored(usual, 12))
assert right[:2] == cured[:2] == (10, 0) and abs(right[2] - cured[2]) < 0.01
assert wrong == (0, 10, np.inf), "missing values stay missing now"

infinite = [bits for bits in range(53) if np.isinf(stored(readings, bits)).any()]
print("keepbits with an infinite one:", infinite[0], "to", infinite[-1])
assert infinite == list(range(41))

canonical = np.full(4, 0x7FFFFFFF, np.uint32).view(np.float32)
assert np.isnan(canonical).all()
rounded = [stored(canonical, bits) for bits in range(23)]
print("float32, a NaN of all bits:", canonical[0], "becomes", rounded[0][0], "for keepbits 0 to 22")
assert all((values == 0).all() and np.signbit(values).all() for values in rounded), "it is not 0 now"
PY
