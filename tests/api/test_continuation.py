"""Results in proportion to the classes that other jobs go on from: more images in all, and no fewer of any class."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from api.continuation import _misfits, _Result
from api.services import Services
from core.data import Catalogue
from core.ledger import Status
from core.recipe import FieldError
from core.recipe.share import counts
from core.request import JobOrder, resolve, settle
from tests.api.workshop import ON_SQLITE, Workshop, request

pytestmark = ON_SQLITE

DIGITS = Catalogue(Path("nowhere")).facts("digits")
TENFOLD = (600, 600, 60)
PARADOX = (116, 300, 62, 86, 27)
"""Largest remainders give one of these classes fewer of seven images a class than of six: Alabama's paradox."""


def tensors(given: tuple[int, ...], recipe: object) -> io.BytesIO:
    """The file of a result of so many images of each class."""
    labels = np.repeat(np.arange(len(given)), given)
    about = json.dumps({"class_names": ["class"] * len(given), "recipe": recipe})
    arrays = {"images": np.zeros((len(labels), 1, 8, 8), np.float32), "labels": labels}
    return io.BytesIO(save(arrays, {"stillhouse": about}))


@pytest.mark.parametrize("members", [TENFOLD, PARADOX], ids=["tenfold", "paradox"])
def test_a_larger_set_in_proportion_keeps_those_of_each_class(workshop: Workshop, members: tuple[int, ...]) -> None:
    names = tuple(map(str, range(len(members))))
    facts = replace(DIGITS, classes=len(names), class_names=names, smallest_class=min(members), members=members)
    job = workshop.ledger.job(workshop.submit())
    order = {"dataset": "digits", "method": "dm", "share": "proportional"}
    refused = 0
    for each in range(1, 9):
        given = counts("proportional", each, facts.sizes)

        def wrong(ipc: int, given: tuple[int, ...] = given) -> list[FieldError]:
            request = settle(JobOrder.model_validate(order | {"ipc": ipc}), facts)
            recipe = resolve(request, facts)
            result = _Result.read(tensors(given, recipe.model_dump(mode="json")))
            assert result.counts == given
            return list(_misfits(job, request, recipe, facts, result))

        assert wrong(each) == []
        for ipc in range(each + 1, 12):
            larger = counts("proportional", ipc, facts.sizes)
            errors = wrong(ipc)
            assert (errors == []) == all(more >= fewer for more, fewer in zip(larger, given, strict=True))
            for error in errors:
                refused += 1
                (enough,) = re.findall(r"Set ipc to (\d+)\.", error.fix)
                assert wrong(int(enough)) == []
    assert (refused > 0) == (members is PARADOX)


def test_a_result_without_classes_is_none_to_go_on_from(workshop: Workshop) -> None:
    formula = {"dataset": "multi-index:d=32,r=2", "method": "progressive-two-layer"}
    regression = workshop.job(Status.SUCCEEDED, **formula)
    refused = workshop.client.post("/v1/jobs", json=request(method="dm", continue_from=regression))
    (error,) = refused.json()["errors"]
    assert (refused.status_code, error["field"]) == (422, "continue_from")
    assert "no classes" in error["message"]
    assert "'digits'" in error["fix"]


def test_another_dataset_is_refused_before_the_result_is_read(workshop: Workshop) -> None:
    job_id = workshop.job(Status.SUCCEEDED)
    for file in workshop.ledger.files(job_id):
        workshop.store.delete(file.sha256)
    refused = workshop.client.post("/v1/jobs", json=request(dataset="mnist", method="dm", continue_from=job_id))
    (error,) = refused.json()["errors"]
    assert (error["field"], error["fix"]) == ("continue_from", "Set dataset to 'digits'.")


@pytest.mark.parametrize(("source", "told"), [("multi-index:d=3", "a regression"), ("cells", "holds vectors")])
def test_a_generator_learns_from_a_source_with_classes_of_the_same_kind(
    workshop: Workshop, services: Services, source: str, told: str
) -> None:
    rows, labels = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32), np.arange(60) % 2
    folder = services.settings.datasets
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "cells.npz", x_train=rows, y_train=labels, x_test=rows, y_test=labels)
    asked = request(dataset="cifar10", method="mgdd", overrides={"init.source": source, "network.kind": "mlp"})
    refused = workshop.client.post("/v1/jobs", json=asked)
    (error,) = refused.json()["errors"]
    assert (refused.status_code, error["field"]) == (422, "overrides.init.source")
    assert told in error["message"]
    assert "Name a" in error["fix"]
