#!/usr/bin/env bash
# datasets' imagefolder takes a class whose name holds the word "train" or "test" for a split and drops all the others.
# Versions: Python 3.11, datasets 5.2.0, Pillow 13.0.0
#
# A tree of class folders without any splits is valid input, and normally becomes one split with a label column. If a
# single class folder has a split's word in its name, set off by a dash, a dot, a digit, an underscore or a space, the
# whole tree is read as splits: of a hundred classes with one picture each, one of them "90-train" (CIFAR-100 has a
# class "train"), one row is loaded, the label column is gone, and no message is written. Of "beaker", "flask" and
# "test-tube" the tubes alone are left, and they are the test split. With the one folder called "90-rail" all hundred
# come, with their labels.
#
# Seen on 2026-11-28:
#     100 classes, '90-rail' among them: {'train': (100, ['image', 'label'])}
#     100 classes, '90-train' among them: {'train': (1, ['image'])}
#     3 classes, 'test-tube' among them: {'test': (1, ['image'])}
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
"${install[@]}" datasets==5.2.0 pillow==13.0.0 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

trap 'tail -3 messages.txt; exit 1' ERR
export HF_HOME="$work/hub" HF_HUB_OFFLINE=1 HF_DATASETS_DISABLE_PROGRESS_BARS=1
env/bin/python - 2>messages.txt <<'PY'
from pathlib import Path

from datasets import DatasetDict, load_dataset
from PIL import Image


def load(root: str, classes: list[str]) -> DatasetDict:
    for level, name in enumerate(classes):
        Path(root, name).mkdir(parents=True)
        Image.new("L", (8, 8), level).save(Path(root, name, "picture.png"))
    splits = load_dataset("imagefolder", data_dir=root)
    told = {split: (len(rows), sorted(rows.features)) for split, rows in splits.items()}
    print(f"{len(classes)} classes, {classes[-1]!r} among them: {told}")
    return splits


hundred = [f"{number:02d}-class" for number in range(100) if number != 90]
right = load("rail", [*hundred, "90-rail"])
assert len(right["train"]) == 100 and len(right["train"].features["label"].names) == 100
lost = load("train", [*hundred, "90-train"])
assert list(lost) == ["train"] and len(lost["train"]) == 1 and "label" not in lost["train"].features
tubes = load("tubes", ["beaker", "flask", "test-tube"])
assert list(tubes) == ["test"] and len(tubes["test"]) == 1 and "label" not in tubes["test"].features
PY
if grep -iE 'warn|split|label|ignor|skip' messages.txt; then
    echo "it says something now"
    exit 1
fi
