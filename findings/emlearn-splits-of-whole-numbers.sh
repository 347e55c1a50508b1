#!/usr/bin/env bash
# emlearn cuts "8.5 or less" down to "below 8": trees of whole numbers answer wrongly, and yes and no are the same.
# Versions: Python 3.11, emlearn 0.23.2, scikit-learn 1.9.1, NumPy 2.4.6, a C compiler
#
# Features are whole numbers of 16 bits unless asked for otherwise, and the documentation asks that the data lie in that
# range. scikit-learn puts the bound between two whole numbers in the middle: 8 goes to the left of 8.5. The C code cuts
# the bound down and compares with "<", so that 8 goes to the right. A feature of 0 and 1 has the bound 0.5, which
# becomes "below 0": it is never true, one-hot columns and pixels of one bit do not count at all, and a tree of them
# always gives the same answer. With pixels of 8 bits few values lie next to a bound, and it hardly shows. Both methods,
# inline and loadable, do it, predict in Python as well as the C code; nothing is said. The cure is dtype="float", or to
# multiply the features by 2 before training. A number that is a bound itself, as 3 is where only 2 and 4 were seen,
# goes to the right even then.
#
# Seen on 2026-12-01, right answers for handwritten digits, trained on one half and asked for the other:
#     pixels 0..1  : tree 77 %, by emlearn 10 %, loadable 10 %, with floats 77 %, of twice the pixels 77 %
#     pixels 0..16 : tree 76 %, by emlearn 48 %, loadable 48 %, with floats 76 %, of twice the pixels 76 %
#     answers for one-bit pixels: always 8
#     8 or more, of 0..15: bound 7.5, in C "features[0] < 7"
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
"${install[@]}" emlearn==0.23.2 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1 setuptools ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }
command -v cc >/dev/null || { echo "cannot be seen here: there is no C compiler"; exit 77; }

trap 'tail -3 messages.txt; exit 1' ERR
env/bin/python 2>messages.txt - <<'PY'
import re

import emlearn
import numpy as np
from sklearn.datasets import load_digits
from sklearn.tree import DecisionTreeClassifier

pixels, digits = load_digits(return_X_y=True)


def answers(samples: np.ndarray, **options: str) -> tuple[np.ndarray, np.ndarray]:
    """Answers of a tree for the second half of the samples, by scikit-learn and by emlearn."""
    half = len(samples) // 2
    tree = DecisionTreeClassifier(random_state=0).fit(samples[:half], digits[:half])
    return tree.predict(samples[half:]), np.array(emlearn.convert(tree, **options).predict(samples[half:]))


def share(given: np.ndarray) -> float:
    return float(np.mean(given == digits[len(digits) // 2 :]))


for name, samples in (("0..1", (pixels > 7).astype(np.int16)), ("0..16", pixels.astype(np.int16))):
    tree, inline = answers(samples)
    _, loadable = answers(samples, method="loadable")
    _, floats = answers(samples, dtype="float")
    tree_of_twice, twice = answers(2 * samples)
    print(
        f"pixels {name:6}: tree {share(tree):.0%}, by emlearn {share(inline):.0%}, loadable {share(loadable):.0%},"
        f" with floats {share(floats):.0%}, of twice the pixels {share(twice):.0%}".replace("%", " %")
    )
    assert share(tree) > 0.7 and (tree_of_twice == tree).all() and (inline == loadable).all()
    assert min(np.mean(floats == tree), np.mean(twice == tree)) > 0.97
    assert share(inline) < share(tree) - 0.05, "whole numbers are on the right side now"
    if name == "0..1":
        assert len(set(inline)) == 1, "one-bit pixels count now"
        always = inline[0]
print(f"answers for one-bit pixels: always {always}")

numbers = np.arange(16)[:, None]
tree = DecisionTreeClassifier(random_state=0).fit(numbers, numbers[:, 0] >= 8)
code = re.search(r"features\[0\] <=? [0-9.f]+", emlearn.convert(tree).save(name="tree")).group()
print(f'8 or more, of 0..15: bound {tree.tree_.threshold[0]:g}, in C "{code}"')
assert tree.tree_.threshold[0] == 7.5 and code == "features[0] < 7", "7 is on the left now"
PY
if grep -iE 'warn|round|trunc|threshold' messages.txt; then
    echo "it says something now"
    exit 1
fi
