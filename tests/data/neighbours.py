"""Archives of class folders drawn at random, with what is right for each, computed without the code under test."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.data.folders import Folders
from tests.data.archives import deep, low, tiff

HEIGHT, WIDTH = 6, 8

Pixels = NDArray[np.uint8]


@final
@dataclass(frozen=True)
class Drawn:
    """A file of a picture and the pixels [H, W] or [H, W, 3] that are right for it.

    Those of 16 bits are right once the brightest of all is scaled to 255.
    """

    data: bytes
    right: NDArray[np.uint8 | np.uint16]
    ending: str = "png"

    @property
    def is_deep(self) -> bool:
        """Whether it has 16 bits a channel."""
        return self.right.dtype == np.uint16


@final
@dataclass(frozen=True)
class Sent:
    """An archive: pictures by split ("train", "test", or "" without splits), class and number; how they are packed."""

    pictures: Mapping[tuple[str, str, int], Drawn]
    wrapper: str = ""
    inner: bool = False
    """Whether each split's folder lies in one of the same name."""
    splits: Mapping[str, str] = field(default_factory=dict)
    """The name of each split's folder."""
    others: Mapping[str, bytes] = field(default_factory=dict)
    rename: Callable[[str], str] = str

    def path(self, key: tuple[str, str, int]) -> str:
        """Where a picture lies."""
        split, label, number = key
        folder = "".join(f"{self.splits[split]}/" * (2 if self.inner else 1)) if split else ""
        return self.rename(f"{self.wrapper}{folder}{label}/{number}.{self.pictures[key].ending}")

    def members(self) -> dict[str, bytes]:
        """Names and data of all files."""
        return {self.path(key): drawn.data for key, drawn in self.pictures.items()} | dict(self.others)

    def without(self, quoted: str) -> Sent:
        """This archive but for the pictures and files whose paths a message quotes."""
        kept = {key: drawn for key, drawn in self.pictures.items() if repr(self.path(key)) not in quoted}
        return replace(
            self, pictures=kept, others={n: d for n, d in self.others.items() if repr(n.rstrip("/")) not in quoted}
        )

    def check(self, found: Folders) -> None:
        """Compare what was read with what is right: classes and their order, splits, every pixel, channels."""
        names = found.arrays["class_names"].tolist()
        labels = {label for _, label, _ in self.pictures}
        numbers = all(label.isdecimal() for label in labels)
        assert names == sorted(labels, key=int if numbers else str)
        coloured = any(drawn.right.ndim == 3 for drawn in self.pictures.values())
        seen = Counter[tuple[Any, ...]]()
        for split in ("train", "test"):
            x, y = found.arrays[f"x_{split}"], found.arrays[f"y_{split}"]
            assert x.ndim == (4 if coloured else 3)
            seen.update(
                (split if self.splits else "", names[label], image.shape, image.tobytes())
                for image, label in zip(x, y, strict=True)
            )
        expected = Counter[tuple[Any, ...]]()
        deepest = max((int(drawn.right.max()) for drawn in self.pictures.values() if drawn.is_deep), default=1)
        for (split, label, _), drawn in self.pictures.items():
            right = np.rint(drawn.right * (255 / deepest)).astype(np.uint8) if drawn.is_deep else drawn.right
            if coloured and right.ndim == 2:
                right = np.repeat(right[..., None], 3, axis=2)
            part = "train" if split == "val" else split
            expected[part, label, right.shape, np.ascontiguousarray(right).tobytes()] += 1
        assert seen == expected


def encoded(picture: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    """The bytes of a file of a picture."""
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def sent(rng: np.random.Generator) -> Sent:
    """A sound archive: names, splits, ways of packing and kinds of pictures as chance has it."""
    names = CLASSES[rng.integers(len(CLASSES))]
    splits = dict(SPLITS[rng.integers(len(SPLITS))])
    kinds = list(FLAVOURS[rng.integers(len(FLAVOURS))])
    counts = {"train": 2, "test": 1} if splits else {"": 3}
    pictures = {
        (split, name, number): kinds[rng.integers(len(kinds))](rng)
        for split, least in counts.items()
        for name in names
        for number in range(least + int(rng.integers(2)))
    }
    wrapper = ("", "pets/", "Fälle von 2019/neu/")[rng.integers(3)]
    return Sent(pictures, wrapper, bool(splits) and bool(rng.integers(2)), splits)


def _noise(rng: np.random.Generator, *channels: int, top: int = 256) -> Pixels:
    return rng.integers(0, top, (HEIGHT, WIDTH, *channels)).astype(np.uint8)


def _on(colours: Pixels, alpha: Pixels, ground: int = 255) -> Pixels:
    share = alpha[..., None] / 255
    laid: Pixels = np.rint(colours * share + ground * (1 - share)).astype(np.uint8)
    return laid


def grey(rng: np.random.Generator) -> Drawn:
    pixels = _noise(rng)
    form = ("PNG", "WEBP")[rng.integers(2)]
    return Drawn(encoded(Image.fromarray(pixels), form, lossless=True), pixels, form.lower())


def other_grey(rng: np.random.Generator) -> Drawn:
    pixels, form = _noise(rng), ("TIFF", "BMP", "GIF")[rng.integers(3)]
    return Drawn(encoded(Image.fromarray(pixels), form), pixels, ("tif", "bmp", "gif", "png")[rng.integers(4)])


def other_colour(rng: np.random.Generator) -> Drawn:
    pixels = _noise(rng, 3)
    form, options = (("TIFF", {}), ("BMP", {}), ("TIFF", {"compression": "tiff_lzw"}))[rng.integers(3)]
    return Drawn(encoded(Image.fromarray(pixels), form, **options), pixels, form.lower())


def few_colours(rng: np.random.Generator) -> Drawn:
    """A GIF, one of whose colours is transparent."""
    indices, palette = _noise(rng, top=16), rng.integers(0, 256, (16, 3)).astype(np.uint8)
    indices.flat[:16] = np.arange(16)  # it stores the colours that occur alone
    picture = Image.fromarray(indices, mode="P")
    picture.putpalette(palette.reshape(-1).tolist())
    right = np.where((indices == 3)[..., None], 255, palette[indices]).astype(np.uint8)
    return Drawn(encoded(picture, "GIF", transparency=3), right, "gif")


def black_and_white(rng: np.random.Generator) -> Drawn:
    bits = _noise(rng, top=2) > 0
    return Drawn(encoded(Image.fromarray(bits)), (bits * 255).astype(np.uint8))


def grey_as_colour(rng: np.random.Generator) -> Drawn:
    pixels = _noise(rng)
    form = ("PNG", "WEBP")[rng.integers(2)]
    return Drawn(encoded(Image.fromarray(pixels).convert("RGB"), form, lossless=True), pixels, form.lower())


def grey_in_palette(rng: np.random.Generator) -> Drawn:
    pixels = _noise(rng)
    picture = Image.fromarray(pixels, mode="P")
    picture.putpalette([value for grey in range(256) for value in (grey, grey, grey)])
    return Drawn(encoded(picture), pixels)


def colour(rng: np.random.Generator) -> Drawn:
    pixels = _noise(rng, 3)
    return Drawn(
        encoded(Image.fromarray(pixels)), pixels, ("png", "PNG", "jpg")[rng.integers(3)]
    )  # whatever it is called


def opaque(rng: np.random.Generator) -> Drawn:
    pixels = _noise(rng, 3)
    return Drawn(encoded(Image.fromarray(np.dstack([pixels, np.full((HEIGHT, WIDTH), 255, np.uint8)]))), pixels)


def transparent(rng: np.random.Generator) -> Drawn:
    pixels, alpha = _noise(rng, 3), rng.choice([0, 7, 128, 255], (HEIGHT, WIDTH)).astype(np.uint8)
    data = encoded(
        Image.fromarray(np.dstack([pixels, alpha])), form := ("PNG", "WEBP")[rng.integers(2)], lossless=True, exact=True
    )
    return Drawn(data, _on(pixels, alpha), form.lower())


def transparent_grey(rng: np.random.Generator) -> Drawn:
    pixels, alpha = _noise(rng), rng.choice([0, 90, 255], (HEIGHT, WIDTH)).astype(np.uint8)
    return Drawn(encoded(Image.fromarray(np.dstack([pixels, alpha]), "LA")), _on(pixels[..., None], alpha)[..., 0])


def transparent_palette(rng: np.random.Generator) -> Drawn:
    indices, palette = _noise(rng, top=16), rng.integers(0, 256, (16, 3)).astype(np.uint8)
    alpha = rng.choice([0, 100, 255], 16).astype(np.uint8)
    picture = Image.fromarray(indices, mode="P")
    picture.putpalette(palette.reshape(-1).tolist())
    return Drawn(encoded(picture, transparency=alpha.tobytes()), _on(palette[indices], alpha[indices]))


def one_grey_transparent(rng: np.random.Generator) -> Drawn:
    greys = _noise(rng, top=16)
    clear = int(greys[0, 0])
    right = np.where(greys == clear, 255, greys * 17).astype(np.uint8)
    return Drawn(low(greys, clear), right)


def one_colour_transparent(rng: np.random.Generator) -> Drawn:
    pixels = _noise(rng, 3)
    clear = (pixels == pixels[0, 0]).all(-1)
    data = encoded(Image.fromarray(pixels), transparency=tuple(int(value) for value in pixels[0, 0]))
    return Drawn(data, np.where(clear[..., None], 255, pixels).astype(np.uint8))


def white_ink(rng: np.random.Generator) -> Drawn:
    alpha = rng.choice([0, 255], (HEIGHT, WIDTH)).astype(np.uint8)
    white = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    return Drawn(encoded(Image.fromarray(np.dstack([white, alpha]))), _on(white, alpha, ground=0)[..., 0])


def turned_tiff(rng: np.random.Generator) -> Drawn:
    pixels, (orientation, turn) = _noise(rng, 3), ((3, lambda x: np.rot90(x, 2)), (4, np.flipud))[rng.integers(2)]
    data = encoded(Image.fromarray(pixels), "TIFF", tiffinfo={0x0112: orientation})
    return Drawn(data, np.ascontiguousarray(turn(pixels)), "tiff")


def turned(rng: np.random.Generator) -> Drawn:
    """A JPEG that lies, with an EXIF that says how to turn it: without rotation by a quarter, to keep to one size."""
    orientation, turn = (
        (1, lambda x: x),
        (2, np.fliplr),
        (3, lambda x: np.rot90(x, 2)),
        (4, np.flipud),
    )[rng.integers(4)]
    return _exif(rng, orientation, turn, (HEIGHT, WIDTH))


def stood(rng: np.random.Generator) -> Drawn:
    """The same, for the four that swap height and width."""
    orientation, turn = (
        (5, lambda x: np.swapaxes(x, 0, 1)),
        (6, lambda x: np.rot90(x, -1)),
        (7, lambda x: np.swapaxes(np.rot90(x, 2), 0, 1)),
        (8, lambda x: np.rot90(x, 1)),
    )[rng.integers(4)]
    return _exif(rng, orientation, turn, (WIDTH, HEIGHT))


def _exif(rng: np.random.Generator, orientation: int, turn: Callable[[Any], Any], sides: tuple[int, int]) -> Drawn:
    pixels = rng.integers(0, 256, (*sides, 3)).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(pixels), "JPEG", quality=95, exif=exif)
    with Image.open(io.BytesIO(data)) as lying:
        return Drawn(data, np.ascontiguousarray(turn(np.asarray(lying))), ("jpg", "JPEG", "jfif")[rng.integers(3)])


def deep_kind(channels: int) -> Callable[[np.random.Generator], Drawn]:
    """PNGs of 16 bits with a camera's 12 in them."""

    def drawn(rng: np.random.Generator) -> Drawn:
        samples = rng.integers(0, 4096, (HEIGHT, WIDTH, channels)).astype(np.uint16)
        if channels in (2, 4):
            samples[..., -1] = 65535
        right = samples[..., 0] if channels < 3 else samples[..., :3]
        return Drawn(deep(samples), right)

    return drawn


def deep_tiff(channels: int) -> Callable[[np.random.Generator], Drawn]:
    """The same as TIFFs, in either order of bytes."""

    def drawn(rng: np.random.Generator) -> Drawn:
        samples = rng.integers(0, 4096, (HEIGHT, WIDTH, channels)).astype(np.uint16)
        if channels == 4:
            samples[..., -1] = 65535
        right = samples[..., 0] if channels < 3 else samples[..., :3]
        return Drawn(tiff(samples, "<>"[rng.integers(2)], bool(rng.integers(2))), right, "tif")

    return drawn


def deep_grey_tiff(rng: np.random.Generator) -> Drawn:
    samples = rng.integers(0, 4096, (HEIGHT, WIDTH)).astype(np.uint16)
    options = ({}, {"compression": "tiff_deflate"})[rng.integers(2)]
    return Drawn(encoded(Image.fromarray(samples), "TIFF", **options), samples, "tiff")


CLASSES = (
    ("cat", "dog"),
    ("boat", "car", "train"),
    ("control", "test"),
    ("1", "2", "10"),
    ("Käse", "Öl"),
    ("valid", "invalid"),
    ("with_mask", "without_mask"),
    ("bullet train", "test tube", "boat"),
    ("no", "yes", "null"),
)
SPLITS: tuple[dict[str, str], ...] = (
    {},
    {},
    {"train": "train", "test": "test"},
    {"train": "Training", "test": "Testing"},
    {"train": "seg_train", "test": "seg_test"},
    {"train": "train", "test": "val"},
    {"train": "TRAIN", "test": "Validation"},
    {"train": "training_set", "test": "TestImages"},
)
Kind = Callable[[np.random.Generator], Drawn]
FLAVOURS: tuple[tuple[Kind, ...], ...] = (
    (grey, black_and_white),
    (grey, grey_as_colour, grey_in_palette, black_and_white),
    (grey, colour, opaque, turned, grey_as_colour),
    (colour, transparent, transparent_grey, one_colour_transparent, turned),
    (grey, transparent_grey, one_grey_transparent),
    (transparent_palette, colour),
    (white_ink,),
    (white_ink, white_ink, black_and_white),
    (stood,),
    (deep_kind(1), deep_kind(3)),
    (deep_kind(1), deep_kind(2)),
    (other_grey, grey, black_and_white),
    (other_colour, other_grey, few_colours, turned_tiff),
    (deep_tiff(1), deep_grey_tiff),
    (deep_tiff(3), deep_tiff(4), deep_tiff(1), deep_kind(3)),
    (deep_kind(4), deep_kind(3), deep_kind(1)),
)
