"""Advice on curves whose truth is known: what its intervals hold, what it advises, and what it refuses to guess."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from core.advice.answer import Advice
from core.advice.hits import compared
from core.advice.measured import Measured, Point
from core.advice.model import Model
from core.advice.order import AdviceOrder, Question, fingerprint, question
from core.advice.study import SECONDS, cost, measurable, modest, study
from core.advice.verdict import answer
from core.architectures import reads
from core.data import Catalogue
from core.overrides import override
from core.recipe import Network, RecipeError
from core.request import JobOrder, settle

FACTS = Catalogue(Path("nowhere")).facts("digits")
STUDY = study(FACTS, "hard")
Curve = Callable[[float], float]


def pow3(top: float, loss: float, power: float) -> Curve:
    return lambda n: top - loss * n**-power


def sigmoid(n: float) -> float:
    return 0.1 + 0.8 / (1 + np.exp(-(np.log(n) - 1.5)))


TRUTHS = (pow3(0.95, 0.5, 0.5), pow3(0.8, 0.6, 0.3), pow3(0.99, 0.35, 0.7), sigmoid)


def gained(real: Curve, first: float, slope: float) -> Curve:
    """Distilled images that gain `first` in log odds at one image a class, and `slope` less for each factor of e."""

    def curve(n: float) -> float:
        odds = np.log(real(n) / (1 - real(n))) + max(0.0, first - slope * np.log(n))
        return float(1 / (1 + np.exp(-odds)))

    return curve


def spread(n: float) -> float:
    return float(0.04 * n**-0.35)


def measured(
    real: Curve,
    distilled: Curve | None,
    rng: np.random.Generator | None = None,
    *,
    sizes: tuple[int, ...] = (1, 2, 5, 10, 20, 50),
    smallest: int = 1000,
    validation: int = 1500,
    tests: int = 3000,
) -> Measured:
    """Measurements of such curves, by three networks each; without a generator of noise as they are in the mean."""

    def networks(accuracy: float, n: float) -> tuple[float, ...]:
        around = np.array([-1.0, 0.0, 1.0]) if rng is None else rng.standard_normal(3)
        return tuple(map(float, (accuracy + spread(n) * around).clip(0, 1)))

    common = 0.0 if rng is None else float(rng.standard_normal())  # one split judges them all

    def seen(accuracy: float) -> float:
        return accuracy + common * float(np.sqrt(accuracy * (1 - accuracy) / validation))

    points = [Point(source="random", ipc=n, accuracies=networks(seen(real(n)), n), seconds=1) for n in sizes]
    for ipc in (1, 10) if distilled else ():
        for run in range(2):
            own = 0.0 if rng is None else float(rng.standard_normal()) * spread(ipc) / 2
            accuracies = networks(seen(distilled(ipc)) + own, ipc)  # type: ignore[misc]
            points.append(Point(source="distilled", ipc=ipc, accuracies=accuracies, seconds=9, run=run))
    return Measured(
        study=STUDY,
        dataset="digits",
        digest="sha256:0",
        classes=10,
        shape=(1, 8, 8),
        smallest_class=smallest,
        validation=validation,
        tests=tests,
        network="convnet",
        hardware="Pentium",
        points=tuple(points),
        seconds=60,
    )


def test_balanced_accuracies_are_called_so_and_are_less_sure() -> None:
    plain = measured(TRUTHS[0], gained(TRUTHS[0], 1.0, 0.2))
    recipe = override(STUDY.recipe, {"evaluation.measure": "balanced"})
    changes = {
        "study": STUDY.model_copy(update={"recipe": recipe}),
        "validation_telling": 300.0,
        "tests_telling": 600.0,
    }
    alike = plain.model_copy(update=changes)
    told = answer(Question(ipc=10), alike)
    assert "balanced accuracy with 10 distilled images" in told.sentence
    assert "balanced" not in answer(Question(ipc=10), plain).sentence
    assert any("balanced: the mean of each class's" in reason for reason in told.reasons)
    model, other = Model.of(alike), Model.of(plain)
    assert model is not None
    assert other is not None
    wide, narrow = (each.estimate("random", 10) for each in (model, other))
    assert wide is not None
    assert narrow is not None
    assert wide.high - wide.low > narrow.high - narrow.low
    own = recipe.model_dump(mode="json")
    row = {"accuracy_mean": 0.9, "balanced_accuracy_mean": 0.6, "n_seeds": 5}
    assert [hit.reached for hit in compared(alike, model, "dm", 10, own, {"random": row})] == [0.6]
    assert [
        hit.reached for hit in compared(plain, other, "dm", 10, STUDY.recipe.model_dump(mode="json"), {"random": row})
    ] == [0.9]


@pytest.mark.parametrize(
    ("changes", "alike"),
    [
        ({}, True),
        ({"preprocess.kind": "zca"}, False),
        ({"parameterize": {"kind": "tiles", "factor": 2}}, False),
        ({"schedule.stages.count": 4}, False),
        ({"evaluation.policy": "simple"}, False),
        ({"evaluation.cutmix": {"probability": 1.0}}, False),
    ],
)
def test_jobs_are_held_against_advice_where_they_did_what_it_measured(changes: dict[str, Any], alike: bool) -> None:
    plain = measured(TRUTHS[0], gained(TRUTHS[0], 1.0, 0.2))
    model = Model.of(plain)
    assert model is not None
    job = override(STUDY.recipe, changes).model_dump(mode="json")
    lines = {name: {"accuracy_mean": 0.6, "n_seeds": 5} for name in ("distilled", "random")}
    assert bool(compared(plain, model, "dm", 10, job, lines)) == alike


def test_intervals_hold_as_many_results_as_they_say() -> None:
    """Between the measured sizes, beyond them, and of distilled images, whatever the curve: 80 % of them, nominally."""
    rng, held = np.random.default_rng(1), dict[str, list[bool]]()
    for trial in range(120):
        real = TRUTHS[trial % len(TRUTHS)]
        distilled = gained(real, rng.uniform(0.3, 1.2), rng.uniform(0, 0.4))
        known = measured(real, distilled, rng)
        model = Model.of(known)
        assert model is not None
        for source, truth, sizes in (("random", real, (3, 30, 80)), ("distilled", distilled, (1, 4, 10, 20))):
            for ipc in sizes:
                estimate = model.estimate(source, ipc)  # type: ignore[arg-type]
                assert estimate is not None
                error = np.sqrt(truth(ipc) * (1 - truth(ipc)) / known.tests)
                error = np.hypot(error, spread(ipc) / np.sqrt(5))
                if source == "distilled":
                    error = np.hypot(error, spread(ipc) / 2)
                result = truth(ipc) + error * rng.standard_normal()
                held.setdefault(f"{source} {ipc}", []).append(estimate.low <= result <= estimate.high)
    shares = {name: float(np.mean(each)) for name, each in held.items()}
    whole = float(np.mean([each for several in held.values() for each in several]))
    assert 0.7 <= whole <= 0.9, shares
    assert min(shares.values()) > 0.6, shares


REAL = pow3(0.95, 0.5, 0.5)


def advised(asked: Question, distilled: Curve | None, seconds: float | None = None, **known: Any) -> Advice:
    return answer(asked, measured(REAL, distilled, **known), lambda ipc: seconds)


def test_advice_says_what_distilling_reaches_and_what_real_images_do_the_same() -> None:
    twice = gained(REAL, 0.4, 0.0)
    found = advised(Question(ipc=10), twice, 2400)
    assert found.distilled is not None
    assert found.random is not None
    assert found.equal is not None
    assert found.distilled.expected == pytest.approx(twice(10), abs=0.01)
    assert found.random.expected == pytest.approx(REAL(10), abs=0.01)
    assert REAL(found.equal.expected) == pytest.approx(twice(10), abs=0.01)
    assert found.equal.low < found.equal.expected < (found.equal.high or 0)
    assert found.verdict == "real"
    assert f"with 10 distilled images a class in about 40 min; the same takes about {found.equal.expected} (" in (
        found.sentence
    )
    assert found.sentence.endswith(f"Verdict: take {found.equal.expected} real images a class unless bytes matter.")
    assert found == advised(Question(ipc=10), twice, 2400)


def test_distilling_is_worth_it_where_as_good_real_images_are_ten_times_as_many() -> None:
    found = advised(Question(ipc=1), gained(REAL, 1.6, 0.2))
    assert found.verdict == "distil"
    assert found.sentence.endswith("Verdict: distil.")
    far = advised(Question(ipc=10), gained(REAL, 3.0, 0.2))
    assert (far.verdict, far.equal) == ("distil", None)
    assert "the same takes more than 100 real ones" in far.sentence


def test_images_that_gain_nothing_are_not_worth_distilling() -> None:
    worse = advised(Question(ipc=10), lambda n: REAL(n) - 0.1)
    assert worse.verdict == "real"
    assert "worse than as many random real ones" in worse.sentence
    same = advised(Question(ipc=10), REAL)
    assert same.verdict == "real"
    assert "not measurably better" in same.sentence


def test_a_target_is_answered_with_the_fewest_images() -> None:
    distilled = gained(REAL, 0.8, 0.1)
    target = distilled(4)
    found = advised(Question(accuracy=target), distilled)
    assert found.needed is not None
    assert found.needed.low <= 4 <= (found.needed.high or 0)
    assert found.ipc == found.needed.expected == pytest.approx(4, abs=1)
    assert f"distilled images a class ({found.needed.low} to {found.needed.high}) reach" in found.sentence


def test_a_share_of_the_gap_needs_the_whole_set() -> None:
    refused = advised(Question(gap=0.3), gained(REAL, 0.8, 0.0))
    assert refused.verdict == "undecided"
    assert "ask for an accuracy instead" in refused.sentence
    found = advised(Question(gap=0.3), gained(REAL, 0.8, 0.0), sizes=(1, 2, 5, 10, 20, 50), smallest=50)
    assert found.needed is not None
    assert found.needed.expected < 10


def test_beyond_the_pilots_nothing_is_guessed() -> None:
    found = advised(Question(ipc=40), gained(REAL, 0.8, 0.0))
    assert found.distilled is found.equal is None
    assert found.random is not None
    assert found.verdict == "undecided"
    assert any("carried on to 30 at most" in reason for reason in found.reasons)
    without = advised(Question(ipc=5), None)
    assert without.distilled is None
    assert any("No pilot distillation came to its end" in reason for reason in without.reasons)
    far = advised(Question(ipc=500), gained(REAL, 0.8, 0.0))
    assert far.random is far.distilled is None
    assert far.sentence.startswith("No advice: No accuracy is said for 500")


def test_a_target_beyond_all_data_is_refused_with_what_would_do() -> None:
    everything = {"sizes": (1, 2, 5, 10, 20, 50), "smallest": 50}
    found = advised(Question(accuracy=0.97), gained(REAL, 0.5, 0.1), **everything)
    assert found.verdict == "undecided"
    assert found.needed is found.distilled is None
    assert found.sentence.startswith("No advice: All 50 images a class reach ")
    assert "at most." in found.sentence
    open_ended = advised(Question(accuracy=0.97), gained(REAL, 0.5, 0.1))
    assert "continued to 100 a class" in open_ended.sentence
    real = advised(Question(accuracy=REAL(45)), gained(REAL, 0.1, 0.1))
    assert real.verdict == "real"
    assert real.needed is None
    assert real.equal is not None
    assert real.equal.low <= 45 <= (real.equal.high or 0)
    assert real.sentence.endswith("Verdict: take the real images.")


def test_too_few_measurements_make_no_curve() -> None:
    found = advised(Question(ipc=1), gained(REAL, 0.5, 0.1), sizes=(1, 2))
    assert found.verdict == "undecided"
    assert found.curves == ()
    assert "a curve takes 3" in found.sentence


def test_a_job_that_takes_longer_than_there_is_is_told() -> None:
    found = advised(Question(ipc=10, within=600), gained(REAL, 0.5, 0.1), 2400)
    assert any("takes about 40 min here, more than the 10 min" in reason for reason in found.reasons)


def test_a_study_fits_into_its_time_or_measures_as_little_as_it_can() -> None:
    assert cost(STUDY, FACTS, modest) <= SECONDS
    assert STUDY.sizes == (1, 2, 5, 10, 20, 50, 125)
    short = study(FACTS, "hard", 1.0)
    assert cost(short, FACTS, modest) < cost(STUDY, FACTS, modest)
    large = study(Catalogue(Path("nowhere")).facts("cifar10"), "soft")
    assert large.recipe.network.width < 128
    assert large.labels == "soft"
    quick = study(FACTS, "hard", price=lambda *_: 1e-6)
    assert (quick.recipe.evaluation.epochs, quick.networks) == (300, 5)


@pytest.mark.parametrize(("shape", "depth"), [((1, 8, 8), None), ((3, 3, 3), 1), ((1, 2, 40), 1), ((1, 1, 40), None)])
def test_a_study_takes_a_network_that_reads_the_images(shape: tuple[int, int, int], depth: int | None) -> None:
    facts = replace(FACTS, shape=shape)
    assert measurable(facts) == (min(shape[1:]) > 1)
    made = study(facts, "hard").recipe.network
    assert isinstance(made, Network)
    if measurable(facts):
        assert reads(made, shape)
    usual = STUDY.recipe.network
    assert isinstance(usual, Network)
    assert made.depth == depth or (depth is None and made.depth == usual.depth)


ASKED: list[tuple[dict[str, Any], Question]] = [
    ({"ipc": 3}, Question(ipc=3)),
    ({"target": {"accuracy": 0.8}, "within": "20m"}, Question(accuracy=0.8, within=1200)),
    ({"target": {"gap": 0.5}, "within": "1h"}, Question(gap=0.5, within=3600)),
]


@pytest.mark.parametrize(("asked", "meant"), ASKED, ids=str)
def test_a_question_is_one_of_size_target_and_bytes(asked: dict[str, Any], meant: Question) -> None:
    assert question(AdviceOrder(dataset="digits", **asked), FACTS) == meant


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"ipc": 1, "bytes": "1 kB"},
        {"target": {}},
        {"target": {"accuracy": 0.5, "gap": 0.5}},
        {"target": {"accuracy": 1.5}},
        {"bytes": "many"},
        {"ipc": 1, "within": "soon"},
        {"ipc": 1, "labels": "firm"},
    ],
    ids=str,
)
def test_what_is_no_question_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises((ValidationError, RecipeError)):
        AdviceOrder(dataset="digits", **asked)


def test_what_a_dataset_cannot_answer_is_refused_with_what_it_can() -> None:
    with pytest.raises(RecipeError, match="125"):
        question(AdviceOrder(dataset="digits", ipc=126), FACTS)
    with pytest.raises(RecipeError) as refused:
        question(AdviceOrder(dataset="digits", bytes="1"), FACTS)
    least = refused.value.errors[0].fix.split("'")[1]
    assert question(AdviceOrder(dataset="digits", bytes=least), FACTS).ipc == 1


@pytest.mark.parametrize(
    ("asked", "room"), [({"bytes": "6.5 kB"}, 6500), ({"bytes": "10MB"}, 10_000_000), ({"bytes": "2k"}, 2000)]
)
@pytest.mark.parametrize("labels", ["hard", "soft"])
def test_bytes_hold_as_many_images_as_a_job_of_them_has(asked: dict[str, Any], room: int, labels: Any) -> None:
    meant = question(AdviceOrder(dataset="digits", labels=labels, **asked), FACTS)
    job = settle(JobOrder(dataset="digits", bytes=f"{room} B", labels=labels), FACTS)
    assert (meant.ipc, meant.room, meant.stored) == (job.ipc, room, job.overrides)
    if room == 2000:
        found = answer(meant, measured(TRUTHS[0], gained(TRUTHS[0], 0.8, 0.1), smallest=125))
        assert found.request
        assert found.request["overrides"].items() >= job.overrides.items()
        told = f"2,000 bytes hold {job.ipc} images a class of {job.overrides['storage.bits']} bits"
        assert any(told in reason for reason in found.reasons)


def test_whatever_is_asked_the_measurements_are_the_same() -> None:
    assert fingerprint("sha256:1", "hard") == fingerprint("sha256:1", "hard")
    assert len({fingerprint(digest, labels) for digest in ("a", "b") for labels in ("hard", "soft")}) == 4  # type: ignore[arg-type]
