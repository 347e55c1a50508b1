"""Maps by the 2x2 that are pooled together: what is computed on this shape needs no division to find an index."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def quads(y: Tensor) -> Tensor:
    """[B, H, W, C] -> [B, H / 2, 2, W / 2, 2, C]; a map with an odd side stays whole, [B, H, 1, W, 1, C]."""
    batch, height, width, channels = y.shape
    side = 1 if height % 2 or width % 2 else 2
    return y.reshape(batch, height // side, side, width // side, side, channels)


def flat(y: Tensor) -> Tensor:
    """The inverse of `quads`."""
    return y.flatten(3, 4).flatten(1, 2)


def total(y: Tensor) -> Tensor:
    """The sum over each quad, [B, h, w, C]; an odd last row or column belongs to none."""
    if y.shape[2] == 2:
        return y[:, :, 0, :, 0] + y[:, :, 0, :, 1] + y[:, :, 1, :, 0] + y[:, :, 1, :, 1]
    return 4 * F.avg_pool2d(flat(y).permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)


def spread(share: Tensor, y: Tensor) -> Tensor:
    """The transpose of `total`, [B, h, w, C], such that it broadcasts with the quads y."""
    if y.shape[2] == 2:
        return share[:, :, None, :, None]
    whole = share.repeat_interleave(2, 1).repeat_interleave(2, 2)
    return quads(F.pad(whole, (0, 0, 0, y.shape[3] - whole.shape[2], 0, y.shape[1] - whole.shape[1])))
