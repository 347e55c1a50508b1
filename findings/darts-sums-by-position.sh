#!/usr/bin/env bash
# Darts adds and subtracts series by position: their times are never looked at, nor have they to overlap.
# Versions: Python 3.11, darts 0.48.1, pandas 3.1.1, NumPy 2.4.6
#
# A TimeSeries has times, and `truth - forecast` is how its errors are written. It takes the values of both as plain
# arrays: of a forecast that begins one hour later, and is right in each of its hours, the error is 10 in every hour,
# while mae() of the same two series, which compares the hours that both have, says 0. Hours of 2026 are multiplied by
# months of 1990, and a series of one hour is added to all hours of another. The result has the times of the left one.
# There is no message. stack() refuses series of other times, and pandas aligns them. The operators have no
# documentation of their own.
#
# Seen on 2026-11-29:
#     mae of truth and forecast    : 0.0
#     truth - forecast             : [-10.0, -10.0, -10.0, -10.0, -10.0, -10.0]
#     the same in pandas           : [nan, 0.0, 0.0, 0.0, 0.0, 0.0, nan]
#     times months of 1990         : [10.0, 40.0, 90.0, 160.0, 250.0, 360.0], at 2026-01-01 00:00 and on
#     plus one hour of 2030        : [1010.0, 1020.0, 1030.0, 1040.0, 1050.0, 1060.0]
#     stacked                      : refused
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
"${install[@]}" darts==0.48.1 pandas==3.1.1 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

trap 'tail -3 messages.txt; exit 1' ERR
env/bin/python 2>messages.txt - <<'PY'
import numpy as np
import pandas as pd
from darts import TimeSeries
from darts.metrics import mae


def series(start: str, step: str, values: list[float]) -> TimeSeries:
    times = pd.date_range(start, periods=len(values), freq=step)
    return TimeSeries.from_times_and_values(times, np.array(values))


def numbers(result: TimeSeries) -> list[float]:
    return result.values().ravel().tolist()


truth = series("2026-01-01 00:00", "h", [10.0, 20, 30, 40, 50, 60])
forecast = series("2026-01-01 01:00", "h", [20.0, 30, 40, 50, 60, 70])  # right in each of its hours
months = series("1990-01-01", "MS", [1.0, 2, 3, 4, 5, 6])
hour = series("2030-05-05", "h", [1000.0])

error, errors = float(mae(truth, forecast)), numbers(truth - forecast)
aligned = (truth.to_series() - forecast.to_series()).tolist()
product, total = truth * months, truth + hour
print(f"mae of truth and forecast    : {error}")
print(f"truth - forecast             : {errors}")
print(f"the same in pandas           : {aligned}")
print(f"times months of 1990         : {numbers(product)}, at {product.start_time():%Y-%m-%d %H:%M} and on")
print(f"plus one hour of 2030        : {numbers(total)}")
try:
    truth.stack(forecast)
    raise SystemExit("series of other times are stacked now")
except ValueError:
    print("stacked                      : refused")
assert error == 0 and np.nanmax(np.abs(aligned)) == 0
assert errors == [-10.0] * 6, "the times of series count now"
assert numbers(product) == [10, 40, 90, 160, 250, 360] and product.time_index.equals(truth.time_index)
assert numbers(total) == [1010, 1020, 1030, 1040, 1050, 1060] and total.time_index.equals(truth.time_index)
PY
if grep -iE 'warn|align' messages.txt; then
    echo "it says something now"
    exit 1
fi
