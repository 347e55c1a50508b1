#!/usr/bin/env bash
# Polars' mean of 784 pixel columns, a float64, is 0.1 instead of 125: mean_horizontal adds up in the columns' own type.
# Versions: Python 3.11, Polars 2.1.0, NumPy 2.4.6, pandas 3.1.1
#
# A table of pixels, one column each, is how MNIST and its like come as CSV or Parquet, and the mean of a row is the
# brightness of a picture. mean_horizontal() of uint8 columns sums modulo 256 and divides afterwards, so the result is
# a plausible float64 that never exceeds 255 / columns: a white picture of three channels has the mean 84.3, and its
# mean of 200 is 29.3. int16 gives negative means of positive numbers, uint16 the like, and float16 infinity. Every
# other mean of Polars is right: of a column, of a list or an array made of the same columns, in a group. So is the
# mean of pandas. No warning is written. Columns cast to a wider type first are the way round.
#
# Seen on 2026-11-29:
#     three of 200, UInt8      : mean_horizontal   29.33   mean of a list  200.00   pandas  200.00
#     three of 255, UInt8      : mean_horizontal   84.33   mean of a list  255.00   pandas  255.00
#     two of 30000, Int16      : mean_horizontal -2768.00   mean of a list 30000.00   pandas 30000.00
#     two of 60000, UInt16     : mean_horizontal 27232.00   mean of a list 60000.00   pandas 60000.00
#     784 pixels, UInt8        : mean_horizontal    0.12   mean of a list  124.52   pandas  124.52
#     784 pixels, cast to Int64: mean_horizontal  124.52   mean of a list  124.52   pandas  124.52
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
"${install[@]}" polars==2.1.0 pandas==3.1.1 pyarrow==26.0.1 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python -W error - <<'PY'
import numpy as np
import polars as pl

pixels = np.random.default_rng(0).integers(0, 256, (4, 784), np.uint8)
tables = {
    "three of 200, UInt8": np.full((1, 3), 200, np.uint8),
    "three of 255, UInt8": np.full((1, 3), 255, np.uint8),
    "two of 30000, Int16": np.full((1, 2), 30000, np.int16),
    "two of 60000, UInt16": np.full((1, 2), 60000, np.uint16),
    "784 pixels, UInt8": pixels,
    "784 pixels, cast to Int64": pixels.astype(np.int64),
}
for title, values in tables.items():
    frame = pl.DataFrame(values, schema=[f"pixel{place}" for place in range(values.shape[1])])
    seen = frame.select(wide=pl.mean_horizontal(pl.all()), listed=pl.concat_list(pl.all()).list.mean())
    pandas = frame.to_pandas().mean(axis=1)
    print(f"{title:25}: mean_horizontal {seen['wide'][0]:7.2f}   mean of a list {seen['listed'][0]:7.2f}"
          f"   pandas {pandas[0]:7.2f}")
    assert seen["wide"].dtype == pl.Float64 and frame.mean_horizontal().to_list() == seen["wide"].to_list()
    right = values.mean(1)
    assert np.allclose(seen["listed"], right) and np.allclose(pandas, right), "another mean is wrong as well"
    total = values.sum(1, dtype=values.dtype).astype(float)  # wraps round
    assert np.allclose(seen["wide"], total / values.shape[1]), "mean_horizontal no longer adds up in the columns' type"
    assert np.allclose(seen["wide"], right) == (values.dtype == np.int64), "mean_horizontal is right now"
halves = pl.DataFrame({"a": np.full(1, 60000, np.float16), "b": np.full(1, 60000, np.float16)})
assert halves.mean_horizontal().to_list() == [float("inf")], "float16 is right now"
PY
