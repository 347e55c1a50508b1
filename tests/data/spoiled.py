"""Archives drawn at random that something is odd or wrong with, and how the fix of each refusal is followed."""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from zlib import crc32

import numpy as np
from PIL import Image

from tests.data.archives import deep, packed, picture, tarred, unflagged
from tests.data.neighbours import Drawn, Sent, colour, encoded, grey, sent

NOTHING = np.zeros((1, 1), np.uint8)


@dataclass(frozen=True)
class Spoiled:
    """A sound archive that something is wrong with, and how each refusal's fix is followed.

    `fix` gives the archive that is sent next, from the message; it has to be taken within `rounds` repairs.
    """

    sent: Sent
    words: str
    fix: Callable[[Sent, str], Sent] = Sent.without
    rounds: int = 1
    pack: Callable[[Mapping[str, bytes]], bytes] = packed
    links: Mapping[str, str] = field(default_factory=dict)
    size: int | None = None
    said: str = ""
    """Words of a remark, once it is taken."""


def some(sent: Sent, rng: np.random.Generator, count: int) -> list[tuple[str, str, int]]:
    keys = list(sent.pictures)
    return [keys[place] for place in rng.permutation(len(keys))[:count]]


def class_folder(sent: Sent) -> str:
    return sent.path(next(iter(sent.pictures))).rsplit("/", 1)[0]


def unsplit(rng: np.random.Generator) -> Sent:
    while (drawn := sent(rng)).splits:
        pass
    return drawn


def split(rng: np.random.Generator) -> Sent:
    while not (drawn := sent(rng)).splits:
        pass
    return drawn


def sound(rng: np.random.Generator) -> Spoiled:
    return Spoiled(sent(rng), "")


def as_tar(rng: np.random.Generator) -> Spoiled:
    mode, top = ("w", "w:gz", "w:bz2", "w:xz")[rng.integers(4)], ("", "./")[rng.integers(2)]
    return Spoiled(sent(rng), "", pack=lambda members: tarred(members, mode, top=top))


def without_flags(rng: np.random.Generator) -> Spoiled:
    return Spoiled(sent(rng), "", pack=lambda members: unflagged(packed(members)))


def decomposed(rng: np.random.Generator) -> Spoiled:
    """Names as a Mac writes them: some with the accents of their own characters."""
    drawn = sent(rng)
    accents = {"ä": "a\u0308", "Ö": "O\u0308"}

    def pack(members: Mapping[str, bytes]) -> bytes:
        odd = {n: "".join(accents.get(c, c) for c in n) if rng.integers(2) else n for n in members}
        return packed({odd[name]: data for name, data in members.items()})

    return Spoiled(drawn, "", pack=pack)


def backslashes(rng: np.random.Generator) -> Spoiled:
    return Spoiled(
        sent(rng), "", pack=lambda members: packed({name.replace("/", "\\"): data for name, data in members.items()})
    )


def table(rng: np.random.Generator) -> Spoiled:
    drawn = sent(rng)
    return Spoiled(replace(drawn, others={f"{drawn.wrapper}labels.csv": b"a,b"}), "", said="labels.csv' were not read")


def litter(rng: np.random.Generator) -> Spoiled:
    drawn = sent(rng)
    folder = class_folder(drawn)
    others = {f"__MACOSX/{folder}/._1.png": b"x", f"{folder}/.DS_Store": b"x", f"{folder}/Thumbs.db": b"x"}
    others |= {f"{folder}/.trash/9.png": picture()}
    return Spoiled(replace(drawn, others=others), "", said=f"begin with a dot: '{folder}/.trash/9.png'")


def note(rng: np.random.Generator) -> Spoiled:
    drawn = split(rng)
    name = f"{drawn.wrapper}{drawn.splits['train']}/boxes.txt"
    return Spoiled(replace(drawn, others={name: b"x"}), "", said=f"no pictures: '{name}'")


def broken(rng: np.random.Generator) -> Spoiled:
    """Up to 25 pictures that cannot be read: ten are named at a time, and all are counted."""
    drawn = sent(rng)
    count = int(rng.integers(1, 26))
    ruined = (b"", drawn.pictures[some(drawn, rng, 1)[0]].data[:30], encoded(Image.new("L", (8, 6)), "TGA"), b"<svg/>")
    bad = {
        ("train" if drawn.splits else "", next(iter(drawn.pictures))[1], 500 + n): Drawn(ruined[n % 4], NOTHING)
        for n in range(count)
    }
    words = f"^{count} files cannot be taken" if count > 1 else "cannot be read as a picture .*save it anew as PNG"
    return Spoiled(replace(drawn, pictures={**drawn.pictures, **bad}), words, rounds=-(-count // 10))


def damaged(rng: np.random.Generator) -> Spoiled:
    """Bytes of a member that changed on the way."""
    drawn = sent(rng)
    (key,) = some(drawn, rng, 1)

    def pack(members: Mapping[str, bytes]) -> bytes:
        data = bytearray(packed(members, method=zipfile.ZIP_STORED))
        at = data.find(drawn.pictures[key].data) + 20
        data[at] ^= 0xFF
        return bytes(data)

    def fix(it: Sent, told: str) -> Sent:
        return it

    return Spoiled(drawn, "is damaged in the archive .*pack the folder anew", fix, pack=pack)


def other_format(rng: np.random.Generator) -> Spoiled:
    drawn = sent(rng)
    if any(each.is_deep for each in drawn.pictures.values()):  # beside 8 bits they are another fault
        return other_format(rng)
    form = ("TGA", "PPM", "ICO")[rng.integers(3)]
    changed = {
        key: replace(drawn.pictures[key], data=encoded(Image.fromarray(drawn.pictures[key].right), form), ending=form)
        for key in some(drawn, rng, 2)
    }

    def fix(it: Sent, told: str) -> Sent:
        def as_png(drawn: Drawn) -> Drawn:
            with Image.open(io.BytesIO(drawn.data)) as opened:
                right = opened.convert("RGB" if drawn.right.ndim == 3 else "L")
                return replace(drawn, data=encoded(right), ending="png", right=np.asarray(right))

        named = {key for key in it.pictures if repr(it.path(key)) in told}
        return replace(it, pictures={k: as_png(d) if k in named else d for k, d in it.pictures.items()})

    return Spoiled(replace(drawn, pictures={**drawn.pictures, **changed}), "save it as PNG", fix)


def note_in_class(rng: np.random.Generator) -> Spoiled:
    drawn = sent(rng)
    return Spoiled(replace(drawn, others={f"{class_folder(drawn)}/about.pkl": b"x"}), "leave it out")


def loose(rng: np.random.Generator) -> Spoiled:
    drawn = sent(rng)
    return Spoiled(replace(drawn, others={f"{drawn.wrapper}cover.png": picture()}), "lies in no class folder")


def empty_folder(rng: np.random.Generator) -> Spoiled:
    drawn = sent(rng)
    folder = class_folder(drawn).rsplit("/", 1)
    return Spoiled(replace(drawn, others={"/".join([*folder[:-1], "eel/"]): b""}), "'[^']*eel' is an empty folder")


def deeper(rng: np.random.Generator) -> Spoiled:
    drawn = sent(rng)

    def rename(path: str) -> str:
        return re.sub(r"/([^/]+)$", r"/sub/\1", path) if crc32(path.encode()) % 2 else path

    nested = replace(drawn, rename=rename)
    if nested.members().keys() == drawn.members().keys():
        return deeper(rng)
    if all("/sub/" in name for name in nested.members()):
        return deeper(rng)
    return Spoiled(nested, "directly into", lambda it, _: replace(it, rename=str))


def class_first(rng: np.random.Generator) -> Spoiled:
    drawn = replace(split(rng), inner=False)
    turned = replace(
        drawn,
        rename=lambda path: re.sub(
            f"({'|'.join(drawn.splits.values())})/([^/]+)/([^/]+)$", lambda m: f"{m[2]}/{m[1]}/{m[3]}", path
        ),
    )
    if any(word in label for _, label, _ in drawn.pictures for word in ("train", "test", "valid")):  # may be both
        return class_first(rng)
    return Spoiled(turned, "turn it round", lambda it, _: replace(it, rename=str))


def three_splits(rng: np.random.Generator) -> Spoiled:
    """The validation images are training images that are held out, as far as there are enough of them."""
    drawn = replace(split(rng), inner=False)
    if any(each.is_deep for each in drawn.pictures.values()) or (
        {drawn.right.shape[:2] for drawn in drawn.pictures.values()} != {(6, 8)}
    ):
        return three_splits(rng)
    held = {("val", label, 1): grey(rng) for label in sorted({label for _, label, _ in drawn.pictures})}
    missing = bool(rng.integers(2))
    if missing:
        held.popitem()
    names = {"train": "train", "val": ("val", "valid", "Validation")[rng.integers(3)], "test": "test"}
    said = "too few in some class to choose by" if missing else f"split, {len(held)} images, is the source's own"
    return Spoiled(replace(drawn, pictures={**drawn.pictures, **held}, splits=names), "", said=said)


def flat_splits(rng: np.random.Generator) -> Spoiled:
    """An archive as competitions publish it: pictures in two folders, and tables that say the classes."""
    drawn = replace(split(rng), inner=False)
    names = ("train", "test", "train_images", "test_images")[2 * int(rng.integers(2)) :][:2]
    drawn = replace(drawn, splits={"train": names[0], "test": names[1]}, others={"train.csv": b"a", "test.csv": b"b"})
    flat = replace(drawn, rename=lambda path: re.sub(r"/([^/]+)/([^/]+)$", r"/\1_\2", path))
    return Spoiled(
        flat, "make a folder of each class in each of them", lambda it, _: replace(it, rename=str), said="train.csv"
    )


def parts(rng: np.random.Generator) -> Spoiled:
    """Pictures in parts, classes in a table; or, if these were the classes, the way to say so."""
    drawn = unsplit(rng)
    numbers = {key: number for number, key in enumerate(drawn.pictures)}
    labels = dict(zip(("HAM_images_part_1", "HAM_images_part_2"), range(2), strict=True))
    if rng.integers(2):
        labels = {"images": 0, "masks": 1}
    while len(numbers) < 6:
        return parts(rng)
    renamed = {("", list(labels)[n % 2], n): drawn.pictures[key] for key, n in numbers.items()}
    moved = replace(drawn, pictures=renamed, others={"metadata.csv": b"a"} if rng.integers(2) else {})

    def fix(it: Sent, told: str) -> Sent:
        assert ("metadata.csv" in told) == bool(it.others)
        if rng.integers(2):
            return replace(it, pictures=drawn.pictures)
        return replace(it, wrapper=f"{it.wrapper}train/")

    return Spoiled(moved, "look like parts of one set", fix)


def one_folder(rng: np.random.Generator) -> Spoiled:
    drawn = unsplit(rng)
    into = ("/all", "")[rng.integers(2)]
    flat = replace(
        drawn, wrapper=drawn.wrapper or "x/", rename=lambda path: re.sub(r"/([^/]+)/([^/]+)$", rf"{into}/\1\2", path)
    )
    return Spoiled(
        flat, "all pictures lie in one class folder, .* named after it", lambda it, _: replace(it, rename=str)
    )


def rare(rng: np.random.Generator) -> Spoiled:
    drawn = sent(rng)
    label = next(iter(drawn.pictures))[1]
    first = "train" if drawn.splits else ""
    keys = [key for key in drawn.pictures if key[:2] == (first, label)]
    keep = 1 if drawn.splits else int(rng.integers(1, 3))
    thinned = replace(drawn, pictures={k: d for k, d in drawn.pictures.items() if k not in keys[keep:]})

    def fix(it: Sent, told: str) -> Sent:
        assert repr(label) in told
        return drawn

    return Spoiled(thinned, f"give each class {'two' if drawn.splits else 'three'} or more", fix)


def untested(rng: np.random.Generator) -> Spoiled:
    drawn = split(rng)
    while len({label for _, label, _ in drawn.pictures}) < 3:
        drawn = split(rng)
    label, gone = next(iter(drawn.pictures))[1], ("train", "test")[rng.integers(2)]

    def fix(it: Sent, told: str) -> Sent:
        assert repr(label) in told
        return replace(it, pictures={k: d for k, d in it.pictures.items() if k[1] != label})

    lacking = replace(drawn, pictures={k: d for k, d in drawn.pictures.items() if k[:2] != (gone, label)})
    return Spoiled(lacking, "put each into both, or into neither", fix)


def unlabelled_test(rng: np.random.Generator) -> Spoiled:
    """A test split without classes, as competitions have it."""
    drawn = split(rng)
    while min(Counter(label for part, label, _ in drawn.pictures if part == "train").values()) < 3:
        drawn = split(rng)
    flat = replace(
        drawn,
        rename=lambda path: re.sub(rf"({drawn.splits['test']})/([^/]+)/([^/]+)$", r"\1/\2\3", path),
    )

    def fix(it: Sent, told: str) -> Sent:
        alone = {("", label, n): each for (part, label, n), each in it.pictures.items() if part == "train"}
        folder = drawn.splits["train"] + "/"
        return replace(it, pictures=alone, splits={}, rename=str, wrapper=f"{it.wrapper}{folder * (1 + it.inner)}")

    return Spoiled(flat, "leave '[^']*' out, or|leave it out to have a fifth", fix)


def beside(rng: np.random.Generator) -> Spoiled:
    drawn = split(rng)
    others = {f"{drawn.wrapper}predict/{n}/1.png": picture() for n in range(2)}

    def fix(it: Sent, told: str) -> Sent:
        assert "leave 'predict' out" in told
        return replace(it, others={})

    return Spoiled(replace(drawn, others=others), "holds 'predict' beside", fix)


def packed_otherwise(rng: np.random.Generator) -> Spoiled:
    method = (zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2)[rng.integers(2)]
    words = {zipfile.ZIP_LZMA: "LZMA", zipfile.ZIP_BZIP2: "bzip2"}[method]
    return Spoiled(
        sent(rng), f"packed by {words}; .*deflated", lambda it, _: it, pack=lambda m: packed(m, method=method)
    )


def linked(rng: np.random.Generator) -> Spoiled:
    drawn = sent(rng)
    return Spoiled(
        drawn, "is a link or a device; pack the files", links={f"{class_folder(drawn)}/l.png": "/etc/passwd"}
    )


def sides(rng: np.random.Generator) -> Spoiled:
    """Pictures of several sizes, all flat, so that scaling changes nothing but their number of pixels."""
    drawn = sent(rng)

    def flat(side: int, value: int) -> Drawn:
        return Drawn(encoded(Image.new("L", (side, side + 2), value)), np.full((32, 32), value, np.uint8))

    values = rng.permutation(256)
    pictures = {key: flat(int(rng.integers(5, 50)), int(values[n])) for n, key in enumerate(drawn.pictures)}
    return Spoiled(replace(drawn, pictures=pictures), "say `size` .e.g. size=32", lambda it, _: it, size=32)


def dark(rng: np.random.Generator) -> Spoiled:
    """A camera's 12 bits in files of 16, beside pictures of 8."""
    drawn = unsplit(rng)
    samples = rng.integers(0, 4096, (6, 8, 1)).astype(np.uint16)
    pictures = {key: (grey, colour)[rng.integers(2)](rng) for key in drawn.pictures}
    key = ("", next(iter(pictures))[1], 77)
    mixed = replace(drawn, pictures={**pictures, key: Drawn(deep(samples), NOTHING)})
    return Spoiled(mixed, "1 of .* have 16 bits .*or send those of 8", lambda it, _: replace(it, pictures=pictures))


FAULTS = [
    *(
        sound,
        sound,
        sound,
        as_tar,
        without_flags,
        decomposed,
        backslashes,
        table,
        litter,
        note,
        broken,
        damaged,
        other_format,
    ),
    *(note_in_class, loose, empty_folder, deeper, class_first, three_splits, flat_splits, parts, one_folder, rare),
    *(untested, unlabelled_test, beside, packed_otherwise, linked, sides, dark),
]
