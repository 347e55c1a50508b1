"""The cost of a generator: counted exactly, cheaper the second time."""

from __future__ import annotations

import math

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from core.engine.diffusion import autoencoder, training
from core.engine.diffusion.generator import BATCH, decode, decoder_layout, denoise, denoiser_layout
from core.methods import Task, method
from core.overrides import override
from core.plan import limits
from core.plan.cost.diffusion import drawn, made, trained
from core.plan.cost.geometry import geometry
from core.plan.cost.passes import Algebra, Sizes
from core.plan.cost.scale import Scale
from core.plan.steps import DrawSamples, Kept, TrainGenerator
from core.recipe import Generative, Identity, KlAutoencoder, Network, UVit

DIGITS = Task("digits", 10, (1, 8, 8), 10, mirror=False)
SIZES = Sizes(1000, 100, 100, 10, 100)
WANTED = {
    "identity": Generative(autoencoder=Identity(), denoiser=UVit(width=64, depth=5)),
    "kl 2": Generative(autoencoder=KlAutoencoder(factor=2, width=16), denoiser=UVit(width=32, depth=3)),
    "kl 4": Generative(),
}


def operations(compute: object, *arguments: object) -> int:
    assert callable(compute)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        compute(*arguments)
    return counter.get_total_flops()


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (1, 28, 28)])
@pytest.mark.parametrize("name", WANTED)
def test_parameters_and_operations_are_the_engines(name: str, shape: tuple[int, int, int]) -> None:
    wanted = WANTED[name]
    a = training.architecture(wanted, shape, 10)
    found = made(wanted, geometry(Network(), shape, 10))
    layouts = denoiser_layout(a), autoencoder.layout(a), decoder_layout(a)
    own, both, half = (sum(map(math.prod, layout.values())) for layout in layouts)
    assert limits.SAMPLED == BATCH  # which is part of an artifact, that imports nothing of ours
    assert (found.trained, found.sampled) == (own + both, own + half + 2 * a.channels)
    p = {name: torch.zeros(shape) for layout in layouts for name, shape in layout.items()}
    z, t, y = torch.zeros(1, *a.latent), torch.ones(1), torch.zeros(1, dtype=torch.long)
    assert operations(denoise, p, a, z, t, y) == pytest.approx(found.denoising, rel=0.05)
    if a.factor > 1:
        assert operations(autoencoder.encode, p, a, torch.zeros(1, *shape)) == found.encoding
        assert operations(decode, p, a, z) == found.decoding


def test_what_costs_more_is_priced_higher() -> None:
    recipe, network = (
        method("diffusion").recipe(DIGITS),
        geometry(Network(), (1, 8, 8), 10),
    )

    def price(there: bool = False, **changes: object) -> tuple[float, float]:
        changed = override(recipe, {f"objective.{path.replace('__', '.')}": v for path, v in changes.items()})
        scale = Scale(changed, SIZES, network, lambda _: 1)
        training = trained(TrainGenerator(Kept.one({})), scale, int(not there))
        parts = [training, (item for item in drawn(DrawSamples(), scale, 1) if isinstance(item, Algebra))]
        first, second = (sum(item.seconds + 1e-10 * item.operations for item in part) for part in parts)
        return first, second

    training_, drawing = price()
    assert price(denoiser__steps=3000)[0] == pytest.approx(2 * training_)
    assert price(candidates=3)[1] == pytest.approx(3 * drawing, rel=0.01)
    assert price(guidance=0)[1] < 0.7 * drawing
    assert price(there=True) == (0.0, drawing)
