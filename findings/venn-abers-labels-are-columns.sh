#!/usr/bin/env bash
# Venn-Abers calibration takes labels for column numbers and for counts: of labels -1, 0 and 1 a third are right.
# Versions: Python 3.11, venn-abers 1.5.4, scikit-learn 1.9.1, SciPy 1.17.1, pandas 3.1.1, NumPy 2.4.6
#
# Probabilities that a classifier gave for a calibration set are calibrated by that set's labels. The columns belong to
# the classes in order, but VennAbersCalibrator takes column y of the probabilities for class y. Of the labels -1, 0 and
# 1 (bad, neither, good) class -1 gets the last column, that of 1, and each of the others the one before its own. With
# two classes the labels themselves are summed as if they counted the cases of the second class: -1 and 1, as
# scikit-learn's own detectors of outliers have them, and 1 and 2, as many sets have them, give probabilities of -14 and
# of 48. Nothing is said: the shapes are right, rows add up to 1, and NumPy's notice of an "All-NaN slice" comes with
# labels 0, 1 and 2 as well. Labels 1 to 3 end with an IndexError. The documentation asks for "class labels" and "binary
# class labels". With an estimator in place of probabilities the calibrator is right, and VennAbersCV is not. The cure
# is np.searchsorted(classes, labels).
#
# Seen on 2026-12-01, right answers for digits, by a naive Bayes and by what is calibrated; then two classes:
#     labels (0, 1, 2)  : 96 %, calibrated one by one 96 %, one by all 96 %, of class numbers 96 %
#     labels (-1, 0, 1) : 96 %, calibrated one by one 35 %, one by all 34 %, of class numbers 96 %
#     labels (-2, -1, 0): 96 %, calibrated one by one 56 %, one by all 55 %, of class numbers 96 %
#     labels (0, 1) : probabilities from 0.03 to 0.99, mean 0.65, of class numbers 0.65 (share of the class 0.63)
#     labels (-1, 1): probabilities from -14.50 to 0.99, mean -1.18, of class numbers 0.65 (share of the class 0.63)
#     labels (1, 2) : probabilities from 0.50 to 48.00, mean 15.67, of class numbers 0.65 (share of the class 0.63)
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
"${install[@]}" venn-abers==1.5.4 scikit-learn==1.9.1 scipy==1.17.1 pandas==3.1.1 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python -W error -W ignore::RuntimeWarning - <<'PY'
import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from venn_abers import VennAbers, VennAbersCalibrator


def parts(samples: np.ndarray, classes: np.ndarray, names: tuple[int, ...]):
    """A classifier of classes under those names, probabilities and labels for calibration, and the same for a test."""
    labels = np.array(names)[classes]
    seen, others, known, rest = train_test_split(samples, labels, test_size=0.6, random_state=0, stratify=labels)
    one, two, label_one, label_two = train_test_split(others, rest, test_size=0.5, random_state=0, stratify=rest)
    model = GaussianNB().fit(seen, known)
    assert model.classes_.tolist() == sorted(names)
    return model, model.predict_proba(one), label_one, model.predict_proba(two), label_two


def right(model: GaussianNB, probabilities: np.ndarray, truth: np.ndarray) -> float:
    return float((model.classes_[probabilities.argmax(axis=1)] == truth).mean())


samples, digits = load_digits(return_X_y=True)
samples, digits = samples[digits < 3], digits[digits < 3]
for names in ((0, 1, 2), (-1, 0, 1), (-2, -1, 0)):
    model, fitted, labels, asked, truth = parts(samples, digits, names)
    shares = []
    for given in (labels, np.searchsorted(model.classes_, labels)):
        for way in ("one_vs_one", "one_vs_rest"):
            calibrated = VennAbersCalibrator().predict_proba(p_cal=fitted, y_cal=given, p_test=asked, va_type=way)
            assert np.allclose(calibrated.sum(axis=1), 1)
            shares.append(right(model, calibrated, truth))
    before = right(model, asked, truth)
    print(
        f"labels {names!s:11}: {100 * before:.0f} %, calibrated one by one {100 * shares[0]:.0f} %,"
        f" one by all {100 * shares[1]:.0f} %, of class numbers {100 * shares[2]:.0f} %"
    )
    assert min(before, *shares[2:]) > 0.9
    if names == (0, 1, 2):
        assert min(shares) > 0.9
    else:
        assert max(shares[:2]) < 0.65, "labels below 0 have columns of their own now"

samples, kinds = load_breast_cancer(return_X_y=True)
for names in ((0, 1), (-1, 1), (1, 2)):
    model, fitted, labels, asked, truth = parts(samples, kinds, names)
    calibrated = VennAbers().fit(fitted, labels).predict_proba(asked)[0][:, 1]
    numbers = VennAbers().fit(fitted, np.searchsorted(model.classes_, labels)).predict_proba(asked)[0][:, 1]
    print(
        f"labels {names!s:7}: probabilities from {calibrated.min():.2f} to {calibrated.max():.2f},"
        f" mean {calibrated.mean():.2f}, of class numbers {numbers.mean():.2f}"
        f" (share of the class {(truth == names[1]).mean():.2f})"
    )
    assert 0 <= numbers.min() and numbers.max() <= 1 and abs(numbers.mean() - (truth == names[1]).mean()) < 0.1
    beyond = calibrated.min() < 0 or calibrated.max() > 1
    assert beyond == (names != (0, 1)), "two classes of any labels are calibrated now"
PY
