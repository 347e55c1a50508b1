"""IDX files, in which MNIST and its kin are published: images and labels of a training and of a test set.

    train-images-idx3-ubyte   train-labels-idx1-ubyte   t10k-images-idx3-ubyte   t10k-labels-idx1-ubyte    (or .gz)

Source: http://yann.lecun.com/exdb/mnist, "the IDX file format"; EMNIST (Cohen et al., arXiv:1702.05373) stores each
picture with its rows as columns, and what its labels stand for in `emnist-letters-mapping.txt`.
"""

from __future__ import annotations

import gzip
import math
import re
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import IO, Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from core.data.array_names import ArrayNames
from core.data.bundle import picture_bundle
from core.data.facts import DatasetInvalid
from core.data.folders import Folders, of_bundle
from core.data.folders.faults import left_out, listed
from core.data.folders.limits import MOST_BYTES
from core.data.folders.members import Member
from core.data.pixel_columns import is_turned, upright_remark
from core.data.reading import Turned

FILES: Final = "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte"

_NAME: Final = re.compile(
    r"(?P<set>.*?)(?P<split>train|t10k|test)[-_.](?P<part>images|labels)[-_.]idx[13][-_.]ubyte(?P<packed>\.gz)?", re.I
)
_PARTS: Final = {"images": "x", "labels": "y"}
_UNSIGNED_BYTES: Final = b"\0\0\x08"
_LONGEST_MAPPING: Final = 2**16


def is_idx(member: Member) -> bool:
    """Whether a file's name is that of one."""
    return _NAME.fullmatch(member.parts[-1]) is not None


def read_idx(files: Sequence[Member], size: int | None = None, turned: Turned = "auto") -> Folders:
    """The dataset of the IDX files among these, its pictures scaled to `size` as in `assembled`.

    Raises DatasetInvalid, which names the file at fault and the fix.
    """
    chosen = _chosen([member for member in files if is_idx(member)])
    arrays: dict[str, NDArray[Any]] = {
        name: _array(member, 3 if name[0] == "x" else 1) for name, member in chosen.items()
    }
    for split in ("train", "test"):
        x, y = arrays.get(f"x_{split}"), arrays.get(f"y_{split}")
        if x is not None and y is not None and len(x) != len(y):
            raise DatasetInvalid(
                f"{chosen[f'x_{split}'].quoted} holds {len(x):,} images, but {chosen[f'y_{split}'].quoted} {len(y):,} "
                "labels; send the two that belong together"
            )
    remarks = list[str]()
    if is_turned(turned, *(member.path for member in chosen.values())):
        arrays |= {name: x.transpose(0, 2, 1) for name, x in arrays.items() if name[0] == "x"}
        remarks.append(upright_remark(turned))
    present = np.unique(np.concatenate([y for name, y in arrays.items() if name[0] == "y"]))
    told = _mapping(files, chosen["x_train"])
    named = [told.get(number, "") for number in present.tolist()]
    if not all(named) or len(set(named)) < len(named):
        named = [str(number) for number in present.tolist()]
        remarks.append(f"The classes have no names and are called after their labels, {named[0]} to {named[-1]}.")
    arrays |= {name: np.searchsorted(present, y) for name, y in arrays.items() if name[0] == "y"}
    names = ArrayNames({name: member.path for name, member in chosen.items()} | {"class_names": "class_names"}, ())
    bundle = picture_bundle({**arrays, "class_names": np.array(named)}, names)
    used = {member.path for member in chosen.values()}
    if left := [each.path for each in files if each.path not in used and not each.path.endswith("mapping.txt")]:
        remarks.append(left_out(left))
    own = ["The split into train and test is the files' own."] if "x_test" in arrays else []
    return of_bundle(replace(bundle, remarks=(*own, *bundle.remarks)), size, remarks)


def _chosen(files: Sequence[Member]) -> dict[str, Member]:
    """The file of `x_train` and the others; one that is there packed and unpacked is read unpacked."""
    sets = defaultdict[str, dict[str, Member]](dict)
    for member in sorted(files, key=lambda each: each.path.lower().endswith(".gz")):
        told = cast(re.Match[str], _NAME.fullmatch(member.parts[-1]))
        split = "train" if told["split"].lower() == "train" else "test"
        name = f"{_PARTS[told['part'].lower()]}_{split}"
        sets["/".join([*member.parts[:-1], told["set"].strip("-_.")])].setdefault(name, member)
    if len(sets) > 1:
        raise DatasetInvalid(
            f"holds IDX files of several sets, {listed(sorted(sets))}; leave the files of all but one out"
        )
    chosen = next(iter(sets.values()))
    wanted = ["x_train", "y_train"] + (["x_test", "y_test"] if {"x_test", "y_test"} & chosen.keys() else [])
    if missing := [name for name in wanted if name not in chosen]:
        words = {"x": "images", "y": "labels"}
        raise DatasetInvalid(
            f"holds {listed([member.path for member in chosen.values()])} without the "
            f"{' and the '.join(f'{words[name[0]]} of the {name[2:]} set' for name in missing)}; send {FILES} together"
        )
    return chosen


def _array(member: Member, axes: int) -> NDArray[np.uint8]:
    with member.open() as file:
        source = cast(IO[bytes], gzip.GzipFile(fileobj=file)) if member.path.lower().endswith(".gz") else file
        try:
            start = source.read(4)
            if start != _UNSIGNED_BYTES + bytes([axes]):
                raise DatasetInvalid(
                    f"{member.quoted} is no IDX file of bytes with {axes} axes; download it again, or save its arrays "
                    "with np.savez as x_train, y_train, x_test and y_test"
                )
            shape = np.frombuffer(source.read(4 * axes), ">u4").tolist()
            size = math.prod(shape)
            if size > MOST_BYTES:
                raise DatasetInvalid(f"{member.quoted} holds more than {MOST_BYTES:,} bytes; send fewer images")
            data = source.read(size + 1)
        except (EOFError, OSError, zlib.error) as fault:
            raise DatasetInvalid(f"{member.quoted} is damaged ({fault}); download it again") from None
    if len(data) != size or not size:
        raise DatasetInvalid(
            f"{member.quoted} claims {size:,} bytes and holds {'fewer' if len(data) < size else 'more'}; download it "
            "again"
        )
    return np.frombuffer(data, np.uint8).reshape(shape)


def _mapping(files: Sequence[Member], images: Member) -> Mapping[int, str]:
    """The sign that each label stands for, by a table of code points beside the images, where there is one."""
    beginning = images.parts[-1].lower().partition("train")[0]
    for member in files:
        wanted = (*images.parts[:-1], f"{beginning}mapping.txt")
        if beginning and (*member.parts[:-1], member.parts[-1].lower()) == wanted and member.size < _LONGEST_MAPPING:
            with member.open() as file:
                rows: list[Any] = [line.split() for line in file.read().decode("ascii", "replace").splitlines()]
            return {
                int(row[0]): chr(int(row[1])) for row in rows if len(row) > 1 and all(each.isdecimal() for each in row)
            }
    return {}
