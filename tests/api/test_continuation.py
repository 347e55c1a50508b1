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
from core.data import Catalogue
from core.recipe import FieldError
from core.recipe.share import counts
from core.request import JobOrder, resolve, settle
from tests.api.workshop import ON_SQLITE, Workshop

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
