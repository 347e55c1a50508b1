"""The arrays of a bundle by whatever names others give them: `train_images` and `X_train` are `x_train`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

_SPLITS = {"train": "train", "training": "train", "test": "test", "testing": "test"}
_SPLITS |= {"val": "val", "valid": "val", "validation": "val"}
_KINDS = dict.fromkeys(("x", "image", "images", "img", "imgs", "pictures", "pixels", "data"), "x")
_KINDS |= dict.fromkeys(("y", "label", "labels", "target", "targets"), "y")
_CLASSES = (["class", "names"], ["classnames"], ["label", "names"], ["classes"])
_COLUMNS = (["columns"], ["column", "names"], ["feature", "names"], ["features"], ["channels"], ["channel", "names"])
_ALONE = {
    "x": ("x", "X", "data", "images", "image", "imgs", "pixels"),
    "y": ("y", "Y", "target", "targets", "labels", "label"),
}
_SPLIT = {"x_train", "y_train", "x_test", "y_test"}
_VALIDATION = ("x_val", "y_val")


@final
@dataclass(frozen=True)
class ArrayNames:
    """The arrays of a file that a bundle is made of, and the others."""

    of: dict[str, str]
    """`x_train`, `y_train`, `x_test`, `y_test`, `class_names`, `mirror`, `x_val` and `y_val` or `held_out` where the
    file has a validation split of its own, and of numbers `columns`, `kind` -> the file's name, as far as there is one;
    `x` and `y` only where nothing is split."""
    others: tuple[str, ...]
    """The file's arrays that are not read."""
    tested_on_validation: bool = False
    """Whether the test set is what the file calls validation, as it has no other."""

    @property
    def renamed(self) -> dict[str, str]:
        """The file's name -> ours, where they differ."""
        return {name: ours for ours, name in self.of.items() if name != ours}

    def without(self, *ours: str) -> ArrayNames:
        """The same, but these arrays are not read."""
        of = {each: name for each, name in self.of.items() if each not in ours}
        left = (self.of[each] for each in ours if each in self.of)
        return ArrayNames(of, (*self.others, *left), self.tested_on_validation)

    @property
    def unsplit(self) -> ArrayNames:
        """The same, where nothing but training images are told from others: `x` and `y` alone are such."""
        parts = {"x": "x_train", "y": "y_train"}
        of = {parts.get(ours, ours): name for ours, name in self.of.items()}
        return ArrayNames(of, self.others, self.tested_on_validation)

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits whose images and labels are there: "train", then "val" and "test" as far as there are any."""
        return tuple(split for split in ("train", "val", "test") if {f"x_{split}", f"y_{split}"} <= self.of.keys())


def assigned(names: Iterable[str]) -> ArrayNames:
    """The part of each array by its name. A name of ours wins; of two others for one part neither is taken."""
    present = sorted(names)
    meant: dict[str, list[str]] = {}
    for name in present:
        if part := _part(name):
            meant.setdefault(part, []).append(name)
    of = {part: part if part in them else them[0] for part, them in meant.items() if part in them or len(them) == 1}
    validation = {part: of.pop(part, "") for part in _VALIDATION}
    instead = all(validation.values()) and not {"x_test", "y_test"} & set(meant)
    if instead:
        of |= {part.replace("val", "test"): name for part, name in validation.items()}
    elif all(validation.values()):
        of |= validation
    if not _SPLIT & of.keys() and not instead:
        alone = {part: next((name for name in named if name in present), "") for part, named in _ALONE.items()}
        of |= alone if all(alone.values()) else {}
    return ArrayNames(of, tuple(name for name in present if name not in of.values()), instead)


def _part(name: str) -> str | None:
    """`x_train` and the like, `x_val` and `y_val` among them, or None."""
    if re.search(r"[^A-Za-z_. -]", name):
        return None
    spelled = re.sub(r"^([xyXY])(?=(?:train|test|val)\w*$)", r"\1_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)).lower()
    words = re.findall(r"[a-z]+", spelled)
    if name in ("mirror", "kind", "held_out"):
        return name
    if words in _CLASSES:
        return "class_names"
    if words in _COLUMNS:
        return "columns"
    splits = [_SPLITS[word] for word in words if word in _SPLITS]
    kinds = [_KINDS[word] for word in words if word in _KINDS]
    return f"{kinds[0]}_{splits[0]}" if len(words) == 2 and len(splits) == len(kinds) == 1 else None
