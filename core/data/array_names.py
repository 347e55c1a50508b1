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
_ALONE = {"x": ("x", "X", "data"), "y": ("y", "Y", "target", "labels", "label")}
_SPLIT = {"x_train", "y_train", "x_test", "y_test"}


@final
@dataclass(frozen=True)
class ArrayNames:
    """The arrays of a file that a bundle is made of, and the others."""

    of: dict[str, str]
    """`x_train`, `y_train`, `x_test`, `y_test`, `class_names`, `mirror`, and of numbers `x`, `y`, `columns`, `kind` ->
    the file's name, as far as there is one; `x` and `y` only where nothing is split."""
    others: tuple[str, ...]
    """The file's arrays that are not read."""
    tested_on_validation: bool = False
    """Whether the test set is what the file calls validation, as it has no other."""

    @property
    def renamed(self) -> dict[str, str]:
        """The file's name -> ours, where they differ."""
        return {name: ours for ours, name in self.of.items() if name != ours}

    def without(self, ours: str) -> ArrayNames:
        """The same, but one of the arrays is not read."""
        of = {each: name for each, name in self.of.items() if each != ours}
        return ArrayNames(of, (*self.others, self.of[ours]), self.tested_on_validation)


def assigned(names: Iterable[str]) -> ArrayNames:
    """The part of each array by its name. A name of ours wins; of two others for one part neither is taken."""
    present = sorted(names)
    meant: dict[str, list[str]] = {}
    for name in present:
        if part := _part(name):
            meant.setdefault(part, []).append(name)
    of = {part: part if part in them else them[0] for part, them in meant.items() if part in them or len(them) == 1}
    validation = {"x_test": of.pop("x_val", ""), "y_test": of.pop("y_val", "")}
    instead = all(validation.values()) and not {"x_test", "y_test"} & set(meant)
    of |= validation if instead else {}
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
    if name in ("mirror", "kind"):
        return name
    if words in _CLASSES:
        return "class_names"
    if words in _COLUMNS:
        return "columns"
    splits = [_SPLITS[word] for word in words if word in _SPLITS]
    kinds = [_KINDS[word] for word in words if word in _KINDS]
    return f"{kinds[0]}_{splits[0]}" if len(words) == 2 and len(splits) == len(kinds) == 1 else None
