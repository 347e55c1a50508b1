#!/usr/bin/env bash
# River's naive Bayes makes text of the classes that it learns in batches: all of its answers are counted as wrong.
# Versions: Python 3.11, river 0.26.1, pandas 3.1.1, NumPy 2.4.6, SciPy 1.17.1
#
# A class of River is a bool, a str or an int, and learn_one keeps it as it is. So do, one would guess, batches:
# learn_many is documented for "target classes", that of all classifiers for "boolean target values". Naive Bayes names
# columns after the classes by str: class 1 is "1" from then on, True is "True". Nothing else is learned otherwise, but
# no answer equals a label, and the accuracy is 0 %. A model that begins with a batch and goes on sample by sample has
# each class twice, and shares its probability among both. There is no message; classes that are text are right. The
# Bernoulli, multinomial and complement models have this line in common. The cure is to make text of all labels before.
#
# Seen on 2026-11-30:
#     text, in batches : answers 'cat', 'cow', 'dog', accuracy 93 %
#     int, one by one  : answers 0, 1, 2, accuracy 93 %
#     int, in batches  : answers '0', '1', '2', accuracy 0 %
#     bool, in batches : answers 'False', 'True', accuracy 0 %
#     a batch, then one by one: classes '0', '1', '2', 0, 1, 2
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
"${install[@]}" river==0.26.1 pandas==3.1.1 numpy==2.4.6 scipy==1.17.1 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

trap 'tail -3 messages.txt; exit 1' ERR
env/bin/python 2>messages.txt - <<'PY'
import numpy as np
import pandas as pd
from river import metrics
from river.naive_bayes import BernoulliNB

random = np.random.default_rng(0)
numbers = np.arange(600) % 3
prototypes = random.random((3, 12)) < 0.5
noise = random.random((600, 12)) < 0.15  # of each sample, 15 % of the features are turned
samples = pd.DataFrame(prototypes[numbers] ^ noise).rename(columns=str)


def one_by_one(model: BernoulliNB, rows: range, labels: list) -> None:
    for row in rows:
        model.learn_one(samples.iloc[row].to_dict(), labels[row])


def told(name: str, model: BernoulliNB, labels: list) -> tuple[list, float]:
    """The classes that the model answers, and its accuracy, on the 300 samples that it has not learned."""
    answers, accuracy = model.predict_many(samples[300:]).tolist(), metrics.Accuracy()
    for label, answer in zip(labels[300:], answers, strict=True):
        accuracy.update(label, answer)
    seen = sorted(set(answers))
    print(f"{name:17}: answers {', '.join(map(repr, seen))}, accuracy {accuracy.get():.0%}".replace("%", " %"))
    return seen, accuracy.get()


def in_batches(name: str, labels: list) -> tuple[list, float]:
    model = BernoulliNB()
    for start in range(0, 300, 100):
        model.learn_many(samples[start : start + 100], pd.Series(labels[start : start + 100]))
    return told(name, model, labels)


classes = numbers.tolist()
text = [("cat", "cow", "dog")[number] for number in classes]
answers, accuracy = in_batches("text, in batches", text)
assert answers == ["cat", "cow", "dog"] and accuracy > 0.9
single = BernoulliNB()
one_by_one(single, range(300), classes)
assert told("int, one by one", single, classes) == ([0, 1, 2], accuracy)
assert in_batches("int, in batches", classes) == (["0", "1", "2"], 0), "numbers remain numbers now"
assert in_batches("bool, in batches", [number == 0 for number in classes]) == (["False", "True"], 0)

mixed = BernoulliNB()
mixed.learn_many(samples[:150], pd.Series(classes[:150]))
one_by_one(mixed, range(150, 300), classes)
names = list(mixed.predict_proba_one(samples.iloc[0].to_dict()))
print(f"a batch, then one by one: classes {', '.join(map(repr, names))}")
assert set(names) == {"0", "1", "2", 0, 1, 2}
PY
if grep -iE 'warn|class|label' messages.txt; then
    echo "it says something now"
    exit 1
fi
