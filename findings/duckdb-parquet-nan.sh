#!/usr/bin/env bash
# DuckDB finds no NaN in a Parquet file of PyArrow, not even with isnan(), and counts its rows as small instead.
# Versions: Python 3.11, DuckDB 2.0.1, PyArrow 26.0.1, Polars 2.1.0
#
# Losses of a run that diverged, kept as Parquet. In DuckDB NaN is equal to itself and larger than every number. The
# statistics in a file leave NaN out, as the format asks for, and DuckDB answers from them alone: with losses of 1.0,
# 1.5 and NaN, isnan(loss), loss > 2 and loss = 'nan' find no row, max(loss) is 1.5, and loss <= 2 keeps all three. The
# rows that a check looks for are those that it cannot see. The same rows in a table of DuckDB, in a Parquet file that
# DuckDB wrote, in one without statistics, or in the same file with the optimiser off, give the right answers; so does
# Polars with the file. The answer depends on who wrote the file.
#
# Seen on 2026-11-29 (rows found, of three):
#     DuckDB, its own table     : isnan 1, > 2: 1, = 'nan': 1, <= 2: 2, max nan
#     DuckDB, its own Parquet   : isnan 1, > 2: 1, = 'nan': 1, <= 2: 2, max nan
#     DuckDB, PyArrow's Parquet : isnan 0, > 2: 0, = 'nan': 0, <= 2: 3, max 1.5
#     DuckDB, without statistics: isnan 1, > 2: 1, = 'nan': 1, <= 2: 2, max nan
#     DuckDB, optimiser off     : isnan 1, > 2: 1, = 'nan': 1, <= 2: 2, max nan
#     Polars, PyArrow's Parquet : isnan 1
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
"${install[@]}" duckdb==2.0.1 pyarrow==26.0.1 polars==2.1.0 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python -W error - <<'PY'
import math

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

losses = pa.table({"loss": [1.0, 1.5, math.nan]})
pq.write_table(losses, "arrow.parquet")
pq.write_table(losses, "plain.parquet", write_statistics=False)
database = duckdb.connect()
database.execute("CREATE TABLE losses (loss DOUBLE); INSERT INTO losses VALUES (1), (1.5), ('nan')")
database.execute("COPY losses TO 'own.parquet' (FORMAT parquet)")


def answers(title: str, source: str) -> tuple[int, int, int, int, bool]:
    wheres = ("isnan(loss)", "loss > 2", "loss = 'nan'::DOUBLE", "loss <= 2")
    counts = [database.execute(f"SELECT count(*) FROM {source} WHERE {where}").fetchall()[0][0] for where in wheres]
    largest = database.execute(f"SELECT max(loss) FROM {source}").fetchall()[0][0]
    print("{:26}: isnan {}, > 2: {}, = 'nan': {}, <= 2: {}, max {}".format(f"DuckDB, {title}", *counts, largest))
    return (*counts, math.isnan(largest))


right = (1, 1, 1, 2, True)
assert answers("its own table", "losses") == answers("its own Parquet", "'own.parquet'") == right
assert answers("PyArrow's Parquet", "'arrow.parquet'") == (0, 0, 0, 3, False), "PyArrow's file is read otherwise now"
assert answers("without statistics", "'plain.parquet'") == right
database.execute("PRAGMA disable_optimizer")
assert answers("optimiser off", "'arrow.parquet'") == right
found = pl.scan_parquet("arrow.parquet").filter(pl.col("loss").is_nan()).collect().height
print(f"Polars, PyArrow's Parquet : isnan {found}")
assert found == 1
PY
