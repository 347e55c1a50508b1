"""Every way to multiply out a convolution is the same linear map, and its parts have the transposes they claim."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine.kernels import convolution
from core.engine.kernels.convolution import Convolution, Direct, Patches, Winograd
from core.engine.kernels.quads import flat, quads, spread, total
from core.engine.keys import Key
from tests.engine.steps import assert_same

KEY = Key(11)
CONVOLUTIONS = {"patches": Patches(), "direct": Direct(), "winograd 2": Winograd(2), "winograd 4": Winograd(4)}
SHAPES = {
    "whole tiles": (2, 8, 12, 3, 5),
    "odd sides": (3, 7, 11, 4, 2),
    "less than a tile": (2, 3, 1, 2, 3),
    "one channel": (1, 6, 6, 1, 1),
}
each = pytest.mark.parametrize("convolution", CONVOLUTIONS.values(), ids=CONVOLUTIONS.keys())
every_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())


def draw(name: str, *shape: int) -> Tensor:
    return KEY.fold(name).normal(*shape).double()


def arguments(shape: tuple[int, int, int, int, int]) -> tuple[Tensor, Tensor]:
    """Images [B, H, W, C] and a kernel [O, C, 3, 3] in float64."""
    batch, height, width, inputs, outputs = shape
    return draw("x", batch, height, width, inputs), draw("w", outputs, inputs, 3, 3)


def weighed_by(convolution: Convolution, w: Tensor) -> Tensor:
    return convolution.weigh(convolution.arrange(w))


def convolve(convolution: Convolution, x: Tensor, w: Tensor) -> Tensor:
    return convolution.lower(convolution.multiply((convolution.lift(x), weighed_by(convolution, w))), x.shape)


def definition(x: Tensor, w: Tensor) -> Tensor:
    return F.conv2d(x.permute(0, 3, 1, 2), w, padding=1).permute(0, 2, 3, 1)


def assert_transposed(a: Callable[[Tensor], Tensor], b: Callable[[Tensor], Tensor], x: Tensor, y: Tensor) -> None:
    """<a x, y> = <x, b y>."""
    image, back = a(x), b(y)
    assert (image.shape, back.shape) == (y.shape, x.shape)
    scale = float(image.norm() * y.norm() + x.norm() * back.norm())
    assert scale > 0
    assert abs(float((image * y).sum() - (x * back).sum())) <= 1e-13 * scale


@each
@every_shape
def test_it_is_the_convolution(convolution: Convolution, shape: tuple[int, int, int, int, int]) -> None:
    x, w = arguments(shape)
    assert_same(convolve(convolution, x, w), definition(x, w), within=1e-12)


@each
@every_shape
def test_the_maps_have_their_transposes(convolution: Convolution, shape: tuple[int, int, int, int, int]) -> None:
    x, w = arguments(shape)
    lifted, weighed = convolution.lift(x), weighed_by(convolution, w)
    product = convolution.multiply((lifted, weighed))
    y = draw("y", *shape[:3], shape[4])
    assert_transposed(convolution.lift, lambda bar: convolution.settle(bar, x.shape), x, draw("X", *lifted.shape))
    assert_transposed(partial(weighed_by, convolution), convolution.unweigh, w, draw("W", *weighed.shape))
    assert_transposed(lambda p: convolution.lower(p, x.shape), convolution.raise_, draw("Y", *product.shape), y)


@each
@every_shape
def test_the_products_have_their_transposes(convolution: Convolution, shape: tuple[int, int, int, int, int]) -> None:
    x, w = arguments(shape)
    lifted, weighed = convolution.lift(x), weighed_by(convolution, w)
    bar = draw("Y", *convolution.multiply((lifted, weighed)).shape)
    assert_transposed(
        lambda a: convolution.multiply((a, weighed)), lambda b: convolution.back((b, weighed)), lifted, bar
    )
    assert_transposed(
        lambda a: convolution.multiply((lifted, a)), lambda b: convolution.correlate((lifted, b)), weighed, bar
    )
    for way, *factors in (
        (convolution.multiply, lifted, weighed),
        (convolution.back, bar, weighed),
        (convolution.correlate, lifted, bar),
    ):
        more = [draw(f"more {n}", *factor.shape) for n, factor in enumerate(factors)]
        assert_same(way(tuple(factors), tuple(more)), way(tuple(factors)) + way(tuple(more)), 1e-14)


@each
def test_its_derivatives_are_those_of_the_convolution(convolution: Convolution) -> None:
    x, w = arguments(SHAPES["odd sides"])
    bar = draw("y", *x.shape[:3], len(w))
    lifted_bar = convolution.raise_(bar)
    ours = (
        convolution.settle(convolution.back((lifted_bar, weighed_by(convolution, w))), x.shape),
        convolution.unweigh(convolution.correlate((convolution.lift(x), lifted_bar))),
    )
    truth = torch.func.vjp(definition, x, w)[1](bar)
    for one, other in zip(ours, truth, strict=True):
        assert_same(one, other, within=1e-12)


@pytest.mark.parametrize(("m", "within"), [(2, 1e-6), (4, 2e-6)])
def test_winograd_rounds_little_in_float32(m: int, within: float) -> None:
    x, w = arguments((2, 16, 16, 64, 32))
    ours = convolve(Winograd(m), x.float(), w.float()).double()
    assert_same(ours, definition(x, w), within)
    assert not torch.equal(ours, definition(x, w))


def test_winograd_multiplies_less() -> None:
    x, w = arguments((1, 8, 8, 2, 3))
    products = {m: Winograd(m).lift(x)[..., 0].numel() for m in (2, 4)}
    assert products == {2: 64 * 9 * 4 // 9, 4: 64 * 9 // 4}
    assert Patches().lift(x).numel() == 64 * 9 * 2
    assert weighed_by(Winograd(4), w).shape == (36, 2, 3)


@pytest.mark.parametrize(
    "points",
    [(0, 1), (0, 1, -1), (0, Fraction(1, 2), -1, 3), (0, 1, -1, 2, -2), (1, -1, 2, -2, Fraction(1, 3), 4)],
    ids=lambda points: f"m={len(points) - 1}",
)
def test_the_transforms_of_any_points_convolve_a_line(points: tuple[Fraction | int, ...]) -> None:
    m = len(points) - 1
    transforms = convolution._toom_cook(m, [Fraction(point) for point in points])
    lift, weigh, lower = (torch.tensor(transform, dtype=torch.float64) for transform in transforms)
    assert (lift.shape, weigh.shape, lower.shape) == ((m + 2, m + 2), (m + 2, 3), (m, m + 2))
    x, w = draw("line", m + 2), draw("kernel", 3)
    assert_same(lower @ ((weigh @ w) * (lift @ x)), torch.stack([x[i : i + 3] @ w for i in range(m)]), within=1e-12)


def test_winograd_is_right_with_other_points(monkeypatch: pytest.MonkeyPatch) -> None:
    transforms = convolution._toom_cook(3, [Fraction(0), Fraction(1), Fraction(-1), Fraction(1, 2)])
    for name, transform in zip(("_INPUT", "_KERNEL", "_OUTPUT"), transforms, strict=True):
        monkeypatch.setitem(getattr(convolution, name), 3, transform)
    x, w = arguments(SHAPES["odd sides"])
    assert_same(convolve(Winograd(3), x, w), definition(x, w), within=1e-12)


def test_only_winograd_has_coarse_factors_and_only_if_asked() -> None:
    x = draw("x", 1, 4, 4, 2).float()
    assert all(c.factor(c.lift(x)).dtype == torch.float32 for c in CONVOLUTIONS.values())
    coarse, rounded = Winograd(4, "bfloat16"), Winograd(4, "rounded")
    lifted = coarse.lift(x)
    assert lifted.dtype == torch.float32
    assert coarse.factor(lifted).dtype == torch.bfloat16
    assert torch.equal(rounded.factor(lifted), coarse.factor(lifted).float())
    assert not torch.equal(rounded.factor(lifted), lifted)


@pytest.mark.parametrize(("height", "width"), [(4, 6), (5, 6), (4, 7), (5, 3)])
def test_quads_are_what_average_pooling_sums(height: int, width: int) -> None:
    y = draw("map", 2, height, width, 3)
    pooled = 4 * F.avg_pool2d(y.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
    parts = quads(y)
    assert torch.equal(flat(parts), y)
    assert_same(total(parts), pooled, within=1e-15)
    assert_transposed(total, lambda share: spread(share, parts) + torch.zeros_like(parts), parts, torch.sin(pooled))
