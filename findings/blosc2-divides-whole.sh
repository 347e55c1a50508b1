#!/usr/bin/env bash
# Blosc2 cuts the quotients of two integer arrays to whole numbers and gives them as floats: 45 / 50 is 0.0.
# Versions: Python 3.11, blosc2 4.14.1, numexpr 2.14.2, NumPy 2.4.6
#
# Its arrays are divided by "/" or blosc2.divide, whose documentation refers to NumPy's divide, which gives fractions of
# integers. Blosc2's quotient is cut towards 0. It has the type of NumPy's, float64, so that it looks like a right one:
# the accuracy of a class with 45 right answers of 50 is 0.0. It is so for 8 to 64 bits, signed or not, computed or
# not, and within sums and means. If one side is a plain number, an array of NumPy, or of floats, the same quotient is
# right. There is no message. The cure is to multiply one side by 1.0 before.
#
# Seen on 2026-11-30:
#     numpy / numpy   : 0.9 0.9 1 -0.9, float64
#     blosc2 / blosc2 : 0 0 1 0, float64
#     blosc2.divide   : 0 0 1 0, float64
#     blosc2 / numpy  : 0.9 0.9 1 -0.9, float64
#     blosc2 * 1.0 / b: 0.9 0.9 1 -0.9, float64
#     mean of the accuracies of 1,000 classes: 0.000 instead of 0.894
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
"${install[@]}" blosc2==4.14.1 numexpr==2.14.2 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python -W error - <<'PY'
import blosc2
import numpy as np


def shown(name: str, result) -> list[float]:
    values = result[:]
    print(f"{name:16}: {' '.join(f'{value + 0:g}' for value in values)}, {values.dtype}")
    assert values.dtype == np.float64
    return values.tolist()


right, total = np.array([9, 45, 50, -45]), np.array([10, 50, 50, 50])
a, b = blosc2.asarray(right), blosc2.asarray(total)
truth = shown("numpy / numpy", right / total)
assert truth == [0.9, 0.9, 1.0, -0.9]
for name, quotient in (("blosc2 / blosc2", a / b), ("blosc2.divide", blosc2.divide(a, b))):
    assert shown(name, quotient) == [0, 0, 1, 0], "integers are divided with their rest now"
for name, quotient in (("blosc2 / numpy", a / total), ("blosc2 * 1.0 / b", a * 1.0 / b)):
    assert shown(name, quotient) == truth, "this was right"
for kind in ("uint8", "int16", "uint16", "int32", "int64"):
    pair = [blosc2.asarray(values[:3].astype(kind)) for values in (right, total)]
    quotient = (pair[0] / pair[1]).compute()
    assert np.issubdtype(quotient.dtype, np.floating) and quotient[:].tolist() == [0, 0, 1], kind

random = np.random.default_rng(0)
totals = random.integers(50, 100, 1000)
rights = totals - random.integers(1, 15, 1000)
mean = float((blosc2.asarray(rights) / blosc2.asarray(totals)).mean())
print(f"mean of the accuracies of 1,000 classes: {mean:.3f} instead of {(rights / totals).mean():.3f}")
assert mean == 0 and (rights / totals).mean() > 0.8
PY
