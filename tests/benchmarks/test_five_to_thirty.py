"""The table from 5 to 30 %: every job can be asked for, all of a regime have one student, and rows compare in pairs."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from benchmarks import five_to_thirty
from benchmarks.five_to_thirty import BATCH, DATASET, IMAGES, REGIMES, SHARES, STEPS, Regime, order
from benchmarks.jobs import Order
from core.recipe import Recipe
from core.request import JobRequest, resolve
from tests.benchmarks.test_claims import facts
from tests.benchmarks.test_sizes import Engine

EACH = pytest.mark.parametrize("regime", REGIMES, ids=[regime.name for regime in REGIMES])


def recipe(regime: Regime, arm: five_to_thirty.Arm, share: int) -> Recipe:
    asked = order(regime, arm, share, seed=0)
    request = JobRequest(dataset=DATASET, ipc=asked.ipc, method=asked.method, overrides=dict(asked.overrides))
    return resolve(request, facts(DATASET))


@EACH
def test_all_arms_have_one_student_and_as_many_of_its_steps(regime: Regime) -> None:
    first = recipe(regime, regime.arms[0], SHARES[0])
    assert facts(DATASET).smallest_class == IMAGES
    for arm, share in product(regime.arms, SHARES):
        found = recipe(regime, arm, share)
        judged = {"epochs", "batch_size"}
        assert found.network == first.network
        assert found.relabel == first.relabel
        assert found.evaluation.model_dump(exclude=judged) == first.evaluation.model_dump(exclude=judged), arm.name
        batches = -(-10 * IMAGES * share // 100 // BATCH)
        assert found.evaluation.epochs * batches == pytest.approx(STEPS, abs=batches / 2)
    dumps = [recipe(regime, arm, 10).model_dump_json() for arm in regime.arms]
    assert len(set(dumps)) == len(dumps), "two arms are one job"


def test_a_row_is_read_off_the_report_of_a_job(tmp_path: Path) -> None:
    least = {"network.width": 4, "evaluation.epochs": 1, "evaluation.seeds": 1, "evaluation.full": None}
    job = Engine(tmp_path)(Order("a job", "digits", 1, "random", 0, least))
    found = five_to_thirty._figures(job)
    told = job.report["compression"]
    assert found["bytes"] == told["bytes_images"] // 4 + told["bytes_labels"] > 0
    assert 0 <= found["making"] <= found["seconds"] <= round(job.wall + 1, 1)
    assert 0 <= found["accuracy"] <= 1


def test_a_line_compares_the_seeds_that_both_have() -> None:
    def row(arm: str, seed: int, accuracy: float) -> five_to_thirty.Row:
        return {
            "regime": "hard",
            "arm": arm,
            "share": 5,
            "seed": seed,
            "accuracy": accuracy,
            "seconds": 9.0,
            "making": 3.0 + seed,
            "bytes": 1.5e6,
            "commit": "abc",
        }

    rows = [row("random", 0, 0.50), row("random", 1, 0.52), row("random", 2, 0.9)]
    rows += [row("DUAL", 0, 0.53), row("DUAL", 1, 0.56)]
    said = five_to_thirty.said(REGIMES[0], rows, pictures=None)
    assert "| 5 %, random | 64.0 ± 22.5 % |  |  | 3 | 5 | 1.5 MB | abc |" in said
    assert "| 5 %, DUAL | 54.5 ± 2.1 % | +3.5 | 0.09 | 2 | 4 | 1.5 MB | abc |" in said
    assert "10 %" not in said, "nothing was run there"
    assert five_to_thirty.said(REGIMES[1], rows, pictures=None) == ""


def test_a_picture_has_lines_of_all_colours() -> None:
    rows = [
        {"regime": "hard", "arm": arm.name, "share": share, "seed": 0, "accuracy": 0.5 + share / 200 + place / 100}
        for (place, arm), share in product(enumerate(REGIMES[0].arms), SHARES)
    ]
    picture = five_to_thirty.picture(REGIMES[0], rows)
    drawn = picture.crop((90, 135, picture.width - 30, 465)).getcolors(picture.width * picture.height) or []
    assert {(31, 111, 139), (196, 84, 38), (104, 86, 160)} <= {colour for _, colour in drawn}, "a line of each colour"
