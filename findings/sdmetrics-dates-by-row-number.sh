#!/usr/bin/env bash
# SDMetrics loses the dates of rows that are not numbered from 0: made data just like the real ones is told from them.
# Versions: Python 3.11, sdmetrics 0.32.0, scikit-learn 1.9.1, SciPy 1.17.1, pandas 2.3.3, NumPy 2.4.6
#
# SVCDetection trains a classifier to tell made rows from real ones; a score of 1 means that it cannot. Dates become
# numbers first, as a new column whose rows are numbered from 0, which pandas then puts beside the table by row number.
# After a split or a filter a table keeps the numbers that it had: the second half of a table, as iloc or
# train_test_split(shuffle=False) give it, gets no date at all, and the mean date in each row; shuffled rows get the
# dates of other rows. A constant is easily told from dates, so that for two halves of one table the score is 0.04
# instead of 0.98. It is so for real and made rows alike, and in LogisticDetection, too, though a straight line makes
# little of it. Nothing is said. Columns of numbers and of classes are right. The cure is reset_index(drop=True).
#
# Seen on 2026-12-01, 2,000 rows of a date and a number, cut into halves as they are; 1 is indistinguishable:
#     two halves                                  : 0.04
#     two halves, numbered from 0                 : 0.98
#     the same, shuffled and numbered anew        : 1.00
#     the same, with shuffled numbers             : 0.32
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
"${install[@]}" sdmetrics==0.32.0 scikit-learn==1.9.1 scipy==1.17.1 pandas==2.3.3 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python -W error -W ignore::FutureWarning - <<'PY'
import numpy as np
import pandas as pd
from sdmetrics.single_table import SVCDetection

draws = np.random.default_rng(0)
hours = draws.integers(0, 365 * 24, 2000)
table = pd.DataFrame(
    {
        "when": pd.Timestamp("2020-01-01") + pd.to_timedelta(hours, unit="h"),
        "warmth": 10 * np.sin(hours / (365 * 24) * 2 * np.pi) + draws.normal(0, 1, 2000),
    }
)
metadata = {"columns": {"when": {"sdtype": "datetime"}, "warmth": {"sdtype": "numerical"}}}


def score(name: str, real: pd.DataFrame, made: pd.DataFrame) -> float:
    np.random.seed(0)
    found = SVCDetection.compute(real, made, metadata)
    print(f"{name:44}: {found:.2f}")
    return found


first, second = table.iloc[:1000], table.iloc[1000:]
assert score("two halves", first, second) < 0.3, "rows are dated whatever their numbers now"
assert score("two halves, numbered from 0", first, second.reset_index(drop=True)) > 0.85
mixed = second.sample(frac=1, random_state=0).reset_index(drop=True)
assert score("the same, shuffled and numbered anew", first, mixed) > 0.85
shuffled = mixed.set_axis(draws.permutation(1000))
assert score("the same, with shuffled numbers", first, shuffled) < 0.7, "shuffled rows keep their dates now"
only = {"columns": {"warmth": metadata["columns"]["warmth"]}}
np.random.seed(0)
assert SVCDetection.compute(first[["warmth"]], second[["warmth"]], only) > 0.85, "numbers are lost, too"
PY
