"""Bundles of numbers: vectors (rows of a table) and series, recognised, checked and brought into one form.

    x_train (N, F) float        vectors: a row a case, `columns` may name its F columns
    x_train (N, C, T) float     series: C channels of T steps each, `columns` may name the channels

`x` and `y` in the place of the four arrays are split here. Labels may be any integers or words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from core.data.array_names import ArrayNames
from core.data.facts import DatasetInvalid, Images, Kind
from core.data.header import Header
from core.data.left_out import LeftOut
from core.data.npz import Npz
from core.data.rounding import check_told_apart
from core.data.rules import check_class_names, check_counts, check_names, check_range, check_splittable, of_columns
from core.data.split import SPLIT_SEED, pictures_of, split_test

KIND: Final = "kind"
COLUMNS: Final = "columns"
TABLES: Final = (
    "a table is x_train and x_test float (N, F), series float (N, C, T), with y_train and y_test, or x and y alone"
)
Missing = Literal["refuse", "mean", "median", "drop"]
"""The treatment of missing values: the dataset is refused, the training rows' mean or median of their column stands in,
or their rows are left out."""

_MOST_NAMED: Final = 10
_ELONGATED: Final = 2
"""Times that one side of an array of floats is longer than the other from which it is no picture."""


def kind_of(npz: Npz, names: ArrayNames) -> Kind:
    """The kind of data of a bundle: its own word, else by type and shape of its arrays.

    Floats with two axes are a table. With three they are series, unless they are as high as wide, about, as pictures
    are. Raises DatasetInvalid for a word that is none.
    """
    if KIND in names.of:
        return kind_named(npz.array(names.of[KIND]))
    name = names.of.get("x_train") or names.of.get("x", "")
    header = npz.header(name) if name else None
    if header is None or 0 in header.shape:
        return "pictures"
    alone = "x_train" not in names.of
    if len(header.shape) == 2 and (header.dtype.kind in "fUS" or (alone and header.dtype.kind in "biu")):
        return "vectors"
    if len(header.shape) == 3 and header.dtype.kind == "f":
        low, high = sorted(header.shape[1:])
        return "pictures" if high < _ELONGATED * low else "series"
    return "pictures"


def kind_named(word: object) -> Kind:
    """The kind that a word names. Raises DatasetInvalid for one that names none."""
    kinds: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}
    if str(word) not in kinds:
        raise DatasetInvalid(f"the kind {str(word)!r} is none; say 'pictures', 'vectors' or 'series'")
    return kinds[str(word)]


def read_numbers(
    arrays: Mapping[str, NDArray[Any]],
    names: ArrayNames,
    kind: Kind,
    missing: Missing = "refuse",
    *,
    spare: frozenset[str] = frozenset(),
) -> tuple[Images, Images, tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Train, test, class names, column names, and remarks in sentences, of checked arrays under our names.

    Columns that may be `spare` are left out where they are constant in the training rows.

    Raises DatasetInvalid, which says how to mend the arrays.
    """
    splits = ("_train", "_test") if "x_train" in arrays else ("",)
    called = {key: names.of.get(key, key) for key in arrays}
    for split in splits:
        _check_shapes(f"x{split}", f"y{split}", arrays, called, kind)
    sizes = {arrays[f"x{split}"].shape[1:] for split in splits}
    if len(sizes) > 1:
        _refuse_unequal(arrays, called, kind)
    columns = _columns(arrays, called, next(iter(sizes))[0])
    given = [called[f"x{split}"] for split in splits]
    remarks = check_told_apart([arrays[f"x{split}"] for split in splits], given, columns)
    values = [arrays[f"x{split}"].astype(np.float32) for split in splits]
    labels, class_names = _labels([arrays[f"y{split}"] for split in splits], arrays, called, names)
    values, labels, filled = _without_missing(values, labels, class_names, given, columns, kind, missing)
    remarks += filled
    if len(splits) == 1:
        (x,), (y,) = values, labels
        check_splittable(y, pictures_of(x), class_names)
        train, test = split_test(y, SPLIT_SEED, x)
        values, labels = [x[train], x[test]], [y[train], y[test]]
        remarks.append(f"Split here into {len(train):,} training and {len(test):,} test cases.")
    for split, part in zip(("train", "test"), labels, strict=True):
        check_counts(split, part, class_names)
    if spared := [place for place, name in enumerate(columns) if name in spare and not np.ptp(values[0][:, place])]:
        told = f"Left out, as no training row differs there: {named(np.array(spared), columns)}."
        remarks.append(LeftOut(told, [columns[place] for place in spared]))
        values = [np.delete(x, spared, axis=1) for x in values]
        columns = tuple(name for place, name in enumerate(columns) if place not in spared)
    _check_constant(values[0], given, columns, kind)
    train_part, test_part = (Images(_channelled(x), y) for x, y in zip(values, labels, strict=True))
    return train_part, test_part, class_names, columns, tuple(remarks)


def natural_values(images: NDArray[Any], kind: Kind) -> NDArray[Any]:
    """Examples [N, C, H, W] in the shape of their source: vectors [N, F], series [N, C, T]; pictures as they are."""
    match kind:
        case "vectors":
            return np.ascontiguousarray(images[:, :, 0, 0])
        case "series":
            return np.ascontiguousarray(images[:, :, 0])
        case _:
            return images


def _channelled(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(values[:, :, None, None] if values.ndim == 2 else values[:, :, None])


def _check_shapes(x: str, y: str, arrays: Mapping[str, NDArray[Any]], called: Mapping[str, str], kind: Kind) -> None:
    values, labels, name = arrays[x], arrays[y], called[x]
    axes = {"vectors": ("(N, F)", 2), "series": ("(N, C, T)", 3)}[kind]
    if values.dtype.kind in "US":
        raise DatasetInvalid(
            f"{name} is {values.dtype.name} {values.shape}: words are no numbers. Upload the table as CSV or Parquet, "
            f"of which columns of words become one of zeros and ones a word, or store {name} = {name}.astype(float)"
        )
    if values.dtype.kind not in "biuf":
        fix = f"{name} = {name}.real.astype(np.float32)"
        raise DatasetInvalid(f"{name} is {values.dtype.name}; store real numbers: {fix}")
    if values.ndim != axes[1] or 0 in values.shape:
        one_channel = kind == "series" and values.ndim == 2
        fix = f"{name} = {name}[:, None]" if one_channel else f"{name} = {name}.reshape(len({name}), -1)"
        raise DatasetInvalid(f"{name} has shape {values.shape}; {kind} are {axes[0]}, none of them nought: {fix}")
    if labels.ndim == 2 and labels.shape[0] == len(values) and labels.shape[1] > 1:
        raise DatasetInvalid(f"{called[y]} has shape {labels.shape}; {of_columns(labels, called[y], name)}")
    if labels.size != len(values):
        raise DatasetInvalid(f"{called[y]} has {labels.size:,} labels for {len(values):,} rows; give each exactly one")


def _refuse_unequal(arrays: Mapping[str, NDArray[Any]], called: Mapping[str, str], kind: Kind) -> None:
    train, test = called["x_train"], called["x_test"]
    shapes = arrays["x_train"].shape[1:], arrays["x_test"].shape[1:]
    told = f"{train} has cases of shape {shapes[0]} but {test} of {shapes[1]}"
    if kind == "series" and shapes[0][0] == shapes[1][0]:
        least = min(shapes[0][1], shapes[1][1])
        raise DatasetInvalid(
            f"{told}: series have one length. Cut them to it: {train}, {test} = {train}[:, :, :{least}], "
            f"{test}[:, :, :{least}]"
        )
    noun = "channels" if kind == "series" else "columns"
    raise DatasetInvalid(f"{told}; give both the same {noun}, in the same order")


def _columns(arrays: Mapping[str, NDArray[Any]], called: Mapping[str, str], count: int) -> tuple[str, ...]:
    if COLUMNS not in arrays:
        return ()
    given, name = arrays[COLUMNS], called[COLUMNS]
    if given.dtype.kind != "U" or given.shape != (count,):
        raise DatasetInvalid(f"{name} is {given.dtype.name} {given.shape}; store {count} strings, or leave it out")
    columns = tuple(str(each) for each in given)
    if len(set(columns)) < count:
        twice = next(each for each in columns if columns.count(each) > 1)
        raise DatasetInvalid(f"{name} holds {twice!r} more than once; give every column its own name")
    return columns


def _labels(
    labels: Sequence[NDArray[Any]], arrays: Mapping[str, NDArray[Any]], called: Mapping[str, str], names: ArrayNames
) -> tuple[list[NDArray[np.int64]], tuple[str, ...]]:
    """Labels 0..K-1 and the classes' names: the bundle's own, else its labels in their order."""
    flat = [part.reshape(-1) for part in labels]
    name = called.get("y_train", called.get("y", "y"))
    for part in flat:
        if part.dtype.kind not in "biufUS":
            raise DatasetInvalid(f"{name} is {part.dtype.name}; store integers or words, one a case")
    for part, split in zip(flat, ("_train", "_test") if len(flat) > 1 else ("",), strict=True):
        if part.dtype.kind == "f" and (bare := int(np.isnan(part).sum())):
            x, y = called[f"x{split}"], called[f"y{split}"]
            raise DatasetInvalid(
                f"{y} lacks {bare:,} labels (NaN); leave these cases out: kept = ~np.isnan({y}.reshape(-1)); "
                f"{x}, {y} = {x}[kept], {y}.reshape(-1)[kept]"
            )
        if part.dtype.kind == "f" and not (np.isfinite(part).all() and not (part % 1).any()):
            raise DatasetInvalid(
                f"{name} is {part.dtype.name} and holds numbers that are not whole: give each case one of a few "
                f"classes, for instance by a threshold: {name} = ({name} > np.median({name})).astype(int)"
            )
    whole = [part.astype(np.int64) if part.dtype.kind in "biuf" else _words(part) for part in flat]
    present = np.unique(np.concatenate(whole))
    if len(present) < 2:
        raise DatasetInvalid(
            f"{name} holds one class only, {str(present[0])!r}: there is nothing to tell apart. Give cases of two "
            "classes or more"
        )
    if "class_names" in arrays:
        return _named(whole, arrays["class_names"], called, names.of.get("class_names", "class_names"))
    class_names = tuple(map(str, present.tolist()))
    check_class_names(class_names)
    return [np.searchsorted(present, part).astype(np.int64) for part in whole], class_names


def _named(
    labels: list[NDArray[Any]], given: NDArray[Any], called: Mapping[str, str], name: str
) -> tuple[list[NDArray[np.int64]], tuple[str, ...]]:
    """Labels 0..K-1 and the names `given`: of whole numbers in their order, of words the same words in another one."""
    given = given.astype(str) if given.dtype.kind in "iu" else given
    check_names(name, Header(given.shape, given.dtype))
    class_names = tuple(given.tolist())
    check_class_names(class_names)
    if all(part.dtype.kind == "i" for part in labels):
        check_range(_labelled(called, labels), class_names, name)
        return labels, class_names
    places, words = {each: place for place, each in enumerate(class_names)}, [part.astype(str) for part in labels]
    if unnamed := [each for each in np.unique(np.concatenate(words)).tolist() if each not in places]:
        held = list(_labelled(called, labels))
        raise DatasetInvalid(
            f"{' and '.join(held)} hold {', '.join(map(repr, unnamed[:_MOST_NAMED]))}, which {name} does not name; "
            f"store the classes there as the labels call them, in their order: "
            f"{name} = np.unique(np.concatenate([{', '.join(held)}])).astype(str)"
        )
    return [np.array([places[each] for each in part.tolist()], dtype=np.int64) for part in words], class_names


def _words(labels: NDArray[Any]) -> NDArray[Any]:
    return np.char.decode(labels, "utf-8") if labels.dtype.kind == "S" else labels.astype(str)


def _labelled(called: Mapping[str, str], labels: Sequence[NDArray[np.int64]]) -> dict[str, NDArray[np.int64]]:
    parts = ("y_train", "y_test") if len(labels) > 1 else ("y",)
    return {called.get(part, part): each for part, each in zip(parts, labels, strict=True)}


def _without_missing(
    values: list[NDArray[np.float32]],
    labels: list[NDArray[np.int64]],
    class_names: Sequence[str],
    given: Sequence[str],
    columns: Sequence[str],
    kind: Kind,
    missing: Missing,
) -> tuple[list[NDArray[np.float32]], list[NDArray[np.int64]], list[str]]:
    gaps = [~np.isfinite(x) for x in values]
    if not any(each.any() for each in gaps):
        return values, labels, []
    if any(np.isinf(x).any() for x in values):
        name = given[next(place for place, x in enumerate(values) if np.isinf(x).any())]
        raise DatasetInvalid(f"{name} holds infinite numbers; leave their rows out, or put a number in their place")
    over = tuple(axis for axis in range(values[0].ndim) if axis != 1)
    where = np.flatnonzero(np.any([each.any(over) for each in gaps], axis=0))
    count = sum(int(each.sum()) for each in gaps)
    noun = "channel" if kind == "series" else "column"
    of = f"{noun}{'s' if len(where) > 1 else ''} {named(where, columns)}"
    if missing == "refuse":
        raise DatasetInvalid(
            f"{' and '.join(given)}: {count:,} values are missing (NaN), in {of}. Upload with missing=median or "
            "missing=mean to put that of the training rows in their place, or with missing=drop to leave their rows out"
        )
    if missing == "drop":
        kept = [np.asarray(~each.reshape(len(each), -1).any(1)) for each in gaps]
        left = sum(int((~each).sum()) for each in kept)
        _check_dropped(labels, kept, class_names)
        values = [part[keep] for part, keep in zip(values, kept, strict=True)]
        labels = [part[keep] for part, keep in zip(labels, kept, strict=True)]
        return values, labels, [LeftOut(f"{left:,} cases with missing values were left out.", (), left)]
    if (empty := np.flatnonzero(gaps[0].all(over))).size:
        raise DatasetInvalid(f"{noun} {named(empty, columns)} holds no value at all: leave it out")
    middle: NDArray[Any]
    if missing == "mean":
        middle = np.nanmean(values[0], axis=over, keepdims=True)
    else:
        middle = np.nanmedian(values[0], axis=over, keepdims=True)
    filled = [np.where(gap, middle, x).astype(np.float32) for x, gap in zip(values, gaps, strict=True)]
    return filled, labels, [f"{count:,} missing values are the {missing} of their {noun} in the training rows: {of}."]


def _check_dropped(
    labels: Sequence[NDArray[np.int64]], kept: Sequence[NDArray[np.bool_]], class_names: Sequence[str]
) -> None:
    """Refuse to leave out all cases of a class, in all or in one split."""
    told = list[str]()
    for part, keep, where in zip(labels, kept, ((" in train", " in test") if len(kept) > 1 else ("",)), strict=True):
        if lost := np.setdiff1d(part, part[keep])[:_MOST_NAMED].tolist():
            told.append(f"{', '.join(repr(class_names[each]) for each in lost)}{where}")
    if told:
        raise DatasetInvalid(
            f"missing=drop leaves no case of {' and of '.join(told)}: each has a missing value. Upload with "
            "missing=median or missing=mean, or leave all cases of that class out"
        )


def _check_constant(train: NDArray[np.float32], given: Sequence[str], columns: Sequence[str], kind: Kind) -> None:
    """Refuse columns and channels that say nothing, which have no standard deviation to be divided by."""
    over = tuple(axis for axis in range(train.ndim) if axis != 1)
    flat = np.flatnonzero(train.max(over) == train.min(over))
    if not flat.size:
        return
    noun = "channel" if kind == "series" else "column"
    if flat.size == train.shape[1]:
        raise DatasetInvalid(f"every {noun} is constant in the training rows: was a wrong array saved?")
    many, places = flat.size > 1, flat.tolist() if flat.size <= _MOST_NAMED else "flat"
    found = "" if flat.size <= _MOST_NAMED else f"flat = np.flatnonzero(np.ptp({given[0]}, axis={over}) == 0); "
    cut = "; ".join(f"{name} = np.delete({name}, {places}, axis=1)" for name in given)
    more = f"; {COLUMNS} = np.delete({COLUMNS}, {places})" if columns else ""
    raise DatasetInvalid(
        f"{noun}{'s' if many else ''} {named(flat, columns)} {'are' if many else 'is'} constant in the training rows "
        f"and tell{'' if many else 's'} classes nothing: leave {'them' if many else 'it'} out: {found}{cut}{more}"
    )


def named(places: NDArray[np.int64], columns: Sequence[str]) -> str:
    """Columns at some places by name, where they have any, else by number; of many the first."""
    words = [repr(columns[place]) if columns else str(place) for place in places[:_MOST_NAMED].tolist()]
    return ", ".join(words) + (f" and {len(places) - _MOST_NAMED:,} more" if len(places) > _MOST_NAMED else "")
