"""What is chosen of a class, and in which order it lies."""

from __future__ import annotations

import pytest
import torch

from core.engine import init, selection
from core.engine.keys import Key
from core.engine.real import Real
from core.recipe import Ranked, Window


@pytest.mark.parametrize(
    ("wanted", "ranks"),
    [
        (Ranked(), [0, 3]),
        (Window(beta=0.0), [0, 3]),
        (Window(beta=0.5), [50, 53]),
        (Window(beta=0.29), [29, 32]),  # 0.29 * 100 is a little less than 29
        (Window(beta=0.97), [97, 100]),
        (Window(beta=0.5, of="ipc"), [1, 4]),
        (Window(beta=0.99, of="ipc"), [2, 5]),
    ],
)
def test_a_window_skips_the_hardest_and_begins_with_its_easiest(
    real: Real, wanted: Ranked | Window, ranks: list[int]
) -> None:
    """A hundred images of each class; difficulties are distinct, so that the key has nothing to say."""
    classes = tuple(members[:100] for members in real.members)
    hundred = Real(**{**vars(real), "members": classes})
    difficulty = Key(0).uniform(len(real.train))
    found = init.images(wanted, hundred, 3, Key(1), lambda index: difficulty[index])
    for c, members in enumerate(classes):
        hard_to_easy = members[difficulty[members].argsort(descending=True)]
        expected = hard_to_easy[slice(*ranks)].flip(0)
        assert torch.equal(found[3 * c : 3 * c + 3], real.train.take(expected))


def test_images_equally_hard_are_drawn_by_the_key() -> None:
    counts = torch.tensor([0.0, 0.0, 2.0, 0.0, 1.0, 0.0])
    draws = {tuple(selection.window(counts, 1, 3, Key(seed)).tolist()) for seed in range(20)}
    assert {draw[-1] for draw in draws} == {4}, "the second hardest lies last"
    assert len({draw[0] for draw in draws}) == 4
    assert torch.equal(selection.window(counts, 1, 3, Key(7)), selection.window(counts, 1, 3, Key(7)))
