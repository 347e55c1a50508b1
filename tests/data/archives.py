"""Archives of pictures as people send them, and as nobody should."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping

import numpy as np
from PIL import Image


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


def packed(members: Mapping[str, bytes], links: Mapping[str, str] | None = None) -> bytes:
    """The members as a zip; `links` are symbolic ones."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        for name, target in (links or {}).items():
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, target)
    return file.getvalue()


def lie(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header claims so many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )
