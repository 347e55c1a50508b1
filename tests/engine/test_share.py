"""Sets of which each class has its share: how many that is, and every method on classes of unequal size."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core import methods
from core.engine import distill
from core.engine.real import Real
from core.recipe import RecipeError
from core.recipe.share import counts
from tests.engine.conftest import small
from tests.engine.still import states

REFUSED = {"ccfs", "cda", "dwa", "fadrm", "lpld", "seqmatch", "seqmatch-idc", "sre2l"}
"""Methods that need as many images of each class: in stages, or in groups that are worked on side by side."""


@pytest.fixture(scope="module")
def unequal(real: Real) -> Real:
    """The toy with a seventh of its zeros: of four images one is a zero."""
    kept = torch.cat([real.members[0][: len(real.members[0]) // 7], real.members[1]]).sort().values
    train = replace(real.train, stored=real.train.stored[kept], labels=real.train.labels[kept])
    return replace(real, train=train, members=tuple((train.labels == c).nonzero().flatten() for c in range(2)))


@pytest.mark.parametrize(
    ("ipc", "members", "expected"),
    [
        (1, (100, 900), (1, 1)),
        (10, (100, 900), (2, 18)),
        (7, (10, 20, 31), (3, 7, 11)),
        (2, (1, 1, 1, 1000), (1, 1, 1, 5)),
        (2, (3, 3, 3), (2, 2, 2)),
        (2, (50, 51, 52), (2, 2, 2)),
    ],
)
def test_classes_have_their_share_of_the_images(ipc: int, members: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert counts("proportional", ipc, members) == expected
    assert counts("equal", ipc, members) == (ipc,) * len(members)


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=30), st.integers(1, 200))
def test_shares_add_up_and_none_is_nothing_or_more_than_there_is(members: list[int], ipc: int) -> None:
    ipc = min(ipc, sum(members) // len(members))
    found = counts("proportional", ipc, members)
    assert sum(found) == ipc * len(members)
    assert all(1 <= count <= size for count, size in zip(found, members, strict=True))
    pairs = sorted(zip(members, found, strict=True))
    assert all(a[1] <= b[1] for a, b in itertools.pairwise(pairs) if a[0] < b[0]), "more for a larger class"


@pytest.mark.parametrize("name", [name for name in methods.names() if name not in REFUSED])
def test_a_method_gives_each_class_its_share(name: str, unequal: Real) -> None:
    taught: dict[str, object] = {"teacher__epochs": 30} if small(name).teacher else {}
    recipe = small(name, share="proportional", **taught)
    *_, last = states(recipe, unequal)
    result, each = distill.finish(recipe, last, unequal, 2), recipe.parameterize.formation
    assert result.labels.tolist() == [0] * each + [1] * 3 * each
    assert result.images.isfinite().all()
    if recipe.objective.keeps_images and not recipe.init.alters_images:
        own = [unequal.train.take(members) for members in unequal.members]
        assert all(
            (image == own[c]).flatten(1).all(1).any() for image, c in zip(result.images, result.labels, strict=True)
        )


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_method_that_cannot_names_those_that_can(name: str) -> None:
    with pytest.raises(RecipeError, match=r"share.*'dm', 'mtt' and 'frepo' take any") as refused:
        small(name, share="proportional")
    (error,) = refused.value.errors
    named = re.findall("'([a-z-]+)'", error.message)
    assert named
    assert set(named) <= set(methods.names()) - REFUSED
    assert "Set share to 'equal'" in error.fix


@pytest.mark.parametrize("name", ["mtt", "dsa", "selmatch"])
def test_losses_of_a_share_that_is_equal_are_those_of_as_many(name: str, real: Real) -> None:
    """Where classes are of one size, both are the same set."""
    alike = replace(real, members=tuple(members[:140] for members in real.members))
    one, other = (states(small(name, share=share), alike) for share in ("equal", "proportional"))
    assert [state.loss for state in one[1:]] == [state.loss for state in other[1:]]
