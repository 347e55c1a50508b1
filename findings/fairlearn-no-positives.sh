#!/usr/bin/env bash
# Fairlearn takes the hit rate of a group without positive samples for 0: answers without an error are most unfair.
# Versions: Python 3.11, fairlearn 0.15.0, scikit-learn 1.9.1, pandas 3.1.1, NumPy 2.4.6
#
# The share of the positives that is found does not exist where there are none. Here it is 0, and so is the share that
# is missed, although the two add up to 1. equalized_odds_difference and equal_opportunity_difference compare groups by
# it: of answers that are all right they are 1, the worst there is, and the ratio is 0. One positive sample more in
# that group, and they are 0 and 1. Small test sets and rare classes have such groups: with a tenth of the patients of
# scikit-learn's diabetes set positive, nearly each test set of a fifth has one by sex and age. Nothing is said.
# recall_score warns of the same group, and the documentation of the rates and of the differences does not mention it.
# The cure is a rate that is NaN there: MetricFrame leaves it out.
#
# Seen on 2026-12-01, all answers are right:
#     screening without a sick person: found 0, missed 0; odds differ by 1, ratio 0, opportunity differs by 1
#     screening with one sick person : found 1, missed 0; odds differ by 0, ratio 1, opportunity differs by 0
#     a rate that is NaN             : difference 0, ratio 1
#     diabetes, 20 test sets of 89   : odds differ by 1 in 19, by 0 in 1, with a NaN by 0 in 20
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
"${install[@]}" fairlearn==0.15.0 scikit-learn==1.9.1 pandas==3.1.1 numpy==2.4.6 scipy==1.17.1 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python -W error - <<'PY'
import numpy as np
from fairlearn.metrics import (
    MetricFrame,
    equal_opportunity_difference,
    equalized_odds_difference,
    equalized_odds_ratio,
    false_negative_rate,
    true_positive_rate,
)
from sklearn.datasets import load_diabetes
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import recall_score
from sklearn.model_selection import train_test_split


def found_or_nan(truth, answers) -> float:
    sick = np.asarray(truth) == 1
    return float(np.mean(np.asarray(answers)[sick])) if sick.any() else float("nan")


def scores(title: str, screening: list[int]) -> dict[str, float]:
    truth = np.array([0, 1, 0, 1, 1, 0, *screening])
    places = np.array(["ward"] * 6 + ["screening"] * len(screening))
    alike = {"y_true": truth, "y_pred": truth, "sensitive_features": places}
    rates = MetricFrame(metrics={"found": true_positive_rate, "missed": false_negative_rate}, **alike)
    seen = {
        "found": rates.by_group.loc["screening", "found"],
        "missed": rates.by_group.loc["screening", "missed"],
        "odds": equalized_odds_difference(truth, truth, sensitive_features=places),
        "ratio": equalized_odds_ratio(truth, truth, sensitive_features=places),
        "opportunity": equal_opportunity_difference(truth, truth, sensitive_features=places),
        "cured": MetricFrame(metrics=found_or_nan, **alike).difference(),
        "cured ratio": MetricFrame(metrics=found_or_nan, **alike).ratio(),
    }
    print(
        f"{title:31}: found {seen['found']:g}, missed {seen['missed']:g}; odds differ by {seen['odds']:g},"
        f" ratio {seen['ratio']:g}, opportunity differs by {seen['opportunity']:g}"
    )
    return seen


none = scores("screening without a sick person", [0, 0, 0, 0])
one = scores("screening with one sick person", [0, 0, 0, 1])
assert (one["found"], one["missed"], one["odds"], one["ratio"], one["opportunity"]) == (1, 0, 0, 1, 0)
assert none["found"] == 0 and none["missed"] == 0, "a rate without samples is not 0 now"
assert none["odds"] == 1 and none["opportunity"] == 1 and none["ratio"] == 0, "answers without an error are fair now"
print(f"{'a rate that is NaN':31}: difference {none['cured']:g}, ratio {none['cured ratio']:g}")
assert none["cured"] == 0 and none["cured ratio"] == 1
try:
    recall_score([0, 0, 0, 0], [0, 0, 0, 0])
except UndefinedMetricWarning:
    pass
else:
    raise AssertionError("scikit-learn does not warn any more")

patients, progress = load_diabetes(return_X_y=True, scaled=False)
age, sex = np.digitize(patients[:, 0], [40, 55]), patients[:, 1].astype(int)
labels, groups = (progress > np.quantile(progress, 0.9)).astype(int), 3 * sex + age
told, cured = [], []
for seed in range(20):
    _, truth, _, group = train_test_split(labels, groups, test_size=0.2, random_state=seed, stratify=labels)
    told.append(equalized_odds_difference(truth, truth, sensitive_features=group))
    frame = MetricFrame(metrics=found_or_nan, y_true=truth, y_pred=truth, sensitive_features=group)
    cured.append(frame.difference())
print(
    f"diabetes, 20 test sets of {len(truth)}   : odds differ by 1 in {told.count(1)}, by 0 in {told.count(0)},"
    f" with a NaN by 0 in {cured.count(0)}"
)
assert told.count(1) >= 5 and told.count(1) + told.count(0) == 20 and cured.count(0) == 20
PY
