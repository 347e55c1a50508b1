#!/usr/bin/env bash
# fastparquet reads a float16 column of Parquet as bytes, and a zero as no bytes at all; other readers see numbers.
# Versions: Python 3.11, fastparquet 2026.9.0, PyArrow 26.0.1, Polars 2.1.0, pandas 3.1.1, NumPy 2.4.6
#
# float16 is how soft labels and embeddings are kept small. Parquet stores it as two bytes with the logical type
# Float16, which fastparquet does not look at: the column arrives as objects that are the two bytes, in lists as well,
# without a warning. They are bytes as NumPy keeps them, so that zeros at their end are gone: 0.0 is b"", and
# b"".join(column) can no longer be read as float16. A filter on the column raises a TypeError. The other way round,
# float16 in pandas is written by fastparquet as float32, so that its own files never show it. PyArrow and Polars give
# float16.
#
# Seen on 2026-11-28:
#     pyarrow     float16  [0.0, 0.5, 1.0]
#     polars      Float16  [0.0, 0.5, 1.0]
#     fastparquet object   [b'', b'\x008', b'\x00<'], joined: 4 of 6 bytes
#     a filter with fastparquet: TypeError
#     float16 written by fastparquet: float
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
"${install[@]}" fastparquet==2026.9.0 pyarrow==26.0.1 polars==2.1.0 pandas==3.1.1 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python -W error::UserWarning - <<'PY'
import fastparquet
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

numbers = np.array([0, 0.5, 1], np.float16)
rows = pa.array([numbers[1:].tolist()] * 3, pa.list_(pa.float16()))
pq.write_table(pa.table({"label": numbers, "row": rows}), "labels.parquet")

arrow, polars = pq.read_table("labels.parquet")["label"], pl.read_parquet("labels.parquet")["label"]
frame = fastparquet.ParquetFile("labels.parquet").to_pandas()
column, joined = frame["label"], b"".join(frame["label"])
print(f"pyarrow     {arrow.to_numpy().dtype}  {arrow.to_numpy().tolist()}")
print(f"polars      {polars.dtype}  {polars.to_list()}")
print(f"fastparquet {column.dtype}   {[bytes(each) for each in column]}, joined: {len(joined)} of {numbers.nbytes} bytes")
assert arrow.to_numpy().tolist() == polars.to_list() == numbers.tolist(), "PyArrow or Polars reads something else"
assert column.dtype == object and bytes(column[0]) == b"" and bytes(column[1]) == numbers[1].tobytes(), "numbers now"
assert isinstance(frame["row"][0][0], bytes), "lists hold numbers now"
assert len(joined) < numbers.nbytes, "no byte is lost now"
try:
    fastparquet.ParquetFile("labels.parquet").to_pandas(filters=[("label", ">", 0.6)])
except TypeError as error:
    print(f"a filter with fastparquet: {type(error).__name__}")
else:
    raise AssertionError("a filter works now")
fastparquet.write("other.parquet", pd.DataFrame({"label": numbers}))
written = pq.read_schema("other.parquet").field("label").type
print(f"float16 written by fastparquet: {written}")
assert written == pa.float32(), "fastparquet writes float16 now"
PY
