#!/usr/bin/env bash
# datasets' cast() to a ClassLabel with the same names in another order turns every cat into a dog.
# Versions: Python 3.11, datasets 5.2.0, pandas 3.1.1
#
# Two sets name their classes in different orders. concatenate_datasets() refuses them with an error that asks for one
# type, and cast() or cast_column() to the other's features is what gives it: the numbers stay as they are and the names
# under them change, in a stream as well, so every label of the set that was cast is wrong. There is no warning, and no
# class is missing. A column of strings cast to the same ClassLabel goes by the names, and so does
# pandas for its categories. The call that goes by names is align_labels_with_mapping().
#
# Seen on 2026-11-29:
#     given                    : cat cat dog
#     joined as they are       : ValueError
#     cast                     : dog dog cat
#     cast_column              : dog dog cat
#     cast_column of a stream  : dog dog cat
#     cast_column of strings   : cat cat dog
#     align_labels_with_mapping: cat cat dog
#     pandas set_categories    : cat cat dog
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
"${install[@]}" datasets==5.2.0 pandas==3.1.1 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

trap 'tail -3 messages.txt; exit 1' ERR
export HF_HOME="$work/hub" HF_HUB_OFFLINE=1 HF_DATASETS_DISABLE_PROGRESS_BARS=1
env/bin/python -W error::UserWarning - 2>messages.txt <<'PY'
import pandas as pd
from datasets import ClassLabel, Dataset, Features, concatenate_datasets

ours, theirs = ClassLabel(names=["cat", "dog"]), ClassLabel(names=["dog", "cat"])
given = Dataset.from_dict({"label": [0, 0, 1]}, features=Features({"label": ours}))
other = Dataset.from_dict({"label": [0, 1]}, features=Features({"label": theirs}))
words = Dataset.from_dict({"label": ["cat", "cat", "dog"]})
frame = pd.Series(["cat", "cat", "dog"], dtype="category").cat.set_categories(["dog", "cat"])


def row(title: str, rows: object, kind: ClassLabel = theirs) -> list[str]:
    names = [kind.int2str(each["label"]) for each in rows]
    print(f"{title:25}: {' '.join(names)}")
    return names


right, swapped = ["cat", "cat", "dog"], ["dog", "dog", "cat"]
assert row("given", given, ours) == right
try:
    concatenate_datasets([other, given])
except ValueError as error:
    print(f"{'joined as they are':25}: {type(error).__name__}")
else:
    raise AssertionError("they are joined as they are now")
assert row("cast", given.cast(other.features)) == swapped, "cast goes by names now"
assert row("cast_column", given.cast_column("label", theirs)) == swapped, "cast_column goes by names now"
stream = given.to_iterable_dataset().cast_column("label", theirs)
assert row("cast_column of a stream", stream) == swapped, "a stream goes by names now"
assert row("cast_column of strings", words.cast_column("label", theirs)) == right
aligned = given.align_labels_with_mapping({"dog": 0, "cat": 1}, "label")
assert aligned.features["label"].names == theirs.names
assert row("align_labels_with_mapping", aligned) == right
print(f"{'pandas set_categories':25}: {' '.join(frame)}")
assert frame.tolist() == right
joined = concatenate_datasets([other, given.cast(other.features)])
assert joined["label"][:] == [0, 1, 0, 0, 1]
PY
if grep -iE 'warn|label|names|order' messages.txt; then
    echo "it says something now"
    exit 1
fi
