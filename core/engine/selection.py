"""Which images of one class to take, from what was learned of them; indices into the class, int64 [ipc]."""

from __future__ import annotations

import torch
from torch import Tensor

from core.engine.keys import Key


def window(difficulty: Tensor, first: int, ipc: int, key: Key) -> Tensor:
    """The images that rank `first` to `first` + ipc from hard to easy, the easiest of them first.

    Args:
        difficulty: of the images of the class, [n]; the higher, the harder.
        first: the rank the window begins at; 0 takes the hardest images.
        ipc: images to take; first + ipc <= n.
        key: draws the order of images that are equally hard, of which counts make many.
    """
    assert first + ipc <= len(difficulty), "a window beyond its class is refused at submission"
    drawn = key.permutation(len(difficulty)).to(difficulty.device)
    ranked = drawn[torch.sort(difficulty[drawn], descending=True, stable=True).indices]
    return ranked[first : first + ipc].flip(0)
