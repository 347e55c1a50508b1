"""From a recipe to its cost: the engine's network counted, prices as measured, seconds that grow with the work."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from core.engine.networks import build
from core.forecast import predict
from core.forecast.network import geometry
from core.recipe import Network
from tests.forecast.machines import COSTS, facts, forecast, machine, recipe

SHAPES = (1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 64), (3, 48, 33), (2, 5, 5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
def test_the_parameters_are_the_engine_s(shape: tuple[int, int, int], norm: str) -> None:
    for width, depth in ((4, None), (32, 2), (128, 1)):
        network = Network.model_validate({"width": width, "depth": depth, "norm": norm})
        built = build(network, shape, 7)
        counted = geometry(network, shape, 7)
        assert (counted.parameters, counted.depth) == (built.size, built.depth)


def test_a_forward_pass_is_counted_as_the_papers_count_it() -> None:
    """ConvNet-3 of width 128 on CIFAR shapes: three convolutions and a little for the classifier."""
    counted = geometry(Network(), (3, 32, 32), 10)
    assert counted.forward_flops == 2 * (27 * 128 * 1024 + 1152 * 128 * 256 + 1152 * 128 * 64 + 2048 * 10)
    assert counted.activations == 128 * (1024 + 256 + 64)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (3, 64, 64)])
def test_the_price_of_a_machine_that_obeys_the_model_is_exact(shape: tuple[int, int, int]) -> None:
    found = machine()
    for kernel, width, batch, networks in itertools.product(COSTS, (16, 64, 256), (1, 100, 1000), (1, 5)):
        network = geometry(Network(width=width), shape, 10)
        floats = batch * (network.pixels if kernel == "data" else network.activations) + network.parameters
        call, each, operation, moved = COSTS[kernel]
        expected = call + networks * (each + operation * batch * network.forward_flops + moved * floats)
        assert found.price(kernel, network, batch, networks) == pytest.approx(expected)


def test_no_noise_makes_a_price_negative() -> None:
    exact = machine()
    points = [p.model_copy(update={"seconds": p.seconds * (3 if i % 2 else 0.3)}) for i, p in enumerate(exact.points)]
    noisy = exact.model_copy(update={"points": tuple(points)})
    for kernel, width, batch in itertools.product(COSTS, (1, 1024), (1, 5000)):
        assert noisy.price(kernel, geometry(Network(width=width), (3, 32, 32), 10), batch) > 0


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("schedule__steps", 480),
        ("objective__syn_steps", 40),
        ("objective__max_start_epoch", 17),
        ("experts__count", 20),
        ("network__width", 64),
        ("evaluation__seeds", 10),
        ("evaluation__epochs", 600),
        ("evaluation__look_every", 20),
        ("evaluation__baseline_lrs", [0.01, 0.02, 0.03, 0.04]),
    ],
)
def test_more_work_takes_more_seconds(path: str, more: object) -> None:
    usual, longer = forecast(), forecast(**{path: more})
    assert usual.seconds is not None
    assert longer.seconds is not None
    assert longer.seconds.expected > usual.seconds.expected
    assert all(longer.phases[name].expected >= phase.expected for name, phase in usual.phases.items())


def test_the_phases_add_up_and_are_those_of_the_method() -> None:
    names = {"mtt": {"training_experts", "distilling"}, "dm": {"distilling"}, "random": set()}
    for method, own in names.items():
        found = forecast(method)
        assert set(found.phases) == {"preparing", "evaluating", "publishing"} | own
        assert found.seconds is not None
        assert found.seconds.expected == pytest.approx(sum(p.expected for p in found.phases.values()), abs=0.01)
        assert found.seconds.low < found.seconds.expected < found.seconds.high


def test_a_slower_machine_takes_as_much_longer() -> None:
    quick, slow = (predict(recipe(), facts(), 1, "mtt", machine(slower=times)) for times in (1, 3))
    for phase in ("training_experts", "distilling", "evaluating"):
        assert slow.phases[phase].expected == pytest.approx(3 * quick.phases[phase].expected, rel=1e-3)


@pytest.mark.parametrize("images", [1, 4, 19])
def test_the_smallest_dataset_has_a_price(images: int) -> None:
    tiny = replace(facts(), train_count=images, test_count=1, classes=2)
    looking = recipe(evaluation__look_every=1, evaluation__select="best_validation")
    found = predict(looking, tiny, 1, "mtt", machine())
    assert found.seconds is not None
    assert found.seconds.expected > 0


def test_whitening_large_images_shows_in_preparing() -> None:
    plain, white = (forecast(dataset="cifar10", ipc=50, preprocess__kind=kind) for kind in ("mean_std", "zca"))
    assert white.phases["preparing"].expected > plain.phases["preparing"].expected + 1
    assert white.memory.working_mib > plain.memory.working_mib
