"""Explicit random keys: randomness is an argument, and no global generator is ever touched.

A key is a 63-bit number; folding names into it gives another one. Whatever is drawn for outer step 1,234 depends on
the seed and on 1,234 alone, which is why a resumed run equals one that never stopped. Of a key torch's generators on
the CPU use the lower 32 bits: two keys draw the same numbers with a chance of 2**-32.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Key:
    """A source of randomness, named by a number."""

    value: int

    def fold(self, *names: str | int) -> Key:
        """The key of a named purpose: `key.fold("augment", step)`."""
        text = "/".join([str(self.value), *map(str, names)])
        return Key(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1)

    def generator(self) -> torch.Generator:
        """A fresh generator on the CPU, so that every device sees the same draws."""
        return torch.Generator().manual_seed(self.value)

    def integer(self, low: int, high: int) -> int:
        """One integer, uniform on [low, high)."""
        return int(torch.randint(low, high, (), generator=self.generator()))

    def permutation(self, n: int) -> Tensor:
        """A permutation of 0..n-1, int64 [n]."""
        return torch.randperm(n, generator=self.generator())

    def uniform(self, *shape: int) -> Tensor:
        """Uniform on [0, 1), float32."""
        return torch.rand(shape, generator=self.generator())

    def normal(self, *shape: int) -> Tensor:
        """Standard normal, float32."""
        return torch.randn(shape, generator=self.generator())
