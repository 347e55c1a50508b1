"""Partial update: the first share of each class moves, the rest stays as it began."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from core.engine import checkpoint, distill, init
from core.engine.keys import Key
from core.engine.real import Real
from core.engine.synthetic import Gradients, Synthetic
from core.recipe import Pixels, Recipe
from tests.engine.conftest import small
from tests.engine.still import states


def by_class(images: Tensor) -> Tensor:
    """The images of two classes, [2, ipc, ...]."""
    return images.unflatten(0, (2, -1))


@pytest.mark.parametrize(
    ("update", "ipc", "optimised"), [(1, 7, 7), (0, 7, 0), (0.5, 3, 1), (0.6, 250, 150), (0.29, 100, 29), (0.1, 9, 0)]
)
def test_the_share_is_cut_off_to_whole_images(update: float, ipc: int, optimised: int) -> None:
    assert Pixels(update=update).optimised(ipc) == optimised
    frozen = init.frozen(Pixels(update=update), (ipc,) * 3).view(3, ipc)
    assert not frozen[:, :optimised].any()
    assert frozen[:, optimised:].all()


@pytest.mark.parametrize(
    "recipe",
    [
        small("mtt", parameterize__update=0.5),
        small("mtt", parameterize__update=0.5, objective__batch_size=3, labels__kind="learnable"),
        small("dm", parameterize__update=0.5),
    ],
    ids=["mtt", "minibatches and labels", "dm"],
)
def test_the_rest_keeps_every_byte(recipe: Recipe, real: Real) -> None:
    first, *_, last = states(recipe, real)
    began, ended = by_class(first.leaves.images), by_class(last.leaves.images)
    assert ended[:, 1:].numpy().tobytes() == began[:, 1:].numpy().tobytes()
    assert (ended[:, :1] != began[:, :1]).flatten(2).any(2).all(), "the others move, in every class"
    logits, from_start = by_class(last.leaves.logits), by_class(first.leaves.logits)
    assert torch.equal(logits[:, 1:], from_start[:, 1:])
    assert torch.equal(logits, from_start) == (recipe.labels.kind == "hard")
    result = distill.finish(recipe, last, real, 2)
    assert result.real.tolist() == [False, True, False, True]


def test_what_stays_is_of_the_training_split_to_the_last_bit_of_a_pixel(real: Real) -> None:
    recipe = small("mtt", parameterize__update=0.5)
    result = distill.finish(recipe, states(recipe, real)[-1], real, 2)
    pixels = real.transform.inverse(result.images[result.real])
    known = {image.numpy().tobytes() for image in real.train.stored}
    assert all(image.numpy().tobytes() in known for image in pixels)


def test_an_update_of_zero_learns_the_step_size_alone(real: Real) -> None:
    """The paper's window without distillation."""
    recipe = small("mtt", parameterize__update=0, step_size__lr=1e-3)
    first, *_, last = states(recipe, real)
    assert torch.equal(first.leaves.images, last.leaves.images)
    assert first.leaves.log_step_size != last.leaves.log_step_size
    result = distill.finish(recipe, last, real, 2)
    assert result.real.all()
    assert result.step_size is not None


def test_students_see_both_parts(real: Real) -> None:
    """The same loss at the first step, whatever the share that will move."""
    losses = [
        states(small("mtt", parameterize__update=update, schedule__steps=1), real)[-1].loss
        for update in (1.0, 0.5, 0.0)
    ]
    assert losses[0] == losses[1] == losses[2]


def test_what_the_rest_would_have_been_cannot_spoil_a_step(real: Real) -> None:
    recipe = small("mtt", parameterize__update=0.5)

    def bad(synthetic: Synthetic, key: Key, step: int) -> tuple[Tensor, Gradients]:
        images = torch.ones_like(synthetic.images)
        images[1::2] = float("nan")
        return torch.tensor(1.0), Gradients(images, None, torch.tensor(0.0))

    last = list(distill.distill(recipe, bad, distill.begin(recipe, real, 2, Key(0)), Key(0)))[-1]
    assert last.rollbacks == 0
    assert last.leaves.images.isfinite().all()


def test_a_selection_is_real_and_a_distilled_set_is_not(real: Real) -> None:
    for method, expected in (("random", True), ("mtt", False)):
        recipe = small(method)
        assert distill.finish(recipe, states(recipe, real)[-1], real, 2).real.tolist() == [expected] * 4


def test_a_checkpoint_says_how_many_are_real(real: Real, tmp_path: Path) -> None:
    state = distill.begin(small("mtt", parameterize__update=0.5), real, 2, Key(0))
    (tmp_path / "state.safetensors").write_bytes(checkpoint.packed(state, "this run", real=2))
    with safe_open(tmp_path / "state.safetensors", framework="pt") as file:
        assert file.metadata()["real"] == "2"
