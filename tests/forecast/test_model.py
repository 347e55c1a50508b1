"""From a recipe to its cost: the engine's network counted, prices as measured, seconds that grow with the work."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from core.architectures import reads
from core.engine.networks import build
from core.forecast import Calibration, predict
from core.plan.cost.geometry import geometry
from core.plan.ways import Verdict, kinds
from core.recipe import AlexNet, Architecture, LeNet, Mlp, Network, ResNet18, Vgg11
from tests.forecast.machines import COSTS, compiler, facts, forecast, machine, recipe

SHAPES = (1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 64), (3, 48, 33), (2, 5, 5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
def test_the_parameters_are_the_engine_s(shape: tuple[int, int, int], norm: str) -> None:
    for width, depth in ((4, None), (32, 2), (128, 1)):
        network = Network.model_validate({"width": width, "depth": depth, "norm": norm})
        built = build(network, shape, 7)
        counted = geometry(network, shape, 7)
        assert (counted.parameters, counted.convolutions) == (built.size, built.convolutions)
        if depth is not None:
            assert built.name == f"convnet-d{depth}-w{width}-{norm}"


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 64)])
@pytest.mark.parametrize("network", [Mlp(), LeNet(), AlexNet(norm="batch"), Vgg11(), ResNet18(norm="batch")])
def test_the_parameters_of_other_architectures_are_the_engine_s(
    network: Architecture, shape: tuple[int, int, int]
) -> None:
    if not reads(network, shape):
        assert network.kind in ("lenet", "vgg11")
        assert shape == (1, 8, 8)
        return
    built, counted = build(network, shape, 7), geometry(network, shape, 7)
    assert (counted.parameters, counted.convolutions) == (built.size, built.convolutions)
    with FlopCounterMode(display=False) as counter, torch.device("meta"):
        built.apply(torch.empty(built.size), torch.empty(1, *shape))
    assert counted.forward_flops == counter.get_total_flops()


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


def test_a_copy_with_other_points_has_prices_and_a_name_of_its_own() -> None:
    exact, network = machine(), geometry(Network(width=16), (3, 32, 32), 10)
    price, name = exact.price("gradient", network, 100), exact.name
    points = tuple(point.model_copy(update={"seconds": 2 * point.seconds}) for point in exact.points)
    slower = exact.model_copy(update={"points": points})
    assert slower.price("gradient", network, 100) == pytest.approx(2 * price)
    assert slower.name != name


def test_what_another_way_or_bfloat16_gains_is_in_the_price() -> None:
    exact, wide = machine(), kinds((3, 32, 32), 128, 3, 100)
    assert exact.convolved("bfloat16", wide) == 1, "nobody has measured"
    tiles, rounded = ({"forward": "F(4)", "rest": "F(4)", "factors": factors} for factors in ("float32", "bfloat16"))
    place = {"side": 16, "batch": 64, "seconds": {"F(4)": 2.0, "F(4), then F(4) bfloat16": 1.0}}
    found = [
        {"precision": precision, "channels": channels, "pick": pick, "rule": pick, **place}
        for precision, pick in (("float32", tiles), ("bfloat16", rounded))
        for channels in (32, 128)
    ]
    measured = exact.model_copy(update={"verdict": Verdict.model_validate({"findings": found})})
    assert measured.convolved("float32", wide) == pytest.approx(1)
    assert 0.5 < measured.convolved("bfloat16", wide) < 0.8, "half the time of what is convolutions"
    assert measured.name != exact.name
    quick = compiler().model_copy(update={"verdict": measured.verdict})
    fine, rough = (
        predict(recipe("mtt", "cifar10", 10, precision=precision), facts("cifar10"), 10, "mtt", quick, ())
        .phases["distilling"]
        .model
        for precision in ("float32", "bfloat16")
    )
    assert 0.5 * fine < rough < 0.95 * fine


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


BIG = {"dataset": "cifar10", "ipc": 1, "network__width": 32, "evaluation__look_every": None}


def test_compiling_makes_a_big_job_cheaper() -> None:
    big, where = recipe("mtt", **BIG), facts("cifar10")
    slow, quick = (predict(big, where, 1, "mtt", found) for found in (machine(), compiler()))
    assert slow.seconds is not None
    assert quick.seconds is not None
    assert quick.seconds.expected < 0.8 * slow.seconds.expected
    assert quick.conditions != slow.conditions
    assert quick.work == slow.work
    # a student step is a gradient at half and an adjoint at a quarter of the price, what surrounds them costs the same
    assert quick.phases["distilling"].expected < slow.phases["distilling"].expected / 2
    assert quick.phases["preparing"] == slow.phases["preparing"]


def test_compiling_itself_is_paid_where_a_program_is_first_needed() -> None:
    big, where = recipe("mtt", **BIG), facts("cifar10")
    times = [compiler().model_copy(update={"compiling": each}) for each in (0.0, 100.0)]
    free, dear = (predict(big, where, 1, "mtt", found).phases for found in times)
    added = {name: (dear[name].model - free[name].model) / 100 for name in free}
    # experts: a gradient of whole batches, maybe one of the rest; students: a gradient and the adjoint's two
    assert added["training_experts"] in (pytest.approx(1), pytest.approx(2))
    assert added["distilling"] == pytest.approx(3)
    assert added["preparing"] == added["publishing"] == 0


@pytest.mark.parametrize("method", ["mtt", "dm", "random"])
def test_a_small_job_is_not_compiled(method: str) -> None:
    before, after = (predict(recipe(method), facts(), 1, method, found) for found in (machine(), compiler()))
    assert (after.seconds, after.phases, after.memory) == (before.seconds, before.phases, before.memory)


def test_matching_distributions_gains_nothing_by_compiled_kernels() -> None:
    """Its gradient is that of an embedding, in the pixels."""
    long = recipe("dm", "cifar10", 10, evaluation__full=None, schedule__steps=50_000)
    before, after = (predict(long, facts("cifar10"), 10, "dm", found).phases for found in (machine(), compiler()))
    assert after["distilling"] == before["distilling"]


def test_a_calibration_of_before_compiling_still_loads() -> None:
    new = {"compiled", "compiling", "free_bytes"}
    old = machine().model_dump(mode="json", exclude=new)
    assert Calibration.model_validate(old) == machine()


def test_what_student_steps_keep_is_decided_by_the_engine_s_rule() -> None:
    def working(memory: str, calibration: Calibration) -> float:
        big = recipe("mtt", "cifar10", 10, schedule__memory=memory)
        return predict(big, facts("cifar10"), 10, "mtt", calibration).memory.working_mib

    ignorant, roomy = machine(), machine().model_copy(update={"free_bytes": 2**40})
    tight = machine().model_copy(update={"free_bytes": 2**32})
    assert working("keep", ignorant) > working("recompute", ignorant)
    assert working("auto", ignorant) == working("recompute", ignorant)
    assert working("auto", roomy) == working("keep", ignorant)
    assert working("recompute", tight) < working("auto", tight) <= working("recompute", tight) + 2**31 / 2**20
    assert working("keep", compiler()) < working("keep", machine()), "compiled kernels keep less"


def test_of_two_measurements_the_best_of_each_point_counts() -> None:
    loaded = compiler().model_copy(update={"others": 0.7, "startup": 9.0})
    lucky, *rest = machine(slower=3.0).points
    loaded = loaded.model_copy(update={"points": (lucky.model_copy(update={"seconds": 1e-9}), *rest)})
    quiet = machine().model_copy(update={"others": 0.0, "kernels": "compiled"})
    both = loaded.better_of(quiet)
    assert both.points == (loaded.points[0], *quiet.points[1:])
    assert both.compiled == loaded.compiled, "the new one has not got that far"
    assert (both.startup, both.others, both.compiling) == (2.0, 0.0, 20.0)
    assert both.quiet
    assert not loaded.quiet
    assert machine().quiet, "nobody says otherwise"
    assert len({both.name, loaded.name, quiet.name}) == 3
    assert quiet.better_of(loaded).points == both.points
