#!/usr/bin/env bash
# aeon reads negative numbers as positive ones, and 1.5e-05 as 1.5, from a .ts file with time stamps.
# Versions: Python 3.11, aeon 1.6.0, sktime 1.2.0, NumPy 2.3.5, pandas 3.0.6
#
# A value of such a file is written (2026-01-01 00:00:00,-1.5), aeon says. Its reader finds values by digits, a dot
# and digits: the minus before them and the exponent behind them are left out, and a whole number is no value at all.
# A rising and a falling series, two classes, become the same numbers. Without time stamps the same file is read
# right, and sktime, from which aeon comes, reads both right. There is no error and no warning.
#
# Seen on 2026-11-29:
#     no time stamps    : up [-1.5, -0.5, 0.5, 1.5], down [1.5, 0.5, -0.5, -1.5]
#     time stamps       : up [1.5, 0.5, 0.5, 1.5], down [1.5, 0.5, 0.5, 1.5]
#     small numbers     : up [1.5, 2.5], down [2.5, 1.5]
#     whole numbers     : up [2.5], down [2.5]
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
"${install[@]}" aeon==1.6.0 sktime==1.2.0 numpy==2.3.5 pandas==3.0.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

trap 'tail -3 messages.txt; exit 1' ERR
env/bin/python 2>messages.txt - <<'PY'
from pathlib import Path

from aeon.datasets import load_from_ts_file
from sktime.datasets import load_from_tsfile_to_dataframe

HEADER = """@problemName drift
@timeStamps {stamps}
@missing false
@univariate true
@equalLength true
@seriesLength {length}
@classLabel true up down
@data
"""


def read(title: str, rising: list[str], stamps: str | None) -> list[list[float]]:
    rows = []
    for name, values in (("up", rising), ("down", rising[::-1])):
        parts = values if stamps is None else [f"({stamps.format(n)},{value})" for n, value in enumerate(values)]
        rows.append(",".join(parts) + ":" + name)
    head = HEADER.format(stamps=str(stamps is not None).lower(), length=len(rising))
    Path("drift.ts").write_text(head + "\n".join(rows) + "\n")
    theirs, _ = load_from_ts_file("drift.ts")
    other, _ = load_from_tsfile_to_dataframe("drift.ts")
    told = [list(map(float, series[0])) for series in theirs]
    right = [list(map(float, series)) for series in other["dim_0"]]
    assert right == [[float(value) for value in row] for row in (rising, rising[::-1])], "sktime reads it otherwise"
    print(f"{title:18}: up {told[0]}, down {told[1]}")
    return told


numbers, stamps = ["-1.5", "-0.5", "0.5", "1.5"], "2026-01-01 00:00:0{}"
up, down = read("no time stamps", numbers, None)
assert up == [-1.5, -0.5, 0.5, 1.5] and down == up[::-1]
up, down = read("time stamps", numbers, stamps)
assert up == down == [1.5, 0.5, 0.5, 1.5], "signs are kept now"
up, down = read("small numbers", ["1.5e-05", "2.5e-05"], stamps)
assert up == [1.5, 2.5], "exponents are kept now"
up, down = read("whole numbers", ["1", "2.5", "3"], stamps)
assert up == [2.5], "whole numbers are kept now"
PY
