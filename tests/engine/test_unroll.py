"""The adjoint is the gradient of the unrolled loop, whatever the network, the batches and the augmentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor

from core.engine.augment import dsa
from core.engine.kernels import Eager, adjoint_step
from core.engine.keys import Key
from core.engine.networks import ConvNet, CrossEntropy
from core.engine.unroll import Segment, Terminal, adjoint, plain
from core.recipe import Augment

KEY = Key(7)
BATCHES = {
    "whole": [torch.arange(6)] * 12,
    "partial": [torch.tensor([0, 1, 2, 3]), torch.tensor([4, 5])] * 6,
    "duplicates": [torch.tensor([0, 0, 3]), torch.tensor([5, 5, 5, 1]), torch.arange(6)] * 4,
}
VIEWS = {
    "plain": lambda step: lambda x: x,
    # every transform in turn, replayed from its key; cast because augmentation draws in float32
    **{name: partial(lambda name, step: partial(_view, name=name, step=step), name) for name in
       ("color", "crop", "cutout", "flip", "scale", "rotate")},
}  # fmt: skip


def _view(images: Tensor, name: str, step: int) -> Tensor:
    return dsa(images, Augment(transforms=(name,)), KEY.fold("view", step))  # type: ignore[arg-type]


def segment(
    norm: str = "instance",
    batches: str = "partial",
    view: str = "plain",
    momentum: float = 0.0,
    steps: int | None = None,
) -> tuple[Segment, Tensor]:
    """A segment in float64 on 8x8 images of three classes, and a target."""
    network = ConvNet((3, 8, 8), 3, 5, 2, norm)  # type: ignore[arg-type]
    chosen = BATCHES[batches][: steps or 6]

    made = Segment(
        kernels=Eager(network),
        theta=network.init(KEY.fold("start")).double(),
        images=KEY.fold("images").normal(6, 3, 8, 8).double(),
        labels=KEY.fold("labels").normal(6, 3).double().softmax(1),
        step_size=torch.tensor(0.05, dtype=torch.float64),
        batches=chosen,
        views=[VIEWS[view](i) for i in range(len(chosen))],
        momentum=momentum,
    )
    return made, network.init(KEY.fold("target")).double()


def end_point(target: Tensor) -> Terminal:
    def terminal(path: Sequence[Tensor]) -> tuple[Tensor, Mapping[int, Tensor]]:
        residual = path[-1] - target
        return residual.square().sum(), {len(path) - 1: 2 * residual}

    return terminal


def whole_path(target: Tensor) -> Terminal:
    """Depends on every point, the first included."""

    def terminal(path: Sequence[Tensor]) -> tuple[Tensor, Mapping[int, Tensor]]:
        residuals = [point - target for point in path]
        return sum((r.square().sum() for r in residuals), torch.zeros(())), {i: 2 * r for i, r in enumerate(residuals)}

    return terminal


def middle(target: Tensor, at: int) -> Terminal:
    """Depends on one point before the last."""

    def terminal(path: Sequence[Tensor]) -> tuple[Tensor, Mapping[int, Tensor]]:
        residual = path[at] - target
        return residual.square().sum(), {at: 2 * residual}

    return terminal


def assert_equal_gradients(made: Segment, terminal: Terminal) -> None:
    loss, ours = adjoint(made, terminal)
    truth_loss, truth = plain(made, terminal)
    assert float(loss) == pytest.approx(float(truth_loss), rel=1e-12)
    for name, one, other in zip(truth._fields, ours, truth, strict=True):
        assert other.norm() > 0, f"{name}: the oracle's gradient vanishes and proves nothing"
        assert (one - other).norm() <= 1e-10 * other.norm(), name


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("batches", BATCHES)
@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
def test_adjoint_equals_plain_unroll(norm: str, batches: str, momentum: float) -> None:
    made, target = segment(norm=norm, batches=batches, momentum=momentum)
    assert_equal_gradients(made, end_point(target))


@pytest.mark.parametrize("view", VIEWS)
def test_adjoint_equals_plain_unroll_through_augmentation(view: str) -> None:
    made, target = segment(view=view, batches="duplicates", momentum=0.5)
    assert_equal_gradients(made, end_point(target))


def test_adjoint_takes_cotangents_anywhere_on_the_path() -> None:
    made, target = segment(momentum=0.9)
    assert_equal_gradients(made, whole_path(target))


@pytest.mark.parametrize("residual_bytes", [0, 10**9])
def test_steps_after_the_last_point_that_counts_are_not_gone_back(residual_bytes: int) -> None:
    made, target = segment(momentum=0.9)
    made = replace(made, residual_bytes=residual_bytes)
    assert_equal_gradients(made, middle(target, 4))
    _, shortened = adjoint(replace(made, batches=made.batches[:4], views=made.views[:4]), end_point(target))
    for one, other in zip(adjoint(made, middle(target, 4))[1], shortened, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("weights", [{0: 0.7}, {5: 0.7}, dict.fromkeys(range(6), 0.2)], ids=["first", "last", "mean"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_the_norms_of_gradients_count_directly_and_through_later_steps(
    norm: str, momentum: float, weights: dict[int, float]
) -> None:
    made, target = segment(norm=norm, momentum=momentum, view="crop")
    penalised = replace(made, difficulty=lambda steps: weights)
    assert_equal_gradients(penalised, end_point(target))
    assert_equal_gradients(penalised, whole_path(target))
    felt, host = (adjoint(one, end_point(target))[1].images for one in (penalised, made))
    assert (felt - host).norm() > 1e-3 * host.norm(), "what is not felt proves nothing"


def test_norms_count_up_to_the_point_that_is_compared() -> None:
    made, target = segment()
    asked: list[int] = []

    def mean(steps: int) -> Mapping[int, float]:
        asked.append(steps)
        return dict.fromkeys(range(steps), 1 / steps)

    assert_equal_gradients(replace(made, difficulty=mean), middle(target, 3))
    assert asked == [3, 3]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_truncated_gradient_is_that_of_constant_points(momentum: float) -> None:
    made, target = segment(momentum=momentum, view="scale")
    assert_equal_gradients(replace(made, indirect=False), end_point(target))
    assert_equal_gradients(replace(made, indirect=False, difficulty=lambda steps: {2: 0.3}), end_point(target))


def test_the_truncated_gradient_is_the_published_one() -> None:
    """TESLA's code: d/dx of 2 <eta (target - start) + eta^2 G, g_i>, and d/d eta of ||start - eta G - target||^2."""
    made, target = segment()
    _, bars = adjoint(replace(made, indirect=False), end_point(target))
    kernels, eta, theta, points, gradients = made.kernels, made.step_size, made.theta, [], []
    for batch in made.batches:
        points.append(theta)
        gradients.append(kernels.gradient(theta, made.images[batch], made.labels[batch]))
        theta = theta - eta * gradients[-1]
    total = torch.stack(gradients).sum(0)
    direction = 2 * (eta * (target - made.theta) + eta**2 * total)
    images = torch.zeros_like(made.images)
    for point, batch in zip(points, made.batches, strict=True):
        found = kernels.adjoint(point, made.images[batch], made.labels[batch], direction)
        images.index_add_(0, batch, found.images)
    assert torch.allclose(bars.images, images, rtol=1e-9, atol=0)
    assert float(bars.step_size) == pytest.approx(float(-2 * (made.theta - eta * total - target) @ total), rel=1e-9)


def test_the_truncated_gradient_is_exact_for_one_step_and_for_no_more() -> None:
    def both(steps: int) -> list[tuple[Tensor, Tensor]]:
        made, target = segment(batches="whole", steps=steps)
        exact, cut = (adjoint(replace(made, indirect=way), end_point(target))[1] for way in (True, False))
        return [(exact.images, cut.images), (exact.labels, cut.labels), (exact.step_size, cut.step_size)]

    assert all(torch.equal(one, other) for one, other in both(1))
    assert all((one - other).norm() > 1e-4 * one.norm() for one, other in both(2))


@pytest.mark.parametrize("steps", [1, 2, 10])
def test_adjoint_of_shorter_and_longer_segments(steps: int) -> None:
    made, target = segment(steps=steps)
    assert_equal_gradients(made, end_point(target))


@pytest.mark.parametrize("of", ["images", "labels", "step_size"])
def test_adjoint_equals_finite_differences(of: str) -> None:
    made, target = segment(norm="none", momentum=0.9)
    _, bars = adjoint(made, end_point(target))
    start = getattr(made, of)
    direction = KEY.fold("direction").normal(*start.shape).double()
    step = 1e-6

    def value(moved: Tensor) -> float:
        return float(adjoint(Segment(**{**vars(made), of: moved}), end_point(target))[0])

    slope = (value(start + step * direction) - value(start - step * direction)) / (2 * step)
    assert float((getattr(bars, of) * direction).sum()) == pytest.approx(slope, rel=1e-6)


def test_the_kernel_is_the_gradient_of_a_jacobian_vector_product() -> None:
    made, target = segment()
    u, loss = made.theta - target, CrossEntropy(made.kernels.network)

    def along(theta: Tensor, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        tangent = torch.func.jvp(lambda t: loss(t, images, labels), (theta,), (u,))[1]
        return tangent, tangent

    args = (made.theta, made.images, made.labels)
    bars, value = torch.func.grad(along, (0, 1, 2), has_aux=True)(*args)
    for one, other in zip(adjoint_step(loss, *args, u), (value, *bars), strict=True):
        assert (one - other).norm() <= 1e-13 * other.norm()


def test_a_segment_that_stands_still_has_the_distance_of_its_start() -> None:
    made, target = segment()
    still = Segment(**{**vars(made), "step_size": torch.tensor(0.0, dtype=torch.float64).add(1e-300)})
    loss, _ = adjoint(still, end_point(target))
    assert float(loss) == pytest.approx(float((made.theta - target).square().sum()), rel=1e-12)
