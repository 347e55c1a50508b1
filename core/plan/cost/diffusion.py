"""The cost of a generator: parameters and arithmetic counted from the recipe, seconds from a machine's rate.

Its training is no kernel of the network that is distilled for, so nothing of it is calibrated: an operation is taken to
cost `_SLOWER` times what it does in the network's forward pass, and a step `_STEP` seconds beside. Both are estimates
from two busy CPU cores; past jobs correct them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from core.plan import limits
from core.plan.cost.geometry import Geometry
from core.plan.cost.passes import Algebra, Work, batches
from core.plan.cost.scale import Scale
from core.plan.steps import DrawSamples, TrainGenerator
from core.recipe import Generative, KlAutoencoder, Recipe

FLOAT = 4
_STEP, _SLOWER = 0.01, 2.0
_ALIVE = 24  # numbers of a token that a block keeps for its gradient, over its width
_VECTORS = 10  # parameter vectors at hand in a step: theta, moments, mean, gradient, the next ones of each


class Made(NamedTuple):
    """A generator, counted: parameters it is trained with, those it is sampled with, operations of one image."""

    trained: int
    sampled: int
    denoising: int
    encoding: int
    decoding: int
    kept: int
    """Numbers that a pass of the denoiser keeps of one image for its gradient."""


def made(wanted: Generative, network: Geometry) -> Made:
    """The generator of a recipe, for images of the network's shape."""
    own, coder = wanted.denoiser, wanted.autoencoder
    (colours, *sides), f, d = network.shape, coder.factor, own.width
    height, width = (-(-side // (f * own.patch)) * own.patch for side in sides)  # of a latent
    channels = coder.channels if isinstance(coder, KlAutoencoder) else colours
    cut, tokens, half = channels * own.patch**2, height * width // own.patch**2 + 2, own.depth // 2
    blocks = own.depth * (12 * d**2 + 10 * d) + half * (2 * d**2 + d)
    rest = cut * d + d + (network.classes + 1) * d + tokens * d + 2 * d + cut * d + cut + 9 * channels**2 + channels
    passes = tokens * (2 * blocks + 4 * cut * d) + 4 * own.depth * tokens**2 * d + 18 * channels**2 * height * width
    encoder, decoder, encoding, decoding = _coder(coder, colours, height * width) if f > 1 else (0, 0, 0, 0)
    denoiser = blocks + rest
    return Made(
        trained=denoiser + encoder + decoder,
        sampled=denoiser + decoder + 2 * channels,
        denoising=passes,
        encoding=encoding,
        decoding=decoding,
        kept=_ALIVE * own.depth * tokens * d,
    )


def trained(step: TrainGenerator, scale: Scale, missing: int) -> Iterator[Algebra]:
    """The training of the denoiser, and of the autoencoder before."""
    wanted = scale.recipe.objective
    assert isinstance(wanted, Generative), "a plan with this step"
    found, own, coder = made(wanted, scale.network), wanted.denoiser, wanted.autoencoder
    steps, operations = own.steps, float(own.steps * own.batch_size * (3 * found.denoising + found.encoding))
    if isinstance(coder, KlAutoencoder):
        steps += coder.steps
        operations += coder.steps * 3 * coder.batch_size * (found.encoding + found.decoding)
    yield Algebra(step.phase, missing * _SLOWER * operations, missing * _STEP * steps)


def drawn(step: DrawSamples, scale: Scale, missing: int) -> Iterator[Work | Algebra]:
    """The samples, and a judge's passes over them; the generator's own passes are not the network's."""
    wanted = scale.recipe.objective
    assert isinstance(wanted, Generative), "a plan with this step"
    found, samples = made(wanted, scale.network), scale.sizes.synthetic * wanted.candidates
    for calls, images in batches(samples if wanted.judge else 0, limits.SAMPLED):
        yield Work(step.phase, "forward", calls, images)
    if wanted.candidates > 1:  # features of those, in each class, that the judge takes for it: half of them at most
        ipc, classes = scale.sizes.synthetic // scale.sizes.classes, scale.sizes.classes
        for calls, images in batches(max(ipc, -(-ipc * wanted.candidates // 2)), limits.SAMPLED):
            yield Work(step.phase, "forward", classes * calls, images)
    asked = wanted.sampler_steps * (2 if wanted.guidance else 1)
    calls = wanted.sampler_steps * -(-samples // limits.SAMPLED)
    operations = _SLOWER * samples * (asked * found.denoising + found.decoding)
    yield Algebra(step.phase, operations, calls * _STEP / 3)


def working_bytes(recipe: Recipe, network: Geometry) -> int:
    """The bytes that training the generator takes, 0 without one."""
    wanted = recipe.objective
    if not isinstance(wanted, Generative):
        return 0
    found = made(wanted, network)
    return FLOAT * (wanted.denoiser.batch_size * found.kept + _VECTORS * found.trained)


def published_bytes(recipe: Recipe, network: Geometry) -> int:
    """The bytes of the generator in an artifact."""
    wanted = recipe.objective
    if not isinstance(wanted, Generative) or not wanted.publish:
        return 0
    return FLOAT * made(wanted, network).sampled


def _coder(coder: object, colours: int, positions: int) -> tuple[int, int, int, int]:
    """Parameters of the autoencoder's halves, and operations of each, for so many positions of a latent."""
    assert isinstance(coder, KlAutoencoder), "one with a factor"
    w, levels = coder.width, coder.factor.bit_length() - 1
    whole, own = positions * coder.factor**2, 18 * w**2
    convolution, block = 9 * w**2 + w, 18 * w**2 + 6 * w
    encoder = (
        9 * colours * w + w + levels * (convolution + block) + 2 * w + 18 * w * coder.channels + 2 * coder.channels
    )
    decoder = 9 * coder.channels * w + w + levels * (block + convolution) + 2 * w + 9 * w * colours + colours
    encoding = 18 * colours * w * whole + 36 * w * coder.channels * positions
    decoding = 18 * coder.channels * w * positions + 18 * colours * w * whole
    for level in range(levels):
        side = positions * 4**level
        encoding += 3 * own * side  # down to it, and a block there
        decoding += 2 * own * side + own * 4 * side  # a block there, and up from it
    return encoder, decoder, encoding, decoding
