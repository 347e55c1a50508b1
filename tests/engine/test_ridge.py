"""Ridge regression on features: what a set gives back, and how little it takes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from core.engine import distill, ridge
from core.engine.keys import Key
from core.engine.meta_generator import error
from core.engine.networks import build
from core.engine.real import Real
from tests.engine.conftest import small

KEY = Key(31)


def known(n: int = 200, p: int = 12, classes: int = 4) -> tuple[Tensor, Tensor]:
    """Features and centred targets that depend on them."""
    features = KEY.fold("features").normal(n, p).double() + 1
    answers = features @ KEY.fold("truth").normal(p, classes).double() + KEY.fold("noise").normal(n, classes)
    return features, ridge.centred(torch.nn.functional.one_hot(answers.argmax(1), classes).double())


@pytest.mark.parametrize("m", [4, 7, 30])
def test_a_spanning_set_returns_the_classifier(m: int) -> None:
    """From one point a class to more points than features."""
    pair = known()
    w = ridge.classifier([pair], 1e-3)
    own = ridge.spanning(KEY.fold("own").normal(m, 12), w)
    targets = ridge.solve(own, [pair], 1e-3)
    assert (ridge.weights(own, targets) - w).abs().max() < 1e-6
    assert w.abs().max() > 0.01


def test_what_spans_already_is_left_as_it_is() -> None:
    w = ridge.classifier([known()], 1e-3)
    own = KEY.fold("own").normal(30, 12).double()
    assert torch.allclose(ridge.spanning(own, w), own, atol=1e-9)


def test_the_change_is_no_larger_than_the_part_outside_the_span() -> None:
    w = ridge.classifier([known()], 1e-3)
    own = KEY.fold("own").normal(5, 12).double()
    basis = torch.linalg.qr(w[:, :3])[0]  # centred targets of four classes: three directions
    outside = own - own @ basis @ basis.T
    assert 0 < (ridge.spanning(own, w) - own).norm() < outside.norm()


@pytest.mark.parametrize("classes", [2, 3])
def test_linear_exact_returns_the_full_set_s_classifier(classes: int, real: Real) -> None:
    """From the images and targets as they are published, in float32."""
    recipe = small("linear-exact")
    result = distill.finish(recipe, distill.begin(recipe, real, classes, Key(3)), real, classes)
    assert result.targets is not None
    assert not result.real.any()
    w = ridge.classifier(ridge.pairs(ridge.PIXELS, real.train, real.classes), 1e-2)
    assert (ridge.weights(ridge.PIXELS(result.images), result.targets) - w).abs().max() < 1e-6


def test_solved_targets_are_the_best_in_the_span() -> None:
    """No other classifier of the span has a smaller penalised error; the pieces of the data do not matter."""
    features, answers = known()
    own = KEY.fold("own").normal(5, 12).double()
    targets = ridge.solve(own, [(features[:70], answers[:70]), (features[70:], answers[70:])], 0.1)
    found = ridge.weights(own, targets)
    lam = 0.1 * features.square().sum() / 12

    def objective(w: Tensor) -> float:
        return float((features @ w - answers).square().sum() + lam * w.square().sum())

    for i in range(5):
        other = own.T @ KEY.fold("other", i).normal(5, 4).double()
        assert objective(found + 1e-3 * other) > objective(found)
        assert objective(found - 1e-3 * other) > objective(found)


def test_a_generator_s_error_is_that_of_the_solved_labels() -> None:
    features, answers = known()
    own = KEY.fold("own").normal(5, 12).double()
    scored = error(own, features[:150], answers[:150], features[150:], answers[150:], 0.1)
    w = ridge.weights(own, ridge.solve(own, [(features[:150], answers[:150])], 0.1))
    expected = (features[150:] @ w - answers[150:]).square().sum(1).mean() / 2
    assert float(scored.error) == pytest.approx(float(expected), rel=1e-2)
    assert scored.targets.shape == (5, 4)


def test_labels_solved_for_networks_suit_each_of_them_better_than_classes_do(real: Real) -> None:
    """Together, on the real images they were solved for; and a high price keeps them at their classes."""
    recipe = small("random", labels__kind="solved", labels__networks=3)
    network, key = build(recipe.network, real.shape, real.classes), Key(0)
    first = distill.begin(recipe, real, 3, Key(3))
    result = distill.finish(recipe, first, real, 3)
    assert result.targets is not None
    hot = ridge.centred(replace(result, targets=None).supervision(real.classes))

    def judged(targets: Tensor) -> float:
        total = 0.0
        for i in range(3):
            seen = ridge.of_networks(network, [key.fold("targets", i)], real.device)
            w = ridge.weights(seen(result.images), targets)
            total += sum(float((f @ w - y).square().sum()) for f, y in ridge.pairs(seen, real.train, real.classes))
        return total

    assert judged(result.targets) < judged(hot)
    dear = distill.finish(small("random", labels__kind="solved", labels__ridge=1e3), first, real, 3)
    assert dear.targets is not None
    assert torch.allclose(dear.targets, hot, atol=0.01)
