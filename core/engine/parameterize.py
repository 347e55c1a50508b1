"""From what is stored to what networks are trained on: nothing, or the tiles of each image enlarged (IDC).

Kim et al., "Dataset Condensation via Efficient Synthetic-Data Parameterization", ICML 2022: multi-formation.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from core.recipe import Pixels, Tiles


def decode(parameterize: Pixels | Tiles, stored: Tensor) -> Tensor:
    """Training images of stored ones [n, C, H, W]: linear, and in their order, so that classes stay together.

    Tiles of factor f: every stored image is cut into f x f tiles, and each is enlarged to H x W by bilinear
    interpolation: [n f^2, C, H, W], those of an image in reading order. H and W are multiples of f.
    """
    match parameterize:
        case Pixels():
            return stored
        case Tiles(factor=f):
            n, channels, height, width = stored.shape
            assert height % f == 0, "a request whose images cannot be cut evenly is refused"
            assert width % f == 0, "a request whose images cannot be cut evenly is refused"
            tiles = stored.view(n, channels, f, height // f, f, width // f).permute(0, 2, 4, 1, 3, 5)
            return F.interpolate(tiles.flatten(0, 2), size=(height, width), mode="bilinear", align_corners=False)


def assemble(images: Tensor, factor: int) -> Tensor:
    """Stored images of which each tile is an image [n f^2, C, H, W] made smaller, by the mean over its pixels."""
    total, channels, height, width = images.shape
    small = F.avg_pool2d(images, factor).view(-1, factor, factor, channels, height // factor, width // factor)
    return small.permute(0, 3, 1, 4, 2, 5).reshape(total // factor**2, channels, height, width)
