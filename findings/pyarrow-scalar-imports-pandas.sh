#!/usr/bin/env bash
# PyArrow imports pandas for a single number, and for every array, if pandas happens to be installed.
# Versions: Python 3.11, PyArrow 26.0.1, pandas 3.1.1, NumPy 2.4.6
#
# pa.scalar(1) and pa.array([1]), also with their type said and also of NumPy's arrays, look whether the value belongs
# to pandas, and import all of pandas to find out. A short process that only writes a Parquet file pays for a library
# that it never names: some tenths of a CPU second and tens of MiB, in each such process. Importing pyarrow and
# pyarrow.parquet does not do it, nor do arrays that are made of buffers (Array.from_buffers), tables of them, or
# writing them; so the cost appears at the first conversion, far from any import, and not at all where pandas is absent.
#
# Seen on 2026-11-28 (yes: pandas is loaded; seconds and MiB on two cores):
#     import        no
#     from_buffers  no
#     write_table   no
#     scalar        yes
#     array_typed   yes
#     array_numpy   yes
#     scalar: 0.28 CPU s and 51 MiB more than from_buffers
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
"${install[@]}" pyarrow==26.0.1 pandas==3.1.1 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

cat >look.py <<'PY'
"""Do one thing with PyArrow in a fresh process, and say whether pandas came along, in which time and memory."""

import json
import resource
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def from_buffers() -> pa.Table:
    column = pa.Array.from_buffers(pa.int64(), 2, [None, pa.py_buffer(np.arange(2))])
    return pa.table({"label": column})


ways = {
    "import": lambda: None,
    "from_buffers": from_buffers,
    "write_table": lambda: pq.write_table(from_buffers(), "labels.parquet"),
    "scalar": lambda: pa.scalar(1),
    "array_typed": lambda: pa.array([1, 2], type=pa.int64()),
    "array_numpy": lambda: pa.array(np.arange(2)),
}
before = time.process_time()
ways[sys.argv[1]]()
seconds = time.process_time() - before
mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps(["pandas" in sys.modules, seconds, mib]))
PY
env/bin/python - <<'PY'
import json
import subprocess

ways = ("import", "from_buffers", "write_table", "scalar", "array_typed", "array_numpy")
seen = {way: json.loads(subprocess.check_output(["env/bin/python", "look.py", way])) for way in ways}
for way, (loaded, _, _) in seen.items():
    print(f"{way:13} {'yes' if loaded else 'no'}")
seconds, mib = (seen["scalar"][place] - seen["from_buffers"][place] for place in (1, 2))
print(f"scalar: {seconds:.2f} CPU s and {mib:.0f} MiB more than from_buffers")
assert [seen[way][0] for way in ways] == [False, False, False, True, True, True]
assert seconds > 0.05 and mib > 10
PY
