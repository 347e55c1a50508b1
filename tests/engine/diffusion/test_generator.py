"""The way from noise to images: the process, the solver, guidance, and the code that stands alone."""

from __future__ import annotations

import ast
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from core.engine.diffusion import generator as sampler
from core.engine.diffusion import stored, training
from core.engine.diffusion.generator import Generator, Point, points, signal, solve
from core.engine.keys import Key
from core.engine.real import Real
from core.recipe import Generative, Identity, KlAutoencoder, UVit

TINY = UVit(width=8, depth=3, heads=2, steps=2, batch_size=4, warmup=1)
KINDS = {
    "identity": Generative(autoencoder=Identity(), denoiser=TINY, sampler_steps=3),
    "kl": Generative(autoencoder=KlAutoencoder(width=4, steps=2, batch_size=4), denoiser=TINY, sampler_steps=3),
    "noise": Generative(
        autoencoder=Identity(), denoiser=TINY.model_copy(update={"predicts": "noise"}), sampler_steps=3
    ),
}


def make(real: Real, wanted: Generative) -> Generator:
    a = training.architecture(wanted, real.shape, real.classes)
    *_, last = training.train(wanted, a, real.train, Key(1), training.begin(wanted, a, Key(1), real.device), False)
    return training.finished(wanted, a, real.train, last)


@pytest.fixture(scope="module", params=KINDS)
def generator(request: pytest.FixtureRequest, real: Real) -> Generator:
    return make(real, KINDS[request.param])


def test_noise_takes_the_place_of_the_image() -> None:
    alpha, sigma = signal(torch.linspace(0, 1, 11, dtype=torch.float64))
    assert (alpha.square() + sigma.square()).allclose(torch.ones(11, dtype=torch.float64))
    assert (alpha.diff() < 0).all()
    images = 2 * Key(0).uniform(50_000)
    ends = signal(torch.ones(()))
    assert (ends[0] * images + ends[1] * Key(1).normal(50_000)).var() == pytest.approx(1, rel=0.02)


def test_the_path_is_even_in_the_ratio_of_signal_and_noise() -> None:
    path = points(20)
    assert (path[0].t, path[-1].t) == pytest.approx((1.0, 1e-3))
    gaps = torch.tensor([point.log_snr for point in path]).diff()
    assert gaps.allclose(gaps[:1], rtol=1e-3)
    for point in path:
        assert signal(torch.tensor(point.t, dtype=torch.float64))[0] == pytest.approx(point.alpha)


def of_a_normal(mean: float, std: float) -> tuple[Tensor, dict[int, float]]:
    """1,000 noises sampled by the exact prediction for N(mean, std^2), and the error by number of steps."""
    noise = Key(0).normal(1000).double()

    def clean(z: Tensor, here: Point) -> Tensor:
        gain = here.alpha * std**2 / ((here.alpha * std) ** 2 + here.sigma**2)
        return mean + gain * (z - here.alpha * mean)

    exact = mean + std * (noise - signal(torch.ones(()).double())[0] * mean)
    errors = {n: float((solve(clean, noise, points(n)) - exact).abs().max()) for n in (10, 20, 40, 80)}
    return solve(clean, noise, points(20)), errors


def test_the_solver_leads_noise_to_the_distribution_and_is_of_second_order() -> None:
    """The flow of a normal distribution is known: it moves and scales."""
    found, errors = of_a_normal(0.5, 0.3)
    assert (float(found.mean()), float(found.std())) == pytest.approx((0.5, 0.3), abs=0.03)
    assert errors[20] < 0.02
    assert errors[80] < errors[40] < errors[20] < errors[10]
    assert errors[10] / errors[40] > 8


def test_without_guidance_the_class_alone_decides(generator: Generator) -> None:
    """Bit for bit the conditional sampler: nothing is asked about the class that stands for none."""
    a, noise, labels = generator.architecture, Key(2).normal(3, *generator.architecture.latent), torch.tensor([0, 1, 1])
    unguided = replace(generator, guidance=0.0)
    other = dict(generator.weights) | {"label": generator.weights["label"].clone()}
    other["label"][a.classes] += 1
    assert torch.equal(unguided.sample(labels, noise), replace(unguided, weights=other).sample(labels, noise))
    assert not torch.equal(generator.sample(labels, noise), replace(generator, weights=other).sample(labels, noise))
    assert not torch.equal(unguided.sample(labels, noise), unguided.sample(1 - labels, noise))


def test_images_have_the_shape_of_real_ones_and_stay_within_their_range(generator: Generator, real: Real) -> None:
    images = generator.draw(torch.tensor([0, 1]), seed=0)
    assert images.shape == (2, *real.shape)
    if generator.architecture.factor == 1:
        latents = (images - generator.weights["latent.mean"]) / generator.weights["latent.std"]
        assert latents.abs().max() <= generator.limit * (1 + 1e-5)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 30, 20)])
def test_sides_that_cannot_be_cut_are_padded_and_cut_off_again(shape: tuple[int, int, int]) -> None:
    wanted = Generative(autoencoder=KlAutoencoder(width=4), denoiser=UVit(width=8, depth=1, heads=2))
    a = training.architecture(wanted, shape, 2)
    progress = training.begin(wanted, a, Key(0), torch.device("cpu"))
    p = sampler.unflatten(progress.theta, training.autoencoder.layout(a))
    images = Key(1).normal(2, *shape)
    latents = training.autoencoder.latents(p, a, images)
    assert latents.shape == (2, *a.latent)
    assert sampler.decode(p, a, latents).shape == images.shape


def test_classes_and_images_of_another_dataset_are_refused(generator: Generator) -> None:
    a = generator.architecture
    with pytest.raises(ValueError, match=f"knows {a.classes} classes"):  # that label stands for no class at all
        generator.draw(torch.tensor([0, a.classes]), seed=0)
    assert sampler.foreign(a, a.classes, a.image) is None
    for classes, image in ((a.classes + 1, a.image), (a.classes, (a.image[0], 5, 5))):
        assert "keep the files of an artifact together" in str(sampler.foreign(a, classes, image))


def test_a_stored_generator_is_the_same(generator: Generator, tmp_path: Path) -> None:
    (tmp_path / "generator.safetensors").write_bytes(stored.packed(generator))
    again = sampler.load(tmp_path)
    assert again.architecture == generator.architecture
    assert torch.equal(again.draw(torch.tensor([0, 1]), 5), generator.draw(torch.tensor([0, 1]), 5))


def test_the_code_that_samples_stands_alone() -> None:
    """It is handed over with the weights: nothing of the project is there then, but `load.py`."""
    tree = ast.parse(Path(sampler.__file__).read_text("utf-8"))
    modules = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    needed = {str(module).split(".")[0] for module in modules} - set(sys.stdlib_module_names)
    assert needed == {"torch", "numpy", "safetensors", "load"}
