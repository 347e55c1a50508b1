"""The bytes that a set may take: counted as its file has them, turned into an ipc, refused with the least."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from core.artifacts.load import _shares, _unpacked
from core.compact import packed_pixels, rounded, rounded_labels
from core.recipe import Compact, RecipeError, SoftLabels, Targets, Trajectory
from core.request import JobOrder, resolve, settle
from core.weight import bytes_of, weight
from tests.forecast.machines import facts

ASKED: dict[str, Any] = {"dataset": "digits", "method": "random"}


def ipc_of(size: str, **changes: Any) -> int:
    asked = order(size, **changes)
    return settle(asked, facts(asked.dataset)).ipc


def order(size: str, **changes: Any) -> JobOrder:
    return JobOrder.model_validate(ASKED | {"bytes": size} | changes)


@pytest.mark.parametrize("bits", range(1, 9))
def test_pixels_of_few_bits_are_read_back_as_they_were_judged(bits: int) -> None:
    every = np.arange(256, dtype=np.uint8)
    once = rounded(every, bits)
    assert len(np.unique(once)) == 2**bits
    assert np.array_equal(rounded(once, bits), once)
    assert np.abs(once.astype(int) - every).max() <= 128 / (2**bits - 1)
    packed = packed_pixels(once, bits)
    assert packed.nbytes == 32 * bits
    assert np.array_equal(np.rint(_unpacked(packed, bits, (256,)) * (255 / (2**bits - 1))), once)


@pytest.mark.parametrize("fields", [{"label_bits": 4}, {"label_bits": 8, "top": 3}, {"label_bits": 16, "top": 40}])
def test_rounding_soft_labels_again_changes_nothing(fields: dict[str, Any]) -> None:
    storage = Compact(**fields)
    labels = np.random.default_rng(0).dirichlet(np.full(10, 0.3), 50).astype(np.float32)
    once = rounded_labels(labels, storage)
    assert np.array_equal(rounded_labels(once, storage), once)
    assert np.array_equal(once[np.arange(50), labels.argmax(1)], once.max(1)), "the likeliest class stays so"
    assert max(len(np.unique(label)) for label in once) <= storage.shares(10)
    assert np.allclose(once.sum(1), 1)
    if storage.top is None or storage.top >= 10:
        assert np.abs(once - labels).max() < 1 / 2 ** (storage.label_bits - 1)


@pytest.mark.parametrize("top", [1, 3, 8])
def test_the_classes_beyond_the_top_are_together_as_likely_as_they_were(top: int) -> None:
    logits = 9 * np.random.default_rng(0).normal(size=(50, 10))
    powers = np.exp(logits / 20)
    labels = (powers / powers.sum(1, keepdims=True)).astype(np.float32)
    once = rounded_labels(labels, Compact(top=top))
    beyond = np.argsort(-labels, axis=1)[:, top:]
    found, exact = (np.take_along_axis(each, beyond, 1).sum(1) for each in (once, labels))
    assert np.abs(found - exact).max() < 10 / 2**8


def test_labels_of_the_first_version_are_read_as_they_were_meant() -> None:
    """Where classes beyond those that a file names had nothing."""
    places, codes = np.array([[0, 2], [1, 3]], np.uint8), np.array([[255, 51], [85, 255]], np.uint8)
    arrays = {"soft_classes": places, "soft_labels": codes.ravel()}
    found = _shares(arrays, {"schema_version": 1, "label_bits": 8}, 2, 4)
    assert np.allclose(found, [[255 / 306, 0, 51 / 306, 0], [0, 85 / 340, 0, 255 / 340]])


def test_fewer_bits_hold_more_images() -> None:
    every = facts().smallest_class
    assert [ipc_of(f"{kilo} kB") for kilo in (1, 10, 60, 1000)] == [3, 56, every, every]
    asked = settle(order("10 kB"), facts())
    assert asked.overrides == {"storage.kind": "compact", "storage.bits": 2}
    assert settle(order("600 B"), facts()).overrides["storage.bits"] == 1, "two bits hold less than an image a class"
    more = [settle(order(f"{kilo} kB"), facts()).overrides["storage.bits"] for kilo in (60, 1000)]
    assert more == [5, 8], "there are no more images to hold"
    assert ipc_of("10 kB", overrides={"storage.bits": 8}) < ipc_of("10 kB", overrides={"storage.bits": 2})
    assert ipc_of("200 kB", dataset="cifar10", method="idc") == ipc_of("200 kB", dataset="cifar10"), "as tiles"


def test_a_search_among_soft_labels_has_room_for_the_largest_of_them() -> None:
    hard, soft = (
        settle(order("2 MB", dataset="cifar100", method="auto", labels=mode), facts("cifar100"))
        for mode in ("hard", "soft")
    )
    assert "storage.label_bits" not in hard.overrides
    assert soft.overrides["storage.label_bits"] in (4, 8)
    assert soft.ipc < hard.ipc
    shared = resolve(soft, facts("cifar100"))
    taught = shared.model_copy(update={"relabel": SoftLabels()})
    targets = shared.model_copy(update={"labels": Targets(), "objective": Trajectory()})
    assert weight(taught, facts("cifar100"), soft.ipc) <= weight(targets, facts("cifar100"), soft.ipc) <= 2_000_000
    assert weight(targets, facts("cifar100"), soft.ipc + 1) > 2_000_000
    with pytest.raises(RecipeError) as refused:
        settle(order("1 B", dataset="cifar100", method="auto", labels="soft"), facts("cifar100"))
    least = refused.value.errors[0].fix.split("'")[1]
    assert settle(order(least, dataset="cifar100", method="auto", labels="soft"), facts("cifar100")).ipc == 1


def test_labels_and_whitening_take_their_share_and_no_more() -> None:
    views = settle(order("50 kB", dataset="cifar10", method="rded"), facts("cifar10"))
    assert views.overrides["relabel.kind"] == "soft", "labels of views alone would take more"
    many = settle(order("2 MB", dataset="cifar100", method="rded", overrides={"storage.bits": 1}), facts("cifar100"))
    assert many.overrides["storage.label_bits"] == 4, "a hundred shares of 8 bits would take more than a quarter"
    small = settle(order("200 kB", dataset="cifar10", method="mtt"), facts("cifar10"))
    assert small.overrides["preprocess.kind"] == "mean_std", "the whitening matrix alone takes 37 MB"
    large = settle(order("400 MB", dataset="cifar10", method="mtt"), facts("cifar10"))
    assert "preprocess.kind" not in large.overrides
    fixed = order("200 kB", dataset="cifar10", method="mtt", overrides={"preprocess.kind": "zca"})
    with pytest.raises(RecipeError, match="37,76"):
        settle(fixed, facts("cifar10"))


@pytest.mark.parametrize(
    ("method", "name"),
    [
        *(("auto", "digits"), ("datm", "digits"), ("seqmatch", "digits"), ("frepo", "digits")),
        *(("mtt", "cifar10"), ("idc", "cifar10"), ("linear-exact", "cifar10"), ("rded", "cifar100")),
    ],
)
def test_what_a_refusal_names_is_the_least_that_will_do(method: str, name: str) -> None:
    with pytest.raises(RecipeError) as refused:
        settle(order("1 B", dataset=name, method=method), facts(name))
    (error,) = refused.value.errors
    assert error.field == "bytes"
    least = int(error.fix.split("'")[1].removesuffix(" B"))
    with pytest.raises(RecipeError):
        settle(order(f"{least - 1} B", dataset=name, method=method), facts(name))
    for size in (least, 100 * least):
        asked = settle(order(f"{size} B", dataset=name, method=method), facts(name))
        if size == least:
            assert asked.ipc == 1
        with suppress(RecipeError):  # of so many images that the method cannot be followed
            assert weight(resolve(asked, facts(name)), facts(name), asked.ipc) <= size


def test_a_set_of_so_many_bytes_is_compact() -> None:
    with pytest.raises(RecipeError, match="Leave it out"):
        settle(order("10 kB", overrides={"storage.kind": "exact"}), facts())


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("900 B", 900),
        ("200kB", 200_000),
        ("1.005 kB", 1_005),
        ("1.5 MB", 1_500_000),
        ("64 KiB", 65_536),
        ("2 gib", 2**31),
    ],
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
