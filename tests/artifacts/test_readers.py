"""The class folders of an artifact, as other libraries read them: with our labels, whatever classes are called."""

from __future__ import annotations

import re
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.artifacts import build
from core.artifacts.layout import class_folders
from core.data.known import KNOWN
from core.report import Report
from tests.artifacts.results import result

SPLITS = ("train", "training", "validation", "valid", "dev", "val", "test", "testing", "eval", "evaluation")
EVERYDAY = ("bullet train", "test-tube", "train", "test", "dev", "Val", "eval_2", "T.E.S.T", "train2", "2 train")
EVERYDAY += (
    "trainer",
    "crash test dummy",
    "val-id",
    "valley",
    "contest",
    "no evaluation",
    "données de test",
    "a/train/b",
    "10",
)


def natural(name: str) -> list[tuple[int, int | str]]:
    """timm's key, whose folders of classes are sorted as people count and whatever their case."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", name.lower()) if part]


@pytest.mark.parametrize("names", [KNOWN["cifar100"].class_names, EVERYDAY], ids=["cifar100", "everyday"])
def test_every_reader_of_class_folders_has_all_images_and_our_labels(tmp_path: Path, names: tuple[str, ...]) -> None:
    import datasets  # seconds, wherever this file is only collected
    from torchvision.datasets import ImageFolder

    made, classes = result(), len(names)
    labels = np.repeat(np.arange(classes), 2)
    facts = replace(made.facts, classes=classes, class_names=names)
    shown = labels % 10
    build(
        tmp_path / "artifact",
        replace(
            made,
            images=made.images[shown],
            labels=labels,
            pixels=made.pixels[shown],
            real=made.real[shown],
            facts=facts,
            report=Report(),
        ),
    )
    images = tmp_path / "artifact" / "images"
    read = datasets.load_dataset("imagefolder", data_dir=str(images), cache_dir=str(tmp_path / "cache"))
    assert list(read) == ["train"]
    assert read["train"]["label"] == labels.tolist()
    assert read["train"].features["label"].names == class_folders(names)
    assert [label for _, label in ImageFolder(str(images)).samples] == labels.tolist()
    folders = [path.name for path in images.iterdir()]
    assert sorted(folders) == sorted(folders, key=natural) == class_folders(names), "Keras's order and timm's"


WORDS = st.lists(st.one_of(st.sampled_from(SPLITS), st.text(max_size=4)), min_size=1, max_size=3)


@given(st.lists(st.tuples(WORDS, st.sampled_from(["", " ", "-", "_", "."])), min_size=2, max_size=12))
def test_no_folder_is_taken_for_a_split(names: list[tuple[list[str], str]]) -> None:
    from datasets.data_files import DEFAULT_PATTERNS_SPLIT_IN_DIR_NAME, DEFAULT_PATTERNS_SPLIT_IN_FILENAME

    folders = class_folders([sign.join(words) for words, sign in names])
    rules = (DEFAULT_PATTERNS_SPLIT_IN_DIR_NAME, DEFAULT_PATTERNS_SPLIT_IN_FILENAME)
    patterns = [pattern for rule in rules for each in rule.values() for pattern in each]
    for folder in folders:
        path = f"/images/{folder}/0.png"
        assert not [pattern for pattern in patterns if fnmatch(path, pattern)], path
    assert folders == sorted(folders) == sorted(folders, key=natural)
    assert len(set(folders)) == len(folders)
