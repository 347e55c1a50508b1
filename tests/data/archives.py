"""Archives of pictures as people send them, and as nobody should."""

from __future__ import annotations

import io
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_image


def picture(seed: int = 0, size: tuple[int, int] = (8, 8), mode: str = "L", form: str = "PNG") -> bytes:
    """A small noisy picture, encoded."""
    channels = {"L": (), "RGB": (3,), "RGBA": (4,)}[mode]
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], *channels), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def classes(per_class: int = 5, **options: object) -> dict[str, bytes]:
    """Members of a sound archive of two classes."""
    names = [f"{label}/{number}.png" for label in ("cat", "dog") for number in range(per_class)]
    return {name: picture(seed, **options) for seed, name in enumerate(names)}  # type: ignore[arg-type]


def photographs(per_class: int, sides: tuple[int, int] = (64, 128)) -> dict[str, bytes]:
    """Members of a sound archive: parts of two real photographs, of many sizes, as JPEG."""
    draw, members = np.random.default_rng(0), {}
    for label in ("china", "flower"):
        whole = Image.fromarray(load_sample_image(f"{label}.jpg"))
        for number in range(per_class):
            (width, height), file = draw.integers(sides[0], sides[1] + 1, 2).tolist(), io.BytesIO()
            left, top = (
                int(draw.integers(side - part)) for side, part in zip(whole.size, (width, height), strict=True)
            )
            whole.crop((left, top, left + width, top + height)).save(file, "JPEG", quality=95)
            members[f"{label}/{number}.jpg"] = file.getvalue()
    return members


def spread(members: Mapping[str, bytes], folder: Path) -> Path:
    """The members as files in a folder."""
    for name, data in members.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def packed(
    members: Mapping[str, bytes], links: Mapping[str, str] | None = None, method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    """The members as a zip; `links` are symbolic ones."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        for name, target in (links or {}).items():
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, target)
    return file.getvalue()


def tarred(members: Mapping[str, bytes], mode: str = "w:gz", *more: tarfile.TarInfo, top: str = "") -> bytes:
    """The members as a tar, as `tar -czf` writes it: folders are entries, too; `more` are entries without data."""
    file, folders = io.BytesIO(), set[str]()
    with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            parts = f"{top}{name}".split("/")[:-1]
            for folder in ("/".join(parts[:end]) for end in range(1, len(parts) + 1)):
                if folder not in folders:
                    info = tarfile.TarInfo(folder)
                    info.type = tarfile.DIRTYPE
                    archive.addfile(info)
                folders.add(folder)
            info = tarfile.TarInfo(f"{top}{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info in more:
            archive.addfile(info)
    return file.getvalue()


def tiff(samples: NDArray[np.uint16], order: str = "<", deflate: bool = False, **tags: int) -> bytes:
    """A TIFF of 16 bits of samples [H, W, channels], which Pillow writes of grey alone; `tags` are `photometric` (262),
    `planar` (284), `format` (339) and `extra` (338), where they are not as usual.
    """
    height, width, channels = samples.shape
    data = samples.astype(f"{order}u2").tobytes()
    data = zlib.compress(data) if deflate else data
    fields = {256: (3, [width]), 257: (3, [height]), 258: (3, [16] * channels), 259: (3, [8 if deflate else 1])}
    fields |= {262: (3, [tags.get("photometric", 2 if channels > 2 else 1)]), 273: (4, [8]), 277: (3, [channels])}
    fields |= {278: (3, [height]), 279: (4, [len(data)]), 284: (3, [tags.get("planar", 1)])}
    fields |= {339: (3, [tags["format"]] * channels)} if "format" in tags else {}
    fields |= {338: (3, [tags.get("extra", 2)])} if channels == 4 else {}
    place = 8 + len(data) + len(data) % 2
    after = place + 2 + 12 * len(fields) + 4
    table, beyond = b"", b""
    for tag, (kind, values) in sorted(fields.items()):
        packed = struct.pack(f"{order}{len(values)}{'H' if kind == 3 else 'I'}", *values)
        if len(packed) > 4:
            packed, beyond = struct.pack(f"{order}I", after + len(beyond)), beyond + packed
        table += struct.pack(f"{order}HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", place)
    count = struct.pack(f"{order}H", len(fields))
    return start + data.ljust(place - 8, b"\0") + count + table + b"\0" * 4 + beyond


def lie(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header claims so many pixels."""
    return _png(width, height, 8, 0, b"\0" * 100)


def deep(samples: NDArray[np.uint16], transparent: tuple[int, ...] = ()) -> bytes:
    """A PNG of 16 bits of samples [H, W, channels], its rows filtered in turn by none, sub and up.

    Args:
        transparent: the colour that is.
    """
    height, width, channels = samples.shape
    rows = np.frombuffer(samples.astype(">u2").tobytes(), np.uint8).reshape(height, width * channels * 2)
    left = np.pad(rows, ((0, 0), (channels * 2, 0)))[:, : rows.shape[1]]
    above = np.pad(rows, ((1, 0), (0, 0)))[:height]
    filtered = [row - (0 * row, left[n], above[n])[n % 3] for n, row in enumerate(rows)]
    data = b"".join(bytes([n % 3]) + row.tobytes() for n, row in enumerate(filtered))
    clear = _chunk(b"tRNS", struct.pack(f">{len(transparent)}H", *transparent)) if transparent else b""
    return _png(width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], data, clear)


def low(greys: NDArray[np.uint8], transparent: int) -> bytes:
    """A PNG of 4 bits of greys [H, W] from 0 to 15, one of which is transparent; W is even."""
    rows = greys[:, ::2] << 4 | greys[:, 1::2]
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    return _png(greys.shape[1], greys.shape[0], 4, 0, data, _chunk(b"tRNS", struct.pack(">H", transparent)))


def _png(width: int, height: int, bits: int, kind: int, rows: bytes, extra: bytes = b"") -> bytes:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def unflagged(archive: bytes) -> bytes:
    """The archive without the flag that says that names are in UTF-8, as macOS packs."""
    data = bytearray(archive)
    for signature, place in ((b"PK\x03\x04", 7), (b"PK\x01\x02", 9)):
        at = data.find(signature)
        while at >= 0:
            data[at + place] &= ~0x08
            at = data.find(signature, at + 4)
    return bytes(data)
