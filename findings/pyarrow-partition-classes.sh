#!/usr/bin/env bash
# A class called "_unknown_" is written to a partitioned data set by PyArrow and not read again; "01" becomes 1.
# Versions: Python 3.11, PyArrow 26.0.1, Polars 2.1.0, DuckDB 2.0.1
#
# write_dataset(partitioning=["label"]) makes a folder for each label, with its name. When the same library reads them,
# with the same partitioning, whatever begins with an underscore or a dot is passed over as if it were a file of some
# other system: of the extra classes of Speech Commands, "_silence_" and "_unknown_", no row comes back, and
# nothing is said. With folders called "label=_unknown_" (the flavour "hive") they do. There another thing happens: if
# all names can be read as whole numbers they are, so that of "1", "01" and "001" one class is left. Polars does so too;
# DuckDB keeps the names. The type of the label was known when the files were written, and is not kept.
#
# Seen on 2026-11-29:
#     labels written: ['_silence_', '_unknown_', 'no', 'yes']
#     PyArrow, folders "yes"      : ['no', 'yes']
#     PyArrow, folders "label=yes": ['_silence_', '_unknown_', 'no', 'yes']
#     labels written: ['001', '007', '01', '1', '7']
#     PyArrow: [1, 1, 1, 7, 7]
#     Polars : [1, 1, 1, 7, 7]
#     DuckDB : ['001', '007', '01', '1', '7']
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
"${install[@]}" pyarrow==26.0.1 polars==2.1.0 duckdb==2.0.1 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

trap 'tail -3 messages.txt; exit 1' ERR
env/bin/python - 2>messages.txt <<'PY'
import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

spoken = ["_silence_", "_unknown_", "no", "yes"]
print(f"labels written: {spoken}")
table = pa.table({"label": spoken, "clip": range(4)})
found = {}
for title, flavour, folder in (('folders "yes"', None, "plain"), ('folders "label=yes"', "hive", "hive")):
    options = {"partitioning": ["label"]} if flavour is None else {"partitioning": ds.partitioning(flavor=flavour)}
    written = options if flavour is None else {"partitioning": ["label"], "partitioning_flavor": flavour}
    ds.write_dataset(table, folder, format="parquet", **written)
    read = ds.dataset(folder, format="parquet", **options).to_table()
    found[folder] = sorted(read["label"].to_pylist())
    print(f"PyArrow, {title:19}: {found[folder]}")
assert found["hive"] == spoken
assert found["plain"] == ["no", "yes"], "classes with an underscore are read now"

numbered = ["001", "007", "01", "1", "7"]
print(f"labels written: {numbered}")
pq.write_to_dataset(pa.table({"label": numbered, "clip": range(5)}), "numbered", partition_cols=["label"])
arrow = sorted(pq.read_table("numbered")["label"].to_pylist())
print(f"PyArrow: {arrow}")
polars = sorted(pl.read_parquet("numbered/**/*.parquet", hive_partitioning=True)["label"].to_list())
print(f"Polars : {polars}")
rows = duckdb.sql("select label from read_parquet('numbered/**/*.parquet', hive_partitioning = true)").fetchall()
print(f"DuckDB : {sorted(row[0] for row in rows)}")
assert arrow == polars == [1, 1, 1, 7, 7], "labels are kept as text now"
PY
if grep -iE 'warn|ignor|skip|prefix|label' messages.txt; then
    echo "it says something now"
    exit 1
fi
