"""The claims: every job can be asked for, subsets are what they say, and a verdict needs evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from benchmarks import sections
from benchmarks.claim import Arm, Claim
from benchmarks.claimed import CLAIMS
from benchmarks.claims import judge, overrides, power, said
from benchmarks.jobs import Finished, subset
from benchmarks.remarks import REMARKS
from benchmarks.subsets import DATASETS
from core.data import DatasetFacts, Images, Mirroring
from core.data.bundle import Bundle
from core.request import JobRequest, fingerprint, resolve

SHAPES = {
    None: (1, 8, 8),
    "cifar10": (3, 32, 32),
    "fashion-mnist": (1, 28, 28),
    "lc25000-lung-64": (3, 64, 64),
    "tiny-imagenet-100c": (3, 64, 64),
}


def facts(dataset: str) -> DatasetFacts:
    known = DATASETS[dataset]
    each = known.train or 140
    return DatasetFacts(
        name=dataset,
        title=dataset,
        shape=SHAPES[known.source],
        classes=10,
        class_names=tuple("0123456789"),
        train_count=10 * each,
        test_count=10 * (known.test or 40),
        smallest_class=each * 9 // 10,
        digest="sha256:0",
        licence="",
        citation="",
        on_disk=True,
        source="bundle",
        where="",
        mirroring=Mirroring(True, "known", ""),
    )


@pytest.mark.parametrize("claim", CLAIMS, ids=[claim.name for claim in CLAIMS])
def test_both_arms_of_a_claim_can_be_asked_for_and_differ(claim: Claim) -> None:
    def identity(arm: Arm) -> tuple[str, str]:
        request = JobRequest(dataset=claim.dataset, ipc=claim.ipc, method=arm.method, overrides=overrides(claim, arm))
        return fingerprint(request, resolve(request, facts(claim.dataset)), "sha256:0"), arm.line

    assert identity(claim.better) != identity(claim.than)


def test_a_line_may_be_the_mean_over_unseen_architectures() -> None:
    report: dict[str, Any] = {"results": [{"name": "distilled", "accuracy_mean": 0.9}], "across": None}
    job = Finished(report, 0.0, list, Path)
    assert job.accuracy() == 0.9
    report["across"] = {"mean": {"distilled": {"accuracy_mean": 0.5}, "random": {"accuracy_mean": 0.25}}}
    assert [job.accuracy(name) for name in ("distilled", "across", "across_random")] == [0.9, 0.5, 0.25]
    with pytest.raises(KeyError):
        job.accuracy("full")


def test_claims_have_names_of_their_own() -> None:
    assert len({claim.name for claim in CLAIMS}) == len(CLAIMS)


def test_a_subset_has_the_first_images_of_each_class_in_their_order() -> None:
    labels = np.array([1, 0, 0, 1, 0, 1])
    images = Images(np.arange(6, dtype=np.uint8)[:, None, None, None] * np.ones((1, 3, 2, 2), np.uint8), labels)
    arrays = subset(Bundle(images, images, ("a", "b")), train=2, test=1)
    assert arrays["x_train"].shape == (4, 2, 2, 3)
    assert arrays["x_train"][:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    assert arrays["y_train"].tolist() == [1, 0, 0, 1]
    assert arrays["x_test"][:, 0, 0, 0].tolist() == [0, 1]
    arrays = subset(Bundle(images, images, ("a", "b")), train=2, test=1, classes=1)
    assert (arrays["y_train"].tolist(), arrays["class_names"].tolist()) == ([0, 0], ["a"])


@pytest.mark.parametrize(
    ("better", "than", "word"),
    [
        ([0.9, 0.8, 0.9], [0.5, 0.41, 0.5], "holds"),
        ([0.5, 0.41, 0.5], [0.9, 0.8, 0.9], "opposite"),
        ([0.9, 0.1, 0.5], [0.5, 0.4, 0.6], "not decided"),
        ([0.5, 0.6], [0.5, 0.6], "not decided"),
    ],
)
def test_a_verdict_needs_pairs_that_agree(better: list[float], than: list[float], word: str) -> None:
    assert judge(better, than).word == word


def test_power_is_how_often_the_test_finds_a_difference_that_is_there() -> None:
    draws = np.random.default_rng(0).normal(0.01, 0.01, (4000, 8))
    found = ttest_1samp(draws, 0, axis=1).pvalue < 0.05
    alike = np.array([-1, -1, -1, -1, 1, 1, 1, 1]) * 0.01 * (7 / 8) ** 0.5  # eight differences that spread by a point
    assert power(alike.tolist(), 0.01) == pytest.approx(found.mean(), abs=0.02)


def test_pairs_without_spread_have_all_the_power() -> None:
    assert power([0.5, 0.5], 0.01) == 1.0


def test_new_rows_take_their_places_among_the_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sections, "FILE", tmp_path / "CLAIMS.md")
    first, second, third = (claim.name for claim in CLAIMS[:3])

    def cells(name: str, verdict: str) -> list[str]:
        return [name, *"abcdefghi", verdict, *"klm"]

    sections.write_table(said("at first", {third: cells(third, "holds"), first: cells(first, "opposite")}))
    new = {second: cells(second, "holds"), first: cells(first, "holds")}
    sections.write_table(said("later", sections.rows() | new))
    assert list(sections.rows()) == [first, second, third]
    assert sections.rows() == new | {third: cells(third, "holds")}
    assert "at first" not in sections.FILE.read_text("utf-8")


def test_a_remark_is_made_where_a_claim_does_not_hold() -> None:
    assert set(REMARKS) <= {claim.name for claim in CLAIMS}
    for name, remark in REMARKS.items():
        row = [name, *"abcdefghi", "not decided", *"klm"]
        assert remark in said("here", {name: row})
        row[10] = "holds"
        assert remark not in said("here", {name: row})
