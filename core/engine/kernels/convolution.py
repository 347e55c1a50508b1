"""3x3 convolutions of stride 1 as matrix products between linear maps, in channels-last order.

    y = lower(lift(x) @ weigh(arrange(w)))

Every part is linear, so each derivative of any order is again a product of lifted tensors between the transposes of
these maps: `raise_` is lower's, `settle` lift's and `unweigh` weigh's. Shapes: x [B, H, W, C], w [O, C, 3, 3],
y [B, H, W, O]; lifted X [T, n, C'], W [T, C', O], Y [T, n, O].
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, final

import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine.kernels.products import product

Matrix = tuple[tuple[float, ...], ...]
Pair = tuple[Tensor, Tensor]
"""Two factors."""
Coarse = Literal["no", "bfloat16", "rounded"]
"""How factors are rounded where a coarser one will do: not at all, to bfloat16, or to values of bfloat16 kept as
float32, for processors that multiply only these fast."""


_PARTS = 64
"""Parts, at most, of a sum over all pixels."""


class Convolution(ABC):
    """A way to multiply out a convolution of images [B, H, W, C] with zero padding of 1."""

    @abstractmethod
    def lift(self, x: Tensor) -> Tensor:
        """x [B, H, W, C] -> X."""

    @abstractmethod
    def settle(self, lifted: Tensor, shape: torch.Size) -> Tensor:
        """The transpose of `lift`: a cotangent of X -> one of x, of the `shape` given."""

    def arrange(self, w: Tensor) -> Tensor:
        """w [O, C, 3, 3] -> [3, 3, C, O], in the order in which `weigh` reads it."""
        return w.permute(2, 3, 1, 0).contiguous()

    @abstractmethod
    def weigh(self, arranged: Tensor) -> Tensor:
        """An arranged kernel -> W."""

    @abstractmethod
    def unweigh(self, lifted: Tensor) -> Tensor:
        """The transpose of both: a cotangent of W -> one of w."""

    @abstractmethod
    def lower(self, product: Tensor, shape: torch.Size) -> Tensor:
        """Y -> y [B, H, W, O] for images of `shape` [B, H, W, C]."""

    @abstractmethod
    def raise_(self, y: Tensor) -> Tensor:
        """The transpose of `lower`: a cotangent of y -> one of Y."""

    def factor(self, lifted: Tensor) -> Tensor:
        """A lifted tensor as a factor of products on whose signs no ReLU depends: these may be coarser."""
        return lifted

    @property
    def by_blas(self) -> bool:
        """Whether products of float32 are the BLAS's, too."""
        return False

    def multiply(self, *pairs: Pair) -> Tensor:
        """X, W -> Y; the sum over all pairs, as below."""
        return product(*pairs, blas=self.by_blas)

    def back(self, *pairs: Pair) -> Tensor:
        """Cotangent of Y, W -> cotangent of X."""
        return product(*[(y, w.mT) for y, w in pairs], blas=self.by_blas)

    def correlate(self, *pairs: Pair) -> Tensor:
        """X, cotangent of Y -> cotangent of W."""
        return product(*[(x.mT, y) for x, y in pairs], blas=self.by_blas)


@final
@dataclass(frozen=True)
class Patches(Convolution):
    """Each output's 3x3 neighbourhood as a column: one product, for inputs of few channels.

    Columns of one entry each lie side by side, so that what is written and read next to each other is a row of pixels
    rather than a handful of channels.
    """

    def lift(self, x: Tensor) -> Tensor:
        """[B, H, W, C] -> [1, 9 * C, B * H * W]."""
        batch, height, width, channels = x.shape
        padded = F.pad(x.permute(3, 0, 1, 2), (1, 1, 1, 1))
        shifts = [padded[:, :, i : i + height, j : j + width] for i in range(3) for j in range(3)]
        return torch.stack(shifts).view(1, 9 * channels, batch * height * width)

    def settle(self, lifted: Tensor, shape: torch.Size) -> Tensor:
        """The transpose of `lift`."""
        batch, height, width, channels = shape
        pieces = lifted.view(9, channels, batch, height, width).unbind(0)
        shifted = [F.pad(piece, (k % 3 - 1, 1 - k % 3, k // 3 - 1, 1 - k // 3)) for k, piece in enumerate(pieces)]
        return _add_up(shifted).permute(1, 2, 3, 0)

    def weigh(self, arranged: Tensor) -> Tensor:
        """[3, 3, C, O] -> [1, 9 * C, O]."""
        return arranged.view(1, -1, arranged.shape[-1])

    def unweigh(self, lifted: Tensor) -> Tensor:
        """The transpose of `arrange` and `weigh`."""
        return lifted.view(3, 3, -1, lifted.shape[-1]).permute(3, 2, 0, 1)

    def lower(self, product: Tensor, shape: torch.Size) -> Tensor:
        """[1, B * H * W, O] -> [B, H, W, O]."""
        return product.view(*shape[:3], -1)

    def raise_(self, y: Tensor) -> Tensor:
        """The transpose of `lower`."""
        return y.reshape(1, -1, y.shape[-1])

    def multiply(self, *pairs: Pair) -> Tensor:
        """X, W -> Y."""
        return product(*[(x.mT, w) for x, w in pairs])

    def back(self, *pairs: Pair) -> Tensor:
        """Cotangent of Y, W -> cotangent of X."""
        return product(*[(w, y.mT) for y, w in pairs])

    def correlate(self, *pairs: Pair) -> Tensor:
        """X, cotangent of Y -> cotangent of W; a sum over all pixels, in parts that threads can share."""
        parts = math.gcd(pairs[0][0].shape[-1], _PARTS)
        return product(
            *[(x.unflatten(-1, (parts, -1)).squeeze(0).movedim(1, 0), y.view(parts, -1, y.shape[-1])) for x, y in pairs]
        ).sum(0, keepdim=True)


@final
@dataclass(frozen=True)
class Direct(Convolution):
    """The backend's own convolutions, where it has hardware for them; nothing is lifted."""

    coarse: Coarse = "no"

    def factor(self, lifted: Tensor) -> Tensor:
        """Rounded, if it may be."""
        return _coarsened(lifted, self.coarse)

    def lift(self, x: Tensor) -> Tensor:
        """[B, H, W, C] -> [B, C, H, W], the same memory."""
        return x.permute(0, 3, 1, 2)

    def settle(self, lifted: Tensor, shape: torch.Size) -> Tensor:
        """The transpose of `lift`."""
        return lifted.permute(0, 2, 3, 1)

    def arrange(self, w: Tensor) -> Tensor:
        """w itself."""
        return w

    def weigh(self, arranged: Tensor) -> Tensor:
        """w itself."""
        return arranged

    def unweigh(self, lifted: Tensor) -> Tensor:
        """The same."""
        return lifted

    def lower(self, product: Tensor, shape: torch.Size) -> Tensor:
        """[B, O, H, W] -> [B, H, W, O]."""
        return product.permute(0, 2, 3, 1)

    def raise_(self, y: Tensor) -> Tensor:
        """The transpose of `lower`."""
        return y.permute(0, 3, 1, 2)

    def multiply(self, *pairs: Pair) -> Tensor:
        """The convolution."""
        return _add_up([F.conv2d(x, w, padding=1) for x, w in pairs])

    def back(self, *pairs: Pair) -> Tensor:
        """Its transpose in x."""
        return _add_up([F.conv_transpose2d(y, w, padding=1) for y, w in pairs])

    def correlate(self, *pairs: Pair) -> Tensor:
        """Its transpose in w."""
        return _add_up([self._correlated(x, y) for x, y in pairs])

    def _correlated(self, x: Tensor, y: Tensor) -> Tensor:
        w = x.new_empty((y.shape[1], x.shape[1], 3, 3))  # of which only the shape is looked at
        ones, none, wanted = (1, 1), (0, 0), (False, True, False)
        bars: tuple[Tensor, ...] = torch.ops.aten.convolution_backward(
            y, x, w, None, ones, ones, ones, False, none, 1, wanted
        )
        return bars[1]


@final
@dataclass(frozen=True)
class Winograd(Convolution):
    """F(m x m, 3 x 3) (Lavin & Gray 2016): (m + 2)^2 products for the 9 m^2 of the definition.

    m = 4 takes a quarter of the multiplications, m = 2 four ninths of them; in float32 m = 4 rounds about twice as
    coarsely as the definition, m = 2 hardly more so. Sides that m does not divide are padded.
    """

    m: int = 4
    coarse: Coarse = "no"
    blas: bool = False

    @property
    def by_blas(self) -> bool:
        """Whether products of float32 are the BLAS's, too."""
        return self.blas

    def factor(self, lifted: Tensor) -> Tensor:
        """Rounded, if it may be."""
        return _coarsened(lifted, self.coarse)

    def lift(self, x: Tensor) -> Tensor:
        """[B, H, W, C] -> [(m + 2)^2, B * h * w, C] with h = ceil(H / m), w = ceil(W / m) tiles."""
        transform, m = _INPUT[self.m], self.m
        rows = _combine(transform, _overlapping(x, 1, m), 0)
        tiles = _combine(transform, _overlapping(rows, 3, m), 1)
        return tiles.view(tiles.shape[0] ** 2, -1, x.shape[-1])

    def settle(self, lifted: Tensor, shape: torch.Size) -> Tensor:
        """The transpose of `lift`."""
        batch, height, width, channels = shape
        back, m = _transposed(_INPUT[self.m]), self.m
        tiles = lifted.view(m + 2, m + 2, batch, -(-height // m), -(-width // m), channels)
        columns = _overlap_add(_combined(back, tiles.unbind(1)), 3, m, width)
        return _overlap_add(_combined(back, columns.unbind(0)), 1, m, height)

    def weigh(self, arranged: Tensor) -> Tensor:
        """[3, 3, C, O] -> [(m + 2)^2, C, O]."""
        transform = _KERNEL[self.m]
        rows = _combine(transform, arranged.unbind(0), 0)
        return _combine(transform, rows.unbind(1), 1).view(-1, *arranged.shape[2:])

    def unweigh(self, lifted: Tensor) -> Tensor:
        """The transpose of `arrange` and `weigh`."""
        back, side = _transposed(_KERNEL[self.m]), self.m + 2
        rows = _combine(back, lifted.view(side, side, *lifted.shape[1:]).unbind(0), 0)
        return _combine(back, rows.unbind(1), 1).permute(3, 2, 0, 1)

    def lower(self, product: Tensor, shape: torch.Size) -> Tensor:
        """[(m + 2)^2, B * h * w, O] -> [B, H, W, O]."""
        transform, m = _OUTPUT[self.m], self.m
        batch, height, width, _ = shape
        tiles = product.view(m + 2, m + 2, batch, -(-height // m), -(-width // m), -1)
        rows = _combine(transform, tiles.unbind(0), 3)  # [m + 2, B, h, m, w, O]
        whole = _combine(transform, rows.unbind(0), 4)  # [B, h, m, w, m, O]
        return whole.view(batch, m * whole.shape[1], m * whole.shape[3], -1)[:, :height, :width]

    def raise_(self, y: Tensor) -> Tensor:
        """The transpose of `lower`."""
        back, m = _transposed(_OUTPUT[self.m]), self.m
        batch, height, width, channels = y.shape
        if height % m or width % m:
            y = F.pad(y, (0, 0, 0, -width % m, 0, -height % m))
        tiles = y.reshape(batch, -(-height // m), m, -(-width // m), m, channels)
        rows = _combine(back, tiles.unbind(2), 0)  # [m + 2, B, h, w, m, O]
        return _combine(back, rows.unbind(4), 1).view((m + 2) ** 2, -1, channels)


def _coarsened(factor: Tensor, coarse: Coarse) -> Tensor:
    match coarse:
        case "no":
            return factor
        case "bfloat16":
            return factor.to(torch.bfloat16)
        case "rounded":
            return _rounded(factor)


def _rounded(x: Tensor) -> Tensor:
    """float32 to the nearest bfloat16, ties to even, in bits: a compiler leaves out a conversion there and back."""
    bits = x.view(torch.int32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & -0x10000).view(torch.float32)


def _product(roots: Sequence[Fraction]) -> list[Fraction]:
    """The coefficients of prod (x - root), lowest first."""
    coefficients = [Fraction(1)]
    for root in roots:
        raised, lowered = [Fraction(0), *coefficients], [root * c for c in coefficients] + [Fraction(0)]
        coefficients = [a - b for a, b in zip(raised, lowered, strict=True)]
    return coefficients


def _toom_cook(m: int, points: Sequence[Fraction]) -> tuple[Matrix, Matrix, Matrix]:
    """Input, kernel and output transforms of F(m, 3) from m + 1 points and infinity: [n, n], [n, 3], [m, n]."""
    others = [[b for b in points if b != a] for a in points]
    last = Fraction(0)
    inputs = [[*_product(rest), last] for rest in others] + [_product(points)]
    scales = [math.prod([a - b for b in rest]) for a, rest in zip(points, others, strict=True)]
    kernels = [[a**k / scale for k in range(3)] for a, scale in zip(points, scales, strict=True)] + [
        [last, last, last + 1]
    ]
    outputs = [[a**k for a in points] + [last + (k == m - 1)] for k in range(m)]
    return _floats(inputs), _floats(kernels), _floats(outputs)


def _floats(rows: Sequence[Sequence[Fraction]]) -> Matrix:
    return tuple(tuple(float(x) for x in row) for row in rows)


# The usual points of m = 4 are 0, +-1 and +-2. These round half as coarsely (found by a search over two pairs, in the
# forward product and in both of its transposes), as they keep the powers of the points nearer to each other.
_POINTS = {
    2: (Fraction(0), Fraction(1), Fraction(-1)),
    4: (Fraction(0), Fraction(5, 8), Fraction(-5, 8), Fraction(3, 2), Fraction(-3, 2)),
}
_TRANSFORMS = {m: _toom_cook(m, points) for m, points in _POINTS.items()}
_INPUT = {m: transforms[0] for m, transforms in _TRANSFORMS.items()}
_KERNEL = {m: transforms[1] for m, transforms in _TRANSFORMS.items()}
_OUTPUT = {m: transforms[2] for m, transforms in _TRANSFORMS.items()}


def _transposed(matrix: Matrix) -> Matrix:
    return tuple(zip(*matrix, strict=True))


def _combined(matrix: Matrix, pieces: Sequence[Tensor]) -> list[Tensor]:
    """matrix @ pieces, without the products by nought and one."""
    return [
        _add_up([x if c == 1 else -x if c == -1 else c * x for c, x in zip(row, pieces, strict=True) if c])
        for row in matrix
    ]


def _combine(matrix: Matrix, pieces: Sequence[Tensor], dim: int) -> Tensor:
    return torch.stack(_combined(matrix, pieces), dim)


def _add_up(terms: Sequence[Tensor]) -> Tensor:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def _overlapping(x: Tensor, dim: int, m: int) -> list[Tensor]:
    """The m + 2 entries along `dim` of tiles m apart: each tile's own m, between its neighbours' next ones."""
    if x.shape[dim] % m:
        x = F.pad(x, (*(0, 0) * (x.ndim - 1 - dim), 0, -x.shape[dim] % m))
    own = x.unflatten(dim, (-1, m)).unbind(dim + 1)
    return [_shifted(own[-1], dim, 1), *own, _shifted(own[0], dim, -1)]


def _overlap_add(entries: Sequence[Tensor], dim: int, m: int, length: int) -> Tensor:
    """The transpose of `_overlapping`: what tiles share is added."""
    own = list(entries[1:-1])
    own[-1] = own[-1] + _shifted(entries[0], dim, -1)
    own[0] = own[0] + _shifted(entries[-1], dim, 1)
    return torch.stack(own, dim + 1).flatten(dim, dim + 1).narrow(dim, 0, length)


def _shifted(x: Tensor, dim: int, by: int) -> Tensor:
    """x moved along `dim` by one place, up or down, with zeros moving in."""
    return F.pad(x, (*(0, 0) * (x.ndim - 1 - dim), by, -by))
