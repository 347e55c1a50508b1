#!/usr/bin/env bash
# tsfresh takes labels of uint8 for numbers to predict, and drops the features that tell a class in the middle.
# Versions: Python 3.11, tsfresh 0.21.2, pandas 3.1.1, NumPy 2.4.6
#
# select_features and extract_relevant_features find out from the labels if classes or numbers are to be told: integers
# are classes, says the documentation. Unsigned ones are not: the code looks for NumPy's kind of the type, "u", among
# the letters of single types. Labels of uint8, as those of MNIST's files and of many .npz files are, make it a
# regression, and a feature counts if it goes up or down with the number of the class. One that tells class 1 from 0 and
# 2 without a mistake is dropped, with labels of int64 it is kept. The features left are right ones, and there is no
# message at the usual levels. The cure is ml_task="classification".
#
# Seen on 2026-11-29:
#     labels of int64: classification, kept: level, middle
#     labels of int8 : classification, kept: level, middle
#     labels of uint8: regression, kept: level
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
"${install[@]}" tsfresh==0.21.2 pandas==3.1.1 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

trap 'tail -3 messages.txt; exit 1' ERR
env/bin/python 2>messages.txt - <<'PY'
import numpy as np
import pandas as pd
from tsfresh.feature_selection import select_features
from tsfresh.feature_selection.relevance import infer_ml_task

random = np.random.default_rng(0)
classes = np.arange(90) % 3
features = pd.DataFrame(
    {
        "level": random.normal(size=90) + 2 * classes,  # goes up with the class
        "middle": random.uniform(size=90) + 2 * (classes == 1),  # above 2 for class 1, and for it alone
        "noise": random.normal(size=90),
    }
)


def kept(kind: str) -> tuple[str, list[str]]:
    labels = pd.Series(classes.astype(kind))
    task, names = infer_ml_task(labels), sorted(select_features(features, labels, n_jobs=0).columns)
    print(f"labels of {kind:5}: {task}, kept: {', '.join(names)}")
    return task, names


for kind in ("int64", "int8"):
    assert kept(kind) == ("classification", ["level", "middle"])
assert kept("uint8") == ("regression", ["level"]), "unsigned labels are classes now"
PY
if grep -iE 'regression|uint|label' messages.txt; then
    echo "it says something now"
    exit 1
fi
