"""A generator learns, stops and goes on, and what it draws is judged and chosen among."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch

from core.engine import features
from core.engine.checkpoint import CheckpointMismatch
from core.engine.diffusion import drawing, stored, training
from core.engine.diffusion.drawing import Judge
from core.engine.diffusion.generator import Generator
from core.engine.diffusion.training import Progress
from core.engine.distill import Diverged
from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.networks import build
from core.engine.real import Labelled, Real
from core.recipe import Embedding, Generative, Identity, KlAutoencoder, Network, UVit
from core.recipe.share import equal
from tests.engine.still import result

SHORT = Generative(
    autoencoder=KlAutoencoder(width=4, steps=3, batch_size=4),
    denoiser=UVit(width=8, depth=3, heads=2, steps=3, batch_size=4, warmup=2),
)
LONG = Generative(
    autoencoder=Identity(),
    denoiser=UVit(width=32, depth=3, steps=150, batch_size=16, lr=5e-3, warmup=20),
    sampler_steps=8,
)


def train(wanted: Generative, real: Real, progress: Progress | None = None) -> Iterator[Progress]:
    a = training.architecture(wanted, real.shape, real.classes)
    start = progress or training.begin(wanted, a, Key(4), real.device)
    return training.train(wanted, a, real.train, Key(4), start, mirror=True)


def same(one: Progress, other: Progress) -> bool:
    pairs = [(getattr(one, field.name), getattr(other, field.name)) for field in fields(Progress)]
    return all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in pairs)


@pytest.fixture(scope="module")
def judge(real: Real) -> Judge:
    kernels = Eager(build(Network(width=8, depth=2), real.shape, real.classes))
    work = features.train(Embedding(epochs=3, batch_size=32), kernels, real.train, Key(0))
    return Judge(kernels.network, result(work))


@pytest.fixture(scope="module")
def learned(real: Real) -> tuple[Generator, list[float]]:
    progress = list(train(LONG, real))
    a = training.architecture(LONG, real.shape, real.classes)
    return training.finished(LONG, a, real.train, progress[-1]), [p.loss for p in progress]


def test_a_training_that_goes_on_from_any_step_ends_with_the_same_bits(real: Real, tmp_path: Path) -> None:
    whole = list(train(SHORT, real))
    assert [(p.stage, p.step) for p in whole] == [(s, i) for s in ("autoencoder", "denoiser") for i in (1, 2, 3)]
    assert [training.done(SHORT, p) for p in whole] == [1, 2, 3, 4, 5, 6]
    for stopped in whole[:-1]:
        path = tmp_path / "generator.safetensors"
        path.write_bytes(stored.pack_progress(stopped, "this run"))
        found = stored.read_progress(path, "this run", real.device)
        assert found is not None
        assert same(found, stopped)
        *_, last = train(SHORT, real, found)
        assert same(last, whole[-1])
    with pytest.raises(CheckpointMismatch, match="belongs to run this run"):
        stored.read_progress(path, "another", real.device)


def test_no_class_is_taken_for_none_and_the_share_is_what_was_asked() -> None:
    labels = torch.arange(20_000) % 10
    shown = training.unlabelled(labels, 10, 0.15, Key(0))
    hidden = shown == 10
    assert float(hidden.float().mean()) == pytest.approx(0.15, abs=0.01)
    assert torch.equal(shown[~hidden], labels[~hidden])


def test_a_loss_that_is_not_finite_names_the_rate_to_lower(real: Real) -> None:
    wanted = SHORT.model_copy(update={"autoencoder": Identity()})
    *_, broken = train(wanted, real)
    broken = Progress(**{**vars(broken), "step": 0, "theta": broken.theta * torch.inf})
    with pytest.raises(Diverged, match=r"Lower objective\.denoiser\.lr tenfold"):
        next(train(wanted, real, broken))


def test_the_loss_falls_and_samples_are_of_their_class(
    learned: tuple[Generator, list[float]], judge: Judge, real: Real
) -> None:
    generator, losses = learned
    assert sum(losses[-50:]) / 50 < 0.75 * sum(losses[:5]) / 5
    drawn = result(drawing.draw(generator, equal(20, real.classes), 1.0, Key(7), judge))
    assert drawn.samples == 40
    assert drawn.agreement is not None
    assert drawn.agreement > 0.8


def test_fewer_images_are_the_first_of_more(learned: tuple[Generator, list[float]], real: Real) -> None:
    few, many = (result(drawing.draw(learned[0], equal(n, real.classes), 1.0, Key(7), None)).images for n in (2, 5))
    assert torch.allclose(few, torch.cat([many[:2], many[5:7]]), atol=1e-4)


def test_the_judge_takes_what_it_is_sure_of(learned: tuple[Generator, list[float]], judge: Judge, real: Real) -> None:
    """The generator is told no class, so that half of its samples are of the wrong one."""
    label = learned[0].weights["label"][[2, 2, 2]]  # the token of none for both classes
    blind = replace(learned[0], weights={**learned[0].weights, "label": label}, guidance=0.0)
    drawn = result(drawing.draw(blind, equal(5, real.classes), 1.0, Key(8), judge, candidates=8))
    assert drawn.samples == 80
    assert drawn.agreement is not None
    assert 0.2 < drawn.agreement < 0.8
    chosen = judge.probabilities(drawn.images).argmax(1)
    assert float((chosen == torch.arange(2).repeat_interleave(5)).float().mean()) > drawn.agreement
    assert len(drawn.images.unique(dim=0)) == 10


def test_copies_of_training_images_are_noticed(real: Real) -> None:
    own = real.train.take(torch.arange(20))
    assert drawing.copies(own, real.train) == 1
    assert drawing.copies(own + 0.01 * Key(0).normal(*own.shape), real.train) == 1
    assert drawing.copies(real.validation.take(torch.arange(20)), real.train) < 0.2
    assert drawing.copies(Key(0).normal(20, *real.shape), real.train) == 0


def test_a_batch_is_no_larger_than_the_data(real: Real) -> None:
    few = Labelled(real.train.stored[:3], real.train.labels[:3], real.train.transform)
    a = training.architecture(SHORT, real.shape, real.classes)
    *_, last = training.train(SHORT, a, few, Key(0), training.begin(SHORT, a, Key(0), real.device), mirror=False)
    assert last.theta.isfinite().all()
