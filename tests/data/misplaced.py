"""Archives of splits that lie beside, or in, what they should not."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from tests.data.neighbours import Sent
from tests.data.spoiled import Spoiled, split


def outside(rng: np.random.Generator) -> Spoiled:
    """A test set beside the class folders of what is left."""
    drawn = replace(split(rng), inner=False)
    folder = f"{drawn.wrapper}{drawn.splits['train']}/"
    loose = replace(
        drawn, rename=lambda path: drawn.rename(path.replace(folder, drawn.wrapper, path.startswith(folder)))
    )

    def fix(it: Sent, told: str) -> Sent:
        assert re.search("move '.*' into a folder train/", told)
        return replace(it, rename=drawn.rename, splits={**it.splits, "train": "train"})

    return Spoiled(loose, "beside '.*; move '.*' into a folder train/", fix)


def otherwise_called(rng: np.random.Generator) -> Spoiled:
    """Splits of which one is called as none is."""
    drawn = split(rng)
    which, name = (("train", "learn"), ("test", "holdout"))[rng.integers(2)]
    words = {"train": "move the class folders in 'learn' into a folder train/", "test": "call 'holdout' test/"}[which]

    def fix(it: Sent, told: str) -> Sent:
        return replace(it, splits={**it.splits, which: which})

    return Spoiled(replace(drawn, splits={**drawn.splits, which: name}), f"holds '{name}' beside .*{words}", fix)


def packed_as_a_split(rng: np.random.Generator) -> Spoiled:
    """Both splits in a folder that is called as one of them."""
    drawn = split(rng)
    return Spoiled(
        replace(
            drawn,
            wrapper=f"{drawn.wrapper}{rng.choice(['train', 'test', 'val'])}/",
            splits={"train": "train", "test": "test"},
        ),
        "",
    )


MISPLACED = [outside, otherwise_called, packed_as_a_split]
