#!/usr/bin/env bash
# aeon reads the classes of its own .ts files in lower case, and "banana" as "baNaNa".
# Versions: Python 3.11, aeon 1.6.0, scikit-learn 1.9.1, NumPy 2.3.5, pandas 3.0.6
#
# save_to_ts_file() writes labels as they are. load_from_ts_file() turns each line, the label at its end included, to
# lower case and replaces every "nan" in it by "NaN", or by what is to stand for missing values. Labels that differ in
# case only, as of handwritten letters or of genes, become one class. Where classes are numbered in the order of their
# names, as LabelEncoder does, their numbers change as well: capitals come before small letters, so that "Walk" and
# "sit" swap theirs between the arrays and the file. With replace_missing_vals_with="0" a banana is "ba0a".
# There is no message.
#
# Seen on 2026-11-29:
#     written A a b [0, 1, 2], read a a b [0, 0, 1]
#     written sit Walk [1, 0], read sit walk [0, 1]
#     written apple banana [0, 1], read apple baNaNa [0, 1]
#     written apple banana [0, 1], read apple ba0a [0, 1]
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
"${install[@]}" aeon==1.6.0 scikit-learn==1.9.1 numpy==2.3.5 pandas==3.0.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

trap 'tail -3 messages.txt; exit 1' ERR
env/bin/python 2>messages.txt - <<'PY'
import numpy as np
from aeon.datasets import load_from_ts_file, save_to_ts_file
from sklearn.preprocessing import LabelEncoder


def back(*names: str, **how: str) -> tuple[list[str], list[int], list[int]]:
    y = np.repeat(names, 2)
    series = np.random.default_rng(0).normal(size=(len(y), 1, 8))
    save_to_ts_file(series, y, label_type="classification", problem_name="set")
    again, read = load_from_ts_file("set.ts", **how)
    assert np.allclose(again, series)
    numbers, theirs = (LabelEncoder().fit_transform(labels)[::2].tolist() for labels in (y, read))
    print(f"written {' '.join(names)} {numbers}, read {' '.join(read[::2])} {theirs}")
    return read[::2].tolist(), numbers, theirs


assert back("A", "a", "b") == (["a", "a", "b"], [0, 1, 2], [0, 0, 1]), "case is kept now"
assert back("sit", "Walk") == (["sit", "walk"], [1, 0], [0, 1]), "case is kept now"
assert back("apple", "banana")[0] == ["apple", "baNaNa"], "nan in a name is kept now"
assert back("apple", "banana", replace_missing_vals_with="0")[0] == ["apple", "ba0a"], "nan in a name is kept now"
PY
