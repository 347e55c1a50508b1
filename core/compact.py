"""Images and labels in few bits, as a compact file has them: rounded, packed, and its bytes.

`load.py` of an artifact reads it back.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from core.recipe import Compact

_NAMES: Final = {
    "int64": "I64",
    "float64": "F64",
    "float32": "F32",
    "int32": "I32",
    "float16": "F16",
    "uint16": "U16",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
    "bool": "BOOL",
}
"""The names of types in a safetensors file, in the order in which its arrays lie there."""


@final
@dataclass(frozen=True)
class Layout:
    """The arrays of a safetensors file, by name: type and shape; and the JSON of its metadata."""

    arrays: Mapping[str, tuple[str, tuple[int, ...]]]
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of the file: the arrays, and what is said of them before, filled up to a multiple of 8."""
        header: dict[str, Any] = {"__metadata__": {"stillhouse": _json(self.about)}}
        # Offsets are written as decimals, of some length. Arrays of one type lie in the order of their names.
        end = 0
        for name in sorted(self.arrays, key=lambda name: (list(_NAMES).index(self.arrays[name][0]), name)):
            kind, shape = self.arrays[name]
            begin, end = end, end + self.bytes_of(name)
            header[name] = {"dtype": _NAMES[kind], "shape": list(shape), "data_offsets": [begin, end]}
        said = len(json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode())
        return 8 + 8 * -(-said // 8) + end

    def bytes_of(self, name: str) -> int:
        """Bytes of an array; 0 of one that is not there."""
        kind, shape = self.arrays.get(name, ("uint8", (0,)))
        return np.dtype(kind).itemsize * math.prod(shape)


def index_type(classes: int) -> str:
    """The smallest type that numbers so many classes."""
    return "uint8" if classes <= 2**8 else "uint16" if classes <= 2**16 else "int64"


def rounded(pixels: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """The nearest of 2^bits evenly spaced values 0..255, of the same shape."""
    return np.asarray(np.rint(_codes(pixels, bits) * (255 / (2**bits - 1))), dtype=np.uint8)


def packed_pixels(pixels: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """The levels of rounded pixels, `bits` bits each, in a row without gaps."""
    return _packed(_codes(pixels, bits), bits)


def rounded_labels(labels: NDArray[np.float32], storage: Compact) -> NDArray[np.float32]:
    """Probabilities [n, K] as they are read back, float32; rounding them again changes nothing."""
    places, codes = label_codes(labels, storage)
    whole = codes.astype(np.float64)
    if places is not None:
        own, whole = whole[:, :-1], np.repeat(whole[:, -1:], labels.shape[1], 1)
        np.put_along_axis(whole, places, own, 1)
    return np.asarray(whole / whole.sum(1, keepdims=True), dtype=np.float32)


def label_codes(labels: NDArray[np.float32], storage: Compact) -> tuple[NDArray[np.int64] | None, NDArray[np.int64]]:
    """The classes [n, k] of labels [n, K] that have a share of their own, in their order, and shares as whole numbers.

    Those are [n, k + 1], the last that of each other class; or [n, K], and no classes, where each has its own. With
    zeros in its place a student would have to push its logits the further apart, the higher the temperature is.
    """
    own, found, places = storage.own(labels.shape[1]), labels.astype(np.float64), None
    if own is not None:
        order = np.argsort(-labels, axis=1, kind="stable")
        places = np.sort(order[:, :own], axis=1)
        others = np.take_along_axis(found, order[:, own:], 1).mean(1, keepdims=True)
        found = np.concatenate((np.take_along_axis(found, places, 1), others), 1)
    return places, np.rint(found / found.max(1, keepdims=True) * (2**storage.label_bits - 1)).astype(np.int64)


def packed_labels(codes: NDArray[np.int64], bits: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The whole numbers of labels as they are stored: of 16 bits as they are, else in a row without gaps."""
    return codes.ravel().astype(np.uint16) if bits == 16 else _packed(codes.astype(np.uint8), bits)


def _codes(pixels: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    return np.asarray(np.rint(pixels * ((2**bits - 1) / 255)), dtype=np.uint8)


def _packed(codes: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    return np.packbits(np.unpackbits(codes.reshape(-1, 1), axis=1)[:, 8 - bits :])


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
