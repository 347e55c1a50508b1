"""Jobs beyond memory: refused with what fits, and never on a guess."""

from __future__ import annotations

import pytest

from core.forecast import Calibration, beyond
from core.forecast.room import MARGIN, needed
from core.recipe import Recipe
from tests.forecast.machines import facts, machine, recipe

RESNET = {"kind": "resnet18", "norm": "batch"}


def with_memory(gib: float) -> Calibration:
    return machine().model_copy(update={"free_bytes": int(gib * 2**30)})


@pytest.mark.parametrize(
    ("asked", "ipc"),
    [
        (recipe("dwa", "cifar10", 400, teacher__network=RESNET), 400),  # a teacher of its own for each slot
        (recipe("mtt", "cifar100", 400, evaluation__full=None), 400),
        (recipe("diffusion", "cifar100", 400, objective__candidates=100), 400),
    ],
    ids=["teachers", "images", "candidates"],
)
def test_the_most_that_fits_is_told_and_fits(asked: Recipe, ipc: int) -> None:
    dataset = facts("cifar10" if asked.teacher else "cifar100")
    least, most = needed(asked, dataset, 1), needed(asked, dataset, ipc)
    room = with_memory((least + most) / 2 / MARGIN / 2**30)
    (error,) = beyond(asked, dataset, ipc, [room])
    assert error.field == "ipc"
    fits = int(error.fix.removeprefix("Set ipc to at most ").rstrip("."))
    assert 1 <= fits < ipc
    assert beyond(asked, dataset, fits, [room]) == []
    assert beyond(asked, dataset, fits + 1, [room])


def test_where_not_even_one_image_fits_something_else_has_to_give() -> None:
    (error,) = beyond(recipe("dm", "cifar10", 1), facts("cifar10"), 1, [with_memory(1e-3)])
    assert (error.field, "smaller network" in error.fix) == ("overrides.network", True)


def test_the_machine_with_the_most_memory_counts_and_ignorance_refuses_nothing() -> None:
    asked, dataset, tight = recipe("dm", "cifar10", 1), facts("cifar10"), with_memory(1e-3)
    assert beyond(asked, dataset, 1, [tight, with_memory(64)]) == []
    assert beyond(asked, dataset, 1, [tight, machine().model_copy(update={"device_bytes": 2**37})]) == []
    assert beyond(asked, dataset, 1, [tight, machine()]) == [], "that one did not look"
    assert beyond(asked, dataset, 1, []) == []
