#!/usr/bin/env bash
# PerMetrics gives labels in a column an accuracy of 100 %, whatever the answers: it takes them for one-hot rows.
# Versions: Python 3.11, permetrics 2.1.0, scikit-learn 1.9.1, SciPy 1.17.1, pandas 3.1.1, NumPy 2.4.6
#
# Two dimensions mean one-hot rows or probabilities: the largest is the class. In a column of numbers, n x 1, as
# a table gives its labels and as the labels of CIFAR-10 come from Keras, the largest is always the first: truth and
# answers are class 0 throughout. Accuracy, precision, recall and F1 are 1 for noise as for a good model, and the
# correlation and kappa of both are 0. Nothing is said. If only one of the two is a column, the accuracy is the share of
# zeros in the other, with a notice of classes without cases where that is the truth. The documentation says "list,
# tuple, numpy array". The library's measures of regression take a column for the numbers in it, and scikit-learn does
# so for labels, too. The cure is labels.ravel().
#
# Seen on 2026-12-01, accuracy, macro F1 and kappa for handwritten digits, by a naive Bayes and by chance:
#     naive Bayes          : accuracy 0.81, F1 0.81, kappa 0.79
#     naive Bayes, columns : accuracy 1.00, F1 1.00, kappa 0.00
#     naive Bayes, tables  : accuracy 1.00, F1 1.00, kappa 0.00
#     noise                : accuracy 0.11, F1 0.11, kappa 0.01
#     noise, columns       : accuracy 1.00, F1 1.00, kappa 0.00
#     noise, tables        : accuracy 1.00, F1 1.00, kappa 0.00
#     answers alone in a column: accuracy 0.10, zeros in the truth 0.10
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
"${install[@]}" permetrics==2.1.0 scikit-learn==1.9.1 scipy==1.17.1 pandas==3.1.1 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python -W error - <<'PY'
import numpy as np
import pandas as pd
from permetrics import ClassificationMetric, RegressionMetric
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score
from sklearn.naive_bayes import GaussianNB

pixels, digits = load_digits(return_X_y=True)
half = len(digits) // 2
truth = digits[half:]
bayes = GaussianNB().fit(pixels[:half], digits[:half]).predict(pixels[half:])
noise = np.random.default_rng(0).integers(0, 10, len(truth))


def measured(name: str, labels, answers) -> tuple[float, float, float]:
    measure = ClassificationMetric(labels, answers)
    found = (
        measure.accuracy_score(average="micro"),
        measure.f1_score(average="macro"),
        measure.cohen_kappa_score(average="macro"),
    )
    print(f"{name:21}: accuracy {found[0]:.2f}, F1 {found[1]:.2f}, kappa {found[2]:.2f}")
    return found


for name, answers, lowest, highest in (("naive Bayes", bayes, 0.75, 0.85), ("noise", noise, 0.05, 0.15)):
    plain = measured(name, truth, answers)
    assert lowest < plain[0] < highest and np.isclose(plain[0], accuracy_score(truth, answers))
    column = measured(f"{name}, columns", truth[:, None], answers[:, None])
    table = measured(f"{name}, tables", pd.DataFrame({"digit": truth}), pd.DataFrame({"digit": answers}))
    one_hot = ClassificationMetric(np.eye(10)[truth], np.eye(10)[answers]).accuracy_score(average="micro")
    assert np.isclose(one_hot, plain[0]), "one-hot rows are wrong, too"
    assert np.isclose(accuracy_score(truth[:, None], answers[:, None]), plain[0])
    assert column == table == (1, 1, 0), "a column of labels is taken for labels now"
    error = RegressionMetric(truth[:, None].astype(float), answers[:, None].astype(float)).RMSE()
    assert np.isclose(error, np.sqrt(np.mean((truth - answers) ** 2.0)))
mixed = ClassificationMetric(truth, bayes[:, None]).accuracy_score(average="micro")
print(f"answers alone in a column: accuracy {mixed:.2f}, zeros in the truth {(truth == 0).mean():.2f}")
assert np.isclose(mixed, (truth == 0).mean())
PY
