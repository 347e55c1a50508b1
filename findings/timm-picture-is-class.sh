#!/usr/bin/env bash
# timm takes a picture beside the class folders for a class without a name, and moves all other labels by one.
# Versions: Python 3.11, timm 1.0.31, torchvision 0.29.2, PyTorch 2.15.0, Pillow 13.0.0
#
# A folder of class folders often has a picture beside them: an overview, a preview, a logo. timm's reader of folders,
# which its own training script uses, makes a class of it that is called "", as number 0: cat is 1 and not 0, the
# network needs one output more, and the overview is trained on. torchvision, from whose layout the format is, reads
# the same folder without it. There is no message, and a network that was trained before the picture was there is held
# against labels that are all one too high.
#
# Seen on 2026-11-29:
#     torchvision          : {'cat': 0, 'dog': 1}, labels 0 0 1 1
#     timm                 : {'cat': 0, 'dog': 1}, labels 0 0 1 1
#     torchvision, overview: {'cat': 0, 'dog': 1}, labels 0 0 1 1
#     timm, overview       : {'': 0, 'cat': 1, 'dog': 2}, labels 1 1 2 2 0
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
"${install[@]}" timm==1.0.31 torchvision==0.29.2 torch==2.15.0 pillow==13.0.0 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

trap 'tail -3 messages.txt; exit 1' ERR
env/bin/python - 2>messages.txt <<'PY'
from pathlib import Path

from PIL import Image
from timm.data import create_dataset
from torchvision.datasets import ImageFolder

for name in ("cat", "dog"):
    Path("pets", name).mkdir(parents=True)
    for number in range(2):
        Image.new("RGB", (8, 8)).save(Path("pets", name, f"{number}.png"))


def told(title: str, classes: dict[str, int], labels: list[int]) -> tuple[dict[str, int], list[int]]:
    print(f"{title:21}: {classes}, labels {' '.join(map(str, labels))}")
    return classes, labels


def both(beside: str) -> list[tuple[dict[str, int], list[int]]]:
    plain, theirs = ImageFolder("pets"), create_dataset("folder", root="pets")
    return [
        told(f"torchvision{beside}", plain.class_to_idx, plain.targets),
        told(f"timm{beside}", theirs.reader.class_to_idx, [label for _, label in theirs]),
    ]


right = ({"cat": 0, "dog": 1}, [0, 0, 1, 1])
assert both("") == [right, right]
Image.new("RGB", (8, 8)).save("pets/overview.png")
moved = ({"": 0, "cat": 1, "dog": 2}, [1, 1, 2, 2, 0])
assert both(", overview") == [right, moved], "timm reads it otherwise now"
PY
if grep -iE 'warn|class|skip|root|label' messages.txt; then
    echo "it says something now"
    exit 1
fi
