"""The passes written out by hand are what automatic differentiation of the loss gives."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor

from core.engine.kernels import Eager
from core.engine.kernels.compiled import _kept_bytes, multiplies_bfloat16, passes
from core.engine.kernels.convolution import Direct, Patches, Winograd
from core.engine.kernels.passes import Passes
from core.engine.keys import Key
from core.engine.networks import ConvNet
from core.plan.ways import Factors, Pick, Precision, Way
from tests.engine.steps import assert_same, given, stacked
from tests.engine.verdicts import verdict_of

KEY = Key(13)
BATCH = 5
EXACT = 1e-11  # relative, in float64
SHAPES = {
    "whole": ((3, 16, 16), 2),
    "padded": ((1, 28, 28), 3),  # by 3 in the first convolution
    "odd": ((3, 11, 13), 2),
    "shallow": ((2, 8, 8), 1),
}
WAYS = {
    "patches": lambda depth: ((Patches(),) * depth,),
    "direct": lambda depth: ((Direct(),) * depth,),
    "winograd": lambda depth: ((Patches(), Winograd(4), Winograd(2))[:depth] if depth > 1 else (Winograd(4),),),
    "mixed": lambda depth: ((Direct(), Winograd(2), Direct())[:depth], (Winograd(4), Direct(), None)[:depth]),
}
NORMS = ("instance", "batch", "none")
CPU = torch.device("cpu")


def network(shape: str = "whole", norm: str = "instance", width: int = 5) -> ConvNet:
    image, depth = SHAPES[shape]
    return ConvNet(image, 4, width, depth, norm)  # type: ignore[arg-type]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("shape", "norm"), list(product(SHAPES, NORMS)))
def test_both_passes_equal_automatic_differentiation(shape: str, norm: str, way: str) -> None:
    net = network(shape, norm)
    theta, images, labels, u = given(net, BATCH).double()
    two = Passes(net, *WAYS[way](net.depth))
    g, kept, _ = two.first(theta, images, labels)
    assert_same(g, Eager(net).gradient(theta, images, labels), EXACT)
    ours, _ = two.second(theta, kept, u)
    truth = Eager(net).adjoint(theta, images, labels, u)
    for one, other in zip(ours, truth, strict=True):
        assert_same(one, other, EXACT)
    assert_same(ours.along, g @ u, EXACT)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("shape", "norm"), list(product(SHAPES, NORMS)))
def test_logits_are_the_networks(shape: str, norm: str, way: str) -> None:
    net = network(shape, norm)
    theta, images, labels, _ = given(net, BATCH).double()
    two = Passes(net, *WAYS[way](net.depth))
    moments = Eager(net).gradient_and_batch_stats(theta, images.flip(0) + 1, labels)[1] if norm == "batch" else None
    assert_same(two.logits(theta, images, moments)[0], net.apply(theta, images, moments), EXACT)
    assert_same(two.logits(theta, images)[0], net.apply(theta, images), EXACT)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_moments_are_what_batch_norm_saw(shape: str) -> None:
    net = network(shape, "batch")
    theta, images, labels, _ = given(net, BATCH).double()
    two = Passes(net, *WAYS["winograd"](net.depth))
    seen = two.moments(theta, two.first(theta, images, labels)[1])
    _, truth = Eager(net).gradient_and_batch_stats(theta, images, labels)
    assert [len(kind) for kind in seen] == [net.depth, net.depth]
    for ours, theirs in zip(seen, truth, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            assert_same(one, other, EXACT)


@pytest.mark.parametrize("norm", ["instance", "none"])
def test_other_norms_have_no_moments(norm: str) -> None:
    net = network(norm=norm)
    theta, images, labels, _ = given(net, BATCH).double()
    two = Passes(net, *WAYS["patches"](net.depth))
    assert two.moments(theta, two.first(theta, images, labels)[1]) == ((), ())


@pytest.mark.parametrize("norm", NORMS)
def test_the_second_pass_is_the_slope_of_the_first(norm: str) -> None:
    net = network(norm=norm)
    args = given(net, BATCH).double()
    two = Passes(net, *WAYS["winograd"](net.depth))
    adjoint, _ = two.second(args.theta, two.first(args.theta, args.images, args.labels)[1], args.u)
    step = 1e-6
    for name in ("theta", "images", "labels"):
        at: Tensor = getattr(args, name)
        way = KEY.fold("way", name).normal(*at.shape).double()
        ends = [args._replace(**{name: at + sign * step * way}) for sign in (1, -1)]
        high, low = (float(two.first(end.theta, end.images, end.labels)[0] @ args.u) for end in ends)
        bar: Tensor = getattr(adjoint, name)
        assert float((bar * way).sum()) == pytest.approx((high - low) / (2 * step), rel=1e-6)


def test_students_can_be_stacked() -> None:
    net = network()
    students = [given(net, BATCH, student).double() for student in range(2)]
    two = Passes(net, *WAYS["winograd"](net.depth))
    g = torch.vmap(lambda *one: two.first(*one)[0])(*stacked(*students)[:3])
    for ours, student in zip(g, students, strict=True):
        assert_same(ours, two.first(*student[:3])[0], within=1e-13)


def test_a_bias_that_a_norm_removes_has_no_gradient_at_all() -> None:
    net = network()
    theta, images, labels, u = given(net, BATCH).double()
    two = Passes(net, *WAYS["patches"](net.depth))
    g, kept, _ = two.first(theta, images, labels)
    for gradient in (g, two.second(theta, kept, u)[0].theta):
        parts = net.unflatten(gradient)
        vanishing = {name for name, part in parts.items() if not part.any()}
        assert vanishing == {"conv0.bias", "conv1.bias"}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(("shape", "norm"), list(product(SHAPES, NORMS)))
def test_what_a_step_keeps_is_known_from_one_image_and_two(shape: str, norm: str, precision: Precision) -> None:
    net = network(shape, norm, width=16)
    theta, images, labels, _ = given(net, BATCH)
    two = passes(net, precision, CPU, BATCH)
    assert _kept_bytes(two, BATCH) == sum(leaf.nbytes for leaf in two.first(theta, images, labels)[1].leaves)


@pytest.mark.parametrize("rest", ["F(2)", "F(4)", "direct"])
@pytest.mark.parametrize("factors", ["bfloat16", "rounded"])
def test_bfloat16_decides_no_relu_and_turns_the_adjoint_little(rest: Way, factors: Factors) -> None:
    net = ConvNet((3, 16, 16), 10, 32, 2, "instance")
    theta, images, labels, u = given(net, batch=16)
    verdict = verdict_of("bfloat16", Pick(forward="F(4)", rest=rest, factors=factors))
    fine, coarse = passes(net, "float32", CPU), passes(net, "bfloat16", CPU, 16, verdict)
    assert fine != coarse
    (g, kept, _), (rough, rough_kept, _) = (two.first(theta, images, labels) for two in (fine, coarse))
    for block, other in zip(kept.blocks, rough_kept.blocks, strict=True):
        assert torch.equal(block.y, other.y)
        assert torch.equal(block.alive, other.alive)
    assert not torch.equal(rough, g)
    assert_same(rough, g, within=0.01)
    ours, truth = coarse.second(theta, rough_kept, u)[0], fine.second(theta, kept, u)[0]
    for one, other in zip(ours, truth, strict=True):
        assert_same(one, other, within=0.04)  # a cosine above 0.999


def test_few_channels_are_multiplied_as_patches_and_many_by_winograd() -> None:
    chosen = passes(ConvNet((3, 16, 16), 10, 32, 2, "instance"), "bfloat16", CPU).convolutions
    assert chosen == (Patches(), Winograd(4, "bfloat16" if multiplies_bfloat16() else "rounded"))
    on_gpu = passes(ConvNet((3, 16, 16), 10, 32, 2, "instance"), "bfloat16", torch.device("cuda")).convolutions
    assert on_gpu == (Direct(), Direct())
