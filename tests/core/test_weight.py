"""The bytes that a set may take: counted as its file has them, turned into an ipc, refused with the least."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.artifacts.arrays import write_bundle
from core.recipe import Recipe, RecipeError
from core.request import JobOrder, settle
from core.weight import bytes_of, weight
from tests.artifacts.results import digits, result
from tests.forecast.machines import facts

ASKED: dict[str, Any] = {"dataset": "digits", "method": "random"}


def ipc_of(size: str, **changes: Any) -> int:
    order = JobOrder.model_validate(ASKED | {"bytes": size} | changes)
    return settle(order, facts(order.dataset)).ipc


@pytest.mark.parametrize(
    ("ipc", "changes"),
    [
        (1, {}),
        (10, {}),
        (3, {"method": "random"}),
        (4, {"update": 0.5}),
        (3, {"soft": True, "labels__kind": "learnable"}),
    ],
)
def test_a_bundle_weighs_what_was_counted(ipc: int, changes: dict[str, Any], tmp_path: Path) -> None:
    made = result(ipc, **changes)
    write_bundle(tmp_path / "dataset.npz", made)
    real = (tmp_path / "dataset.npz").stat().st_size
    counted = weight(Recipe.model_validate(made.recipe), digits().facts, ipc)
    assert real <= counted < real + 1000


def test_bytes_are_the_most_images_that_fit() -> None:
    one = 64 + 8  # a digit and its class
    least = 10 * one + 4 * 10 + 1200
    assert [ipc_of(f"{least + extra} B") for extra in (0, 10 * one - 1, 10 * one, 1000)] == [1, 1, 2, 2]
    assert ipc_of("1 GB") == facts().smallest_class
    assert ipc_of("100 kB", dataset="cifar10") == 3
    assert ipc_of("130 kB", dataset="cifar10", method="idc") == 1, "an image of four tiles is kept as four"
    soft = ipc_of("1 MB", dataset="cifar100", method="rded", overrides={"relabel.kind": "soft"})
    assert soft < ipc_of("1 MB", dataset="cifar100")
    search = {"dataset": "cifar100", "method": "auto"}
    assert ipc_of("1 MB", **search, labels="soft") == soft < ipc_of("1 MB", **search), "it may choose soft labels"


def test_fewer_bytes_than_an_image_per_class_are_refused_with_the_least_that_will_do() -> None:
    with pytest.raises(RecipeError) as refused:
        ipc_of("1 kB")
    (error,) = refused.value.errors
    assert error.field == "bytes"
    assert ipc_of(error.fix.split("'")[1]) == 1


@pytest.mark.parametrize(
    ("text", "size"), [("900 B", 900), ("200kB", 200_000), ("1.5 MB", 1_500_000), ("64 KiB", 65_536), ("2 gib", 2**31)]
)
def test_a_size_has_a_number_and_a_unit(text: str, size: int) -> None:
    assert bytes_of(text) == size


@pytest.mark.parametrize("size", ["", "200", "kB", "-1 kB", "1e3 B", "1 iB", 200_000, None])
def test_what_is_no_size_is_refused(size: object) -> None:
    with pytest.raises(ValueError, match=r"bytes|valid"):
        JobOrder.model_validate(ASKED | {"bytes": size})


def test_how_small_is_still_said_once() -> None:
    for other in ({"ipc": 1}, {"ratio": 0.1}):
        with pytest.raises(ValueError, match="Leave one of them out"):
            JobOrder.model_validate(ASKED | {"bytes": "1 MB"} | other)
