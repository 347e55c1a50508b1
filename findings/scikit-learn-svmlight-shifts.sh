#!/usr/bin/env bash
# scikit-learn's digits, written and read in its own svmlight format, come back with every pixel moved one to the left.
# Versions: Python 3.11, scikit-learn 1.9.1, NumPy 2.4.6
#
# dump_svmlight_file() counts columns from 0 and leaves out zeros. load_svmlight_file() guesses by default
# (zero_based="auto"): where no row has a number in column 0 it takes the file to count from 1, and moves all columns
# down by one. So the defaults of the two do not fit each other where the first column is empty, as the corner of
# pictures is. With n_features=64 even the shape is right. The documentation says of "auto" that it "should always be
# safe" if the file is read whole. The fewer rows a file has, the more often it happens: of a table whose first column
# is a rare flag the training file is read right, and the test file, or a small selection, is moved. zero_based=True
# is the cure; load_svmlight_files() guesses once for all files. There is no warning.
#
# Seen on 2026-11-29:
#     read back                : (1797, 63), by a classifier of the pixels as they were refused
#     with n_features=64       : (1797, 64), by a classifier of the pixels as they were  45% right
#     with zero_based=True     : (1797, 64), by a classifier of the pixels as they were 100% right
#     900 rows of a table      : first row [0, 1, 2, 3], as written [0, 1, 2, 3]
#     10 rows of it            : first row [1, 2, 3, 0], as written [0, 1, 2, 3]
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
"${install[@]}" scikit-learn==1.9.1 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python -W error - <<'PY'
import numpy as np
from sklearn.datasets import dump_svmlight_file, load_digits, load_svmlight_file
from sklearn.linear_model import LogisticRegression

pixels, digits = load_digits(return_X_y=True)
knows = LogisticRegression(max_iter=5000).fit(pixels, digits)
dump_svmlight_file(pixels, digits, "digits.svm")


def read(title: str, **how: object) -> np.ndarray:
    given, labels = load_svmlight_file("digits.svm", **how)
    assert (labels == digits).all()
    table = given.toarray()
    right = f"{knows.score(table, digits):4.0%} right" if table.shape[1] == 64 else "refused"
    print(f"{title:25}: {table.shape}, by a classifier of the pixels as they were {right}")
    return table


narrow, moved = read("read back"), read("with n_features=64", n_features=64)
same = read("with zero_based=True", n_features=64, zero_based=True)
assert narrow.shape[1] == 63 and (narrow == pixels[:, 1:]).all(), "it is read right now"
assert (moved[:, :-1] == pixels[:, 1:]).all() and not moved[:, -1].any()
assert (same == pixels).all()

flags = np.random.default_rng(0).random((1000, 1)) < 0.02  # a rare flag before three other columns
table = np.hstack([flags, np.arange(3000).reshape(1000, 3) + 1])
for title, rows in (("900 rows of a table", table[:900]), ("10 rows of it", table[~flags[:, 0]][:10])):
    dump_svmlight_file(rows, np.zeros(len(rows)), "rows.svm")
    given = load_svmlight_file("rows.svm", n_features=4)[0].toarray()
    print(f"{title:25}: first row {given[0].astype(int).tolist()}, as written {rows[0].astype(int).tolist()}")
    assert (given == rows).all() == (len(rows) == 900)
PY
