"""The machine decides how convolutions are multiplied out, and a job goes by the machine that it began on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from core.engine.kernels import choose, measurement, missing_compiler
from core.engine.kernels.compiled import Compiled, Shape, multiplies_bfloat16, passes, rule
from core.engine.kernels.convolution import Direct, Patches, Winograd
from core.engine.networks import ConvNet
from core.plan.packing import Use
from core.plan.ways import MARGIN, Pick, Verdict, chosen
from tests.engine.verdicts import verdict_of

CPU = torch.device("cpu")
NETWORK = ConvNet((3, 32, 32), 10, 128, 3, "instance")
TILES, SMALL, DIRECT = (Pick(forward=way, rest=way, factors="float32") for way in ("F(4)", "F(2)", "direct"))
AMX = Pick(forward="F(4)", rest="direct", factors="bfloat16")


def test_without_a_verdict_the_rule_holds() -> None:
    for verdict in (None, Verdict(), verdict_of("bfloat16", AMX)):
        found = passes(NETWORK, "float32", CPU, 100, verdict)
        assert (found.convolutions, found.forwards) == ((Patches(), Winograd(4), Winograd(4)), ())
    assert passes(NETWORK, "bfloat16", CPU, 100, None).convolutions[1].factor(torch.ones(1)).dtype == (
        torch.bfloat16 if multiplies_bfloat16() else torch.float32
    )


def test_each_convolution_goes_by_the_most_similar_kind() -> None:
    verdict = verdict_of("float32", DIRECT, SMALL, kinds=((128, 16, 64), (128, 8, 10)))
    assert passes(NETWORK, "float32", CPU, 100, verdict).convolutions == (Patches(), Direct(), Direct())
    assert passes(NETWORK, "float32", CPU, 10, verdict).convolutions[2] == Winograd(2)
    assert passes(NETWORK, "float32", torch.device("cuda"), 10, verdict).convolutions == (Direct(),) * 3
    mixed = passes(NETWORK, "bfloat16", CPU, 100, verdict_of("bfloat16", AMX))
    assert mixed.forwards == (None, Winograd(4), Winograd(4))
    assert mixed.convolutions[1] == Direct("bfloat16" if multiplies_bfloat16() else "rounded")


def test_a_processor_without_bfloat16_rounds_what_another_one_multiplies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.engine.kernels.compiled.multiplies_bfloat16", lambda: False)
    assert passes(NETWORK, "bfloat16", CPU, 100, verdict_of("bfloat16", AMX)).convolutions[2] == Direct("rounded")


def test_a_choice_changes_only_by_a_margin_that_each_turn_confirms() -> None:
    clear, close = 1 - 2 * MARGIN, 1 - MARGIN / 2
    assert chosen([{TILES: 1.0, SMALL: clear}] * 2, TILES) == SMALL
    assert chosen([{TILES: 1.0, SMALL: close}] * 2, TILES) == TILES
    assert chosen([{TILES: 1.0, SMALL: clear}, {TILES: 1.0, SMALL: close}], TILES) == TILES
    assert chosen([{TILES: close, SMALL: 1.0}] * 2, TILES, before=SMALL) == SMALL, "it stays"
    assert chosen([{TILES: clear, SMALL: 1.0}] * 2, TILES, before=SMALL) == TILES
    assert chosen([{TILES: 1.0, SMALL: clear}] * 2, TILES, before=DIRECT) == SMALL, "one that is not among them"


def test_short_seconds_are_exact_in_whichever_thread_they_are_spent() -> None:
    def spend(seconds: float) -> None:
        until = time.thread_time() + seconds
        while time.thread_time() < until:
            pass

    with ThreadPoolExecutor(1) as pool:
        pool.submit(spend, 0.0).result()
        calls: Sequence[Callable[[], object]] = (lambda: spend(0.001), lambda: pool.submit(spend, 0.001).result())
        for call in calls:
            assert all(0.001 <= measurement.spent_by(call, 1) < 0.002 for _ in range(20))
    assert measurement.spent_by(lambda: spend(0.001), 4) == pytest.approx(0.001, rel=0.2)


def test_a_machine_is_measured_and_its_verdict_is_for_it_alone(tmp_path: Path) -> None:
    threads, verdict = torch.get_num_threads(), measurement.measure(((16, 8, 2), (16, 4, 2)), seconds=0)
    assert [finding.precision for finding in verdict.findings] == 2 * ["float32", "bfloat16"]
    for finding in verdict.findings:
        assert finding.rule == rule(finding.precision)
        assert {str(finding.pick), str(finding.rule)} <= finding.seconds.keys()
        assert all(0 < seconds < 10 for seconds in finding.seconds.values())
        assert finding.gain > 0
        assert len(finding.seconds) == (28 if finding.precision == "bfloat16" and multiplies_bfloat16() else 16)
    measurement.write(tmp_path, CPU, verdict)
    assert measurement.read(tmp_path, CPU) == verdict
    try:
        torch.set_num_threads(threads + 1)
        assert measurement.read(tmp_path, CPU) is None
    finally:
        torch.set_num_threads(threads)
    (path,) = tmp_path.iterdir()
    path.write_text("{")
    assert measurement.read(tmp_path, CPU) is None, "nor is a damaged one"


def test_a_job_goes_on_by_the_machine_that_it_began_on(tmp_path: Path) -> None:
    checkpoint, here, elsewhere = (tmp_path / name for name in ("checkpoint", "here", "elsewhere"))
    checkpoint.mkdir()
    first, other = verdict_of("float32", DIRECT), verdict_of("float32", SMALL)
    measurement.write(here, CPU, first)
    measurement.write(elsewhere, CPU, other)
    assert measurement.of_job(checkpoint, here, CPU) == first
    assert measurement.of_job(checkpoint, elsewhere, CPU) == first
    measurement.write(here, CPU, other)
    assert measurement.of_job(checkpoint, here, CPU) == first, "whatever is measured meanwhile"
    older = tmp_path / "older"
    older.mkdir()
    (older / "seconds.json").write_text("{}")
    assert measurement.of_job(older, here, CPU) == Verdict(), "it was begun by the rule"


@pytest.mark.skipif(missing_compiler(CPU) is not None, reason="there is no compiler")
def test_a_job_says_which_ways_it_goes(tmp_path: Path) -> None:
    uses = [Use("gradient", (1, 100), 10**6), Use("gradient", (3, 10), 10**6)]
    found = choose(NETWORK, uses, CPU, "float32", tmp_path, verdict_of("float32", DIRECT))
    assert isinstance(found.kernels, Compiled)
    assert "multiplied out as direct for 128 channels at 16 pixels in batches of 25" in found.reason
    assert found.kernels.passes(Shape(1, 100), CPU).convolutions[1] == Direct()
    assert found.kernels.passes(Shape(3, 10), CPU).convolutions[1] == Winograd(4), "stacked students go by the rule"
    assert "multiplied out" not in choose(NETWORK, uses, CPU, "float32", tmp_path).reason
