"""SelMatch is MTT with three choices changed, and each of them does what the paper says."""

from __future__ import annotations

import torch

from core.engine import init
from core.engine.keys import Key
from core.engine.real import Real
from core.recipe import Pixels, Window
from core.recipe import Real as Start
from tests.engine.conftest import small
from tests.engine.still import learned, states


def test_with_everything_updated_from_a_random_start_it_is_mtt_bit_for_bit(real: Real) -> None:
    mtt = small("mtt", objective__batch_size=3)
    shared = {part: getattr(mtt, part) for part in ("network", "objective", "step_size", "schedule", "experts")}
    ours = small("selmatch").model_copy(update=shared | {"init": Start(), "parameterize": Pixels(update=1)})
    assert ours.evaluation != mtt.evaluation, "the rest of what sets it apart"
    for one, other in zip(states(ours, real), states(mtt, real), strict=True):
        assert torch.equal(one.leaves.images, other.leaves.images)
        assert torch.equal(one.leaves.log_step_size, other.leaves.log_step_size)
        assert one.loss == other.loss or one.step == 0


def test_what_stays_real_is_never_easier_than_what_is_updated(real: Real) -> None:
    recipe, ipc = small("selmatch", parameterize__update=0.5, init__score__kind="el2n", init__beta=0.1), 6
    assert isinstance(recipe.init, Window)
    hardness = learned(recipe, real)
    assert hardness is not None
    known = {image.numpy().tobytes(): float(hardness(torch.tensor([i]))) for i, image in enumerate(real.train.stored)}
    images = init.images(recipe.init, real, (ipc, ipc), Key(0), hardness)
    hard = torch.tensor([known[pixels.numpy().tobytes()] for pixels in real.transform.inverse(images)]).view(2, ipc)
    frozen = init.frozen(recipe.parameterize, (ipc, ipc)).view(2, ipc)
    for scores, stays in zip(hard, frozen, strict=True):
        assert int(stays.sum()) == 3
        assert scores[stays].min() >= scores[~stays].max()
        assert scores[stays].mean() > scores[~stays].mean()


def test_the_window_alone_differs_from_selmatch_by_what_was_updated(real: Real) -> None:
    """alpha = 0 is the paper's ablation: the images of the window, to the last bit, whatever the steps."""
    first, *_, last = states(small("selmatch", parameterize__update=0), real)
    selection = small("window").model_copy(
        update={"init": small("selmatch").init, "network": small("selmatch").network}
    )
    alone = states(selection, real)[0]
    assert torch.equal(last.leaves.images, first.leaves.images)
    assert torch.equal(last.leaves.images, alone.leaves.images)
    assert last.leaves.log_step_size != first.leaves.log_step_size


def test_experts_are_not_augmented_and_normalise_by_batch() -> None:
    recipe = small("selmatch")
    assert recipe.experts is not None
    assert not recipe.experts.augment
    assert (recipe.network.norm, recipe.evaluation.policy) == ("batch", "combined")
