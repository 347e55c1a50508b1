"""The rules of a sound bundle, one by one; every refusal says how to mend the file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from unicodedata import category

import numpy as np
from numpy.typing import NDArray

from core.data import fixes
from core.data.array_names import ArrayNames
from core.data.facts import DatasetInvalid, Values
from core.data.header import Header
from core.data.npz import Npz

ARRAYS = ("x_train", "y_train", "x_test", "y_test", "class_names")
MIRROR = "mirror"
"""An array that a bundle may have besides: whether a mirrored picture stays what it is, one boolean."""
HELD_OUT = "held_out"
"""Another one: which of the training images are the validation split (N booleans), where that is the source's own."""
FORMAT = (
    "an npz file (np.savez) with x_train and x_test uint8 (N, H, W) or (N, H, W, C) with C = 1 or 3, "
    "y_train and y_test integers 0..K-1, class_names K strings"
)
LEAST_IMAGES = {"train": 2, "test": 1}
"""Images every class must have, by split."""
LEAST_PICTURES = 3
"""Different images every class must have where the split is made here."""
LONGEST_NAME = 200
_MOST_NAMED = 10
_MOST_LABELS = 2**26  # that are looked at to say how one is made of several


def check_arrays(npz: Npz, names: ArrayNames) -> None:
    """Refuse arrays of a wrong type or shape; where it depends on values how to mend one, those are looked at."""
    headers = {ours: npz.header(name) for ours, name in names.of.items()}
    for split in names.splits:
        _check_shape(names.of[f"x_{split}"], headers[f"x_{split}"], headers[f"y_{split}"])
    _check_pixels(npz, names, headers)
    for split in names.splits[1:]:
        _check_alike(names, headers, f"x_{split}")
    for split in names.splits:
        _check_labels(npz, names, split, headers)
    _check_kinds(npz, names, headers)
    if MIRROR in headers and (headers[MIRROR].dtype.kind != "b" or headers[MIRROR].shape != ()):
        raise DatasetInvalid(
            f"{MIRROR} is {headers[MIRROR]}; store np.array(True) where a mirrored picture stays what it "
            "is, np.array(False) where it does not, or leave it out"
        )
    if HELD_OUT in headers and (
        headers[HELD_OUT].dtype.kind != "b" or headers[HELD_OUT].shape != headers["x_train"].shape[:1]
    ):
        raise DatasetInvalid(
            f"{HELD_OUT} is {headers[HELD_OUT]}; store a boolean for each of the {headers['x_train'].shape[0]:,} "
            "training images, True for those of the validation split, or leave it out"
        )
    if names_header := headers.get("class_names"):
        check_names(names.of["class_names"], names_header)


def _check_shape(name: str, header: Header, labels: Header) -> None:
    shape = header.shape
    if header.dtype.kind not in "biuf":
        raise DatasetInvalid(f"{name} is {header}; store pixels as uint8 from 0 to 255")
    count = labels.shape[0] if len(labels.shape) == 2 and 1 not in labels.shape else math.prod(labels.shape)
    last = len(shape) > 2 and shape[0] != count == shape[-1]
    if last and (len(shape) == 3 or (len(shape) == 4 and shape[2] in (1, 3))):
        raise DatasetInvalid(f"{name} has shape {shape}: the images come first: {name} = np.moveaxis({name}, -1, 0)")
    if len(shape) == 4 and shape[3] not in (1, 3) and shape[1] in (1, 3):
        fix = f"{name} = np.transpose({name}, (0, 2, 3, 1))"
        raise DatasetInvalid(f"{name} has shape {shape}: channels come last: {fix}")
    if len(shape) == 2 and 0 not in shape:
        fix = _unflattened(name, header)
        raise DatasetInvalid(f"{name} has shape {shape}; images are (N, H, W) or (N, H, W, C){fix}")
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (1, 3)):
        clear = len(shape) == 4 and shape[3] in (2, 4) and header.dtype == np.uint8
        fix = fixes.without_alpha(name, shape[3]) if clear else ""
        raise DatasetInvalid(
            f"{name} has shape {shape}; images are (N, H, W), or (N, H, W, C) with 1 channel (grey) or 3 (RGB)"
            + (f". If the last channel is transparency, put it on white: {fix}" if fix else "")
        )
    if 0 in shape:
        raise DatasetInvalid(f"{name} has shape {shape}: it holds no pixels; give at least one image a class")


def _unflattened(name: str, header: Header) -> str:
    """The end of a sentence on images in one row each."""
    for channels, shape in ((1, ""), (3, ", 3")):
        side = round((header.shape[1] / channels) ** 0.5)
        if side > 1 and channels * side**2 == header.shape[1]:
            planes = f" (of planes of colour: .reshape(-1, 3, {side}, {side}).transpose(0, 2, 3, 1))" if shape else ""
            table = f"; or, if it is a table: {fixes.as_table(name)}"
            return f"{planes}: {name} = {name}.reshape(-1, {side}, {side}{shape}){table}"
    return f"; rows of numbers are a table, whose numbers are floats: {fixes.as_table(name)}"


def _check_pixels(npz: Npz, names: ArrayNames, headers: Mapping[str, Header]) -> None:
    wrong = [each for split in names.splits if headers[each := f"x_{split}"].dtype != np.uint8]
    if not wrong:
        return
    name, header = names.of[wrong[0]], headers[wrong[0]]
    alike = [each for each in wrong if headers[each].dtype.kind == header.dtype.kind]
    extent = npz.extent(name)
    for other in alike[1:]:
        extent = extent.joined(npz.extent(names.of[other]))
    called = [names.of[each] for each in alike]
    series = f" # or, if they are series: {fixes.AS_SERIES}" if len(header.shape) == 3 else ""
    finite = "" if extent.finite else ", some not finite"
    values = "" if header.dtype.kind == "b" or extent.low > extent.high else f" from {extent.low:g} to {extent.high:g}"
    raise DatasetInvalid(
        f"{' and '.join(called)}: {name} is {header}{',' * bool(values)}{values}{finite}; "
        f"store pixels as uint8 from 0 to 255: {fixes.pixels(called, header, extent)}{series}"
    )


def _check_alike(names: ArrayNames, headers: Mapping[str, Header], other: str) -> None:
    sides = {each: (*headers[each].shape[1:3], *(headers[each].shape[3:] or (1,))) for each in ("x_train", other)}
    train, test = sides["x_train"], sides[other]
    if train == test:
        return
    if train[:2] == test[:2]:
        name, header = next((names.of[e], headers[e]) for e in sides if sides[e][2] == 1)
        once = name if len(header.shape) == 4 else f"{name}[..., None]"
        raise DatasetInvalid(
            f"{names.of['x_train']} has {train[2]} channel(s) but {names.of[other]} {test[2]}; "
            f"give both as many: {name} = np.repeat({once}, 3, axis=3)"
        )
    raise DatasetInvalid(
        f"{names.of['x_train']} has images of shape {headers['x_train'].shape[1:]} but {names.of[other]} of "
        f"{headers[other].shape[1:]}; resize them to one shape"
    )


def _check_labels(npz: Npz, names: ArrayNames, split: str, headers: Mapping[str, Header]) -> None:
    """Refuse what is not one label an image, by its shape."""
    name, shape = names.of[f"y_{split}"], headers[f"y_{split}"].shape
    pictures, count = names.of[f"x_{split}"], headers[f"x_{split}"].shape[0]
    if len(shape) == 2 and shape[0] == count and shape[1] > 1:
        if math.prod(shape) > _MOST_LABELS:
            raise DatasetInvalid(
                f"{name} has shape {shape}; one class an image: store integers 0..K-1 of shape ({count},)"
            )
        raise DatasetInvalid(f"{name} has shape {shape}; {of_columns(npz.array(name), name, pictures)}")
    if len(shape) > 2 and shape[0] == count and max(shape[1:]) > 1:
        raise DatasetInvalid(
            f"{name} has shape {shape}; one class an image: pictures that label each pixel cannot be distilled"
        )
    if len([side for side in shape if side != 1]) > 1 or not shape or np.prod(shape) != count:
        found = shape[0] if len(shape) == 1 else shape
        raise DatasetInvalid(f"{name} has {found} labels for {count:,} images; give each image exactly one")


def of_columns(labels: NDArray[np.generic], name: str, pictures: str) -> str:
    """The fault of labels in columns, and its fix."""
    values = labels.astype(float) if labels.dtype.kind in "biuf" else None
    if values is not None and np.isin(values, (0, 1)).all():
        if (values.sum(1) == 1).all():
            return f"one column a class; store one label an image: {fixes.one_of_columns(name)}"
        return (
            "one class an image; several labels cannot be distilled. Leave images of several or no labels out: "
            f"{fixes.one_label_alone(pictures, name)}"
        )
    if values is not None and values.min() >= 0 and np.allclose(values.sum(1), 1, atol=1e-3):
        return f"one class an image, and no probabilities; take the likeliest: {fixes.one_of_columns(name)}"
    return f"one class an image; keep one of the {labels.shape[1]} columns: {name} = {name}[:, 0]"


def _check_kinds(npz: Npz, names: ArrayNames, headers: Mapping[str, Header]) -> None:
    """Refuse labels that are no integers, by their type."""
    kinds = {f"y_{split}": headers[f"y_{split}"].dtype.kind for split in names.splits}
    for each, kind in kinds.items():
        name, header = names.of[each], headers[each]
        if kind in "iu":
            continue
        if kind in "US" and set(kinds.values()) == {kind}:
            called = names.of.get("class_names", "class_names")
            fix = fixes.renumbered(_labels(names), called, kind)
            raise DatasetInvalid(f"{name} is {header}; store integers 0..K-1, and what they stand for: {fix}")
        if kind == "b" or (kind == "f" and (extent := npz.extent(name)).whole and extent.finite):
            raise DatasetInvalid(f"{name} is {header}; store integers 0..K-1: {name} = {name}.astype(np.int64)")
        if kind == "f":
            raise DatasetInvalid(
                f"{name} is {header} and holds numbers that are not whole; one class an image: store integers 0..K-1"
            )
        raise DatasetInvalid(f"{name} is {header}; store integers 0..K-1 in all label arrays")


def _labels(names: ArrayNames) -> list[str]:
    return [names.of[f"y_{split}"] for split in names.splits]


def check_names(name: str, header: Header) -> None:
    """Refuse names of classes that are no strings, one a class."""
    if header.dtype.kind == "U" and len(header.shape) == 1:
        return
    fixed = {"U": f"{name}.reshape(-1)", "S": f'np.char.decode({name}, "utf-8")'}
    fix = fixed.get(header.dtype.kind, f"{name}.astype(str)")
    raise DatasetInvalid(f"{name} is {header}; store an array of dtype=str, one string a class: {name} = {fix}")


def class_names_of(labels: NDArray[np.int64], names: ArrayNames) -> tuple[str, ...]:
    """Numbers as names, for the labels of both splits of a bundle without any. Raises DatasetInvalid for gaps."""
    present = np.unique(labels)
    if not np.array_equal(present, np.arange(len(present))):
        fix = fixes.renumbered(_labels(names), "class_names", "i")
        raise DatasetInvalid(
            f"the labels are {len(present):,} numbers from {present[0]} to {present[-1]} and there are no class_names; "
            f"number the classes from 0 and name each of them: {fix}"
        )
    return tuple(map(str, present.tolist()))


def check_class_names(names: tuple[str, ...]) -> None:
    """Refuse class names that cannot tell the classes apart or cannot be printed in a card."""
    if len(names) < 2:
        raise DatasetInvalid(f"class_names has {len(names)} names; a classification task needs two classes or more")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DatasetInvalid(f"class_names holds {twice!r} more than once; give every class its own name")
    for name in names:
        if not name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
            raise DatasetInvalid(
                f"class_names holds {name[:LONGEST_NAME]!r}; a name is 1 to {LONGEST_NAME} printable characters, "
                "not all blank"
            )


def check_column_names(columns: tuple[str, ...]) -> None:
    """Refuse names of columns with signs that no text shows or databases do not hold, but for breaks of lines."""
    for name in columns:
        if any(category(sign) in ("Cc", "Cs") and not sign.isspace() for sign in name):
            raise DatasetInvalid(
                f"the column {name[:LONGEST_NAME]!r} has a control character in its name; take it out, with "
                "clean = lambda name: ''.join(filter(str.isprintable, name)). Of a table: "
                "table = table.rename(columns=clean), and if its words are the names: "
                "table[column] = table[column].map(clean). Of a bundle: columns = list(map(clean, columns))"
            )


def check_range(labels: Mapping[str, NDArray[np.int64]], class_names: tuple[str, ...], called_names: str) -> None:
    """Refuse labels, by the names of their arrays, outside the class names, which are called so in the file."""
    classes, called = len(class_names), list(labels)
    low, high = min(each.min() for each in labels.values()), max(each.max() for each in labels.values())
    if low >= 0 and high < classes:
        return
    first = next(name for name, each in labels.items() if each.min() < 0 or each.max() >= classes)
    fix = fixes.renumbered(called, called_names, "i")
    shift = f"number the classes from 0 and name each of them: {fix}"
    if (low, high) == (1, classes):
        less = f"{', '.join(called)} = {', '.join(f'{name} - 1' for name in called)}"
        shift = f"number the classes from 0 and name each of them; if 1 stands for {class_names[0]!r}: {less}"
    raise DatasetInvalid(
        f"{first} runs from {labels[first].min()} to {labels[first].max()} but class_names names {classes} classes "
        f"(0 to {classes - 1}); {shift}"
    )


def check_counts(split: str, labels: NDArray[np.int64], class_names: tuple[str, ...]) -> None:
    """Refuse classes without enough images to train or to be judged."""
    counts = np.bincount(labels, minlength=len(class_names))
    rarest = int(np.argmin(counts))
    if counts[rarest] < LEAST_IMAGES[split]:
        reason = "one of them is held out for validation" if split == "train" else "or its accuracy is unknown"
        raise DatasetInvalid(
            f"class {class_names[rarest]!r} has {counts[rarest]} {split} image(s) but needs {LEAST_IMAGES[split]} "
            f"({reason}); add images, or leave the class out and renumber the others"
        )


def check_held_out(labels: NDArray[np.int64], held: NDArray[np.bool_], class_names: Sequence[str]) -> None:
    """Refuse a validation split that has all images of a class, or none."""
    for part, where in ((labels[held], "in"), (labels[~held], "beside")):
        counts = np.bincount(part, minlength=len(class_names))
        if missing := [repr(name) for name, count in zip(class_names, counts, strict=True) if not count]:
            raise DatasetInvalid(
                f"{HELD_OUT} leaves no image {where} the validation split of {', '.join(missing[:_MOST_NAMED])}; "
                "hold out a part of each class, or leave the array out"
            )


def check_pictures(images: Values) -> None:
    """Refuse training images that are all one picture."""
    if all(np.array_equal(images[0], image) for image in images):
        raise DatasetInvalid(
            f"all {len(images):,} training images are equal in every pixel; give pictures that differ: were they "
            "scaled down to nothing, or a wrong array saved?"
        )


def check_splittable(labels: NDArray[np.int64], pictures: NDArray[np.uint64], class_names: Sequence[str]) -> None:
    """Refuse classes that a split into training, validation and test images would leave without one of them."""
    different = [len(np.unique(pictures[labels == label])) for label in range(len(class_names))]
    short = [f"{name!r} has {n}" for name, n in zip(class_names, different, strict=True) if n < LEAST_PICTURES]
    if short:
        more = f" and {len(short) - _MOST_NAMED:,} more" if len(short) > _MOST_NAMED else ""
        raise DatasetInvalid(
            f"too few pictures that differ in a class: {', '.join(short[:_MOST_NAMED])}{more}; give each class "
            "three or more (one to train, one for validation, one to test), or leave it out"
        )


def check_share(split: str, labels: NDArray[np.int64], class_names: Sequence[str]) -> None:
    """Refuse classes of which a split made here has too little: their pictures are those of other classes, too."""
    counts = np.bincount(labels, minlength=len(class_names))
    short = [repr(name) for name, n in zip(class_names, counts, strict=True) if n < LEAST_IMAGES[split]]
    if short:
        raise DatasetInvalid(
            f"pictures are in several classes, with equal pixels, so that no split leaves enough of {', '.join(short)} "
            f"to {split} with copies on one side alone; leave each picture in one class"
        )
