"""How much memory and disk a recipe needs. Floats are float32: four bytes.

What a pass over one batch keeps alive is proportional to what the convolutions put out. The factors were measured in
eager mode on a CPU (ConvNet-3 of width 32 to 128, 32x32, batch 64 to 1024; instance norm, which needs the most):
5.1 times for a gradient, 13.7 for the adjoint of a step, 2.3 for a forward pass without gradient.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from core.data.multi_index import CHUNK
from core.plan import limits, packing
from core.plan.build import judged_by
from core.plan.cost import diffusion
from core.plan.cost.geometry import Geometries, Geometry
from core.plan.cost.passes import Kernel, Sizes, Work
from core.plan.cost.regression import solving_bytes
from core.plan.cost.students import path_vectors, stages, student_batch, unrolled_steps
from core.plan.cost.teacher import grouped, label_bytes
from core.plan.steps import Snapshots
from core.recipe import (
    Distribution,
    Embedding,
    Generative,
    Gradient,
    NoObjective,
    Paired,
    Performance,
    Recipe,
    Regression,
    Statistics,
    Trajectory,
    TwoLayer,
)

FLOAT: Final = 4

ALIVE: Final = {"forward": 2.3, "gradient": 5.2, "adjoint": 13.7}
"""Floats alive at once in a kernel, over the floats its convolutions put out."""

_HEADER: Final = 240  # bytes of a stored expert that are neither
_THETA: Final = 80  # bytes of a stored network that are no parameters
_COPIES: Final = 3  # of images being whitened: as floats, centred, multiplied
_VECTORS: Final = 8  # parameter vectors at hand in any step: theta, velocity, gradient, cotangents
_DOUBLES: Final = 4.8  # copies in doubles of one channel that its mean and deviation take, gaps of the heap included
_CHOSEN, _OPTIMISED = 2, 5  # copies of the synthetic images: with their pixels; with gradient, moments and next ones
_PAIRED: Final = 3  # copies of the real images behind them: as they are, augmented, and the synthetic ones' views
_BATCHES: Final = 3  # of images beside a pass: picked, scaled, augmented
_FIXED: Final = 96_000  # bytes of an artifact that holds next to nothing: card, report, loader, training, checksums
_PIXEL_COPIES: Final = 3.2  # uint8 copies of the images in an artifact: bundle, parquet, PNG, preview


class Bytes(NamedTuple):
    """The bytes that a job leaves on disk."""

    experts: int
    """The expert snapshots that segments read, and networks that later stages begin with, in the worker's cache."""
    labels: int
    """The synthetic set's labels, as they are published."""
    artifact: int
    """All files of the artifact, roughly."""


def activation_bytes(kernel: Kernel, network: Geometry, batch: int, networks: int = 1) -> int:
    """Bytes of activations a kernel has alive at once on `batch` images for each of `networks`."""
    return int(ALIVE.get(kernel, 0.0) * FLOAT * networks * batch * network.activations)


def expert_bytes(parameters: int, snapshots: int) -> int:
    """Bytes of a stored trajectory: the first snapshot in 16 bits, each later one as a step in 6, with scales."""
    blocks = -(-parameters // limits.BLOCK)
    return _HEADER + 2 * parameters + (snapshots - 1) * blocks * (limits.BLOCK * 6 // 8 + 2)


def peak_bytes(
    recipe: Recipe,
    network: Geometry,
    sizes: Sizes,
    calls: list[Work],
    free: int = 0,
    compiled: Collection[packing.Batch] = (),
) -> int:
    """The most memory the engine has in use at once, beyond what its process takes before it holds any data.

    What student steps keep is decided as the engine decides it, with `free` bytes that could be taken: of a machine
    that was measured, those that were free while it was idle. 0 stands for not knowing, and then "auto" is taken to
    keep nothing: what the job needs at least.

    Args:
        recipe, network, sizes, calls: the job, and all of its work.
        free: bytes of memory that could be taken.
        compiled: the shapes whose kernels are compiled, which keep less.
    """
    if isinstance(recipe.objective, TwoLayer):
        width, numbers = recipe.objective.width, CHUNK * (2 * network.pixels + 3 * recipe.objective.width)
        return FLOAT * numbers + 8 * (8 * width**2 + 3 * width * network.pixels)
    pixels, images = network.pixels, sizes.train + sizes.validation + sizes.test
    source = images * pixels  # uint8
    if recipe.preprocess.mixes_pixels:  # whitened beforehand, by two matrices that take eight in doubles to find
        matrix = pixels**2
        ready = source + FLOAT * (images * pixels + 2 * matrix)
        preparing = source + max(_COPIES * FLOAT * sizes.train * pixels + 2 * FLOAT * matrix, 8 * 8 * matrix)
    else:
        ready, preparing = source, 2 * source + int(_DOUBLES * 8 * sizes.train * pixels / network.shape[0])
    geometries = Geometries.of(recipe, network.shape, network.classes)
    alive = (
        activation_bytes(call.kernel, own, call.images, call.networks)
        + call.networks * FLOAT * (_BATCHES * call.images * pixels + _VECTORS * own.parameters)
        for call in calls
        if call.calls and (own := geometries.behind(call))
    )
    passes = max(alive, default=0)
    targets = sizes.train * sizes.classes * (8 + FLOAT)  # class indices become probabilities
    judging = passes + max(targets, _features(recipe, network, sizes))
    matching = _trajectories(recipe, geometries, sizes, passes) + _kept(recipe, network, sizes, free, compiled)
    drawing, ready = diffusion.working_bytes(recipe, network), ready + _set(recipe, network, sizes)
    return max(preparing, ready + max(judging, matching, solving_bytes(recipe, network, sizes), drawing))


def stored_bytes(recipe: Recipe, network: Geometry, sizes: Sizes) -> Bytes:
    """The bytes that the job leaves on disk."""
    if isinstance(recipe.objective, TwoLayer):
        labels = FLOAT * recipe.objective.width
        return Bytes(0, labels, _FIXED + 3 * (labels + FLOAT * sizes.synthetic * network.pixels))
    later = recipe.schedule.stages.count - 1
    networks = recipe.experts.count if recipe.experts else recipe.schedule.stages.networks
    experts = later * networks * (_THETA + FLOAT * network.parameters)
    if recipe.objective.reads_experts and recipe.experts is not None:
        each = (expert_bytes(network.parameters, kept) for kept in _snapshots(recipe, sizes))
        experts += recipe.experts.count * sum(each)
    labels = 8 * sizes.synthetic
    if recipe.labels.learned or recipe.regresses:
        labels += FLOAT * sizes.synthetic * sizes.classes
    labels += label_bytes(recipe, sizes)
    pixels = sizes.synthetic * network.pixels
    matrices = 2 * FLOAT * network.pixels**2 if recipe.preprocess.mixes_pixels else 0
    generator = diffusion.published_bytes(recipe, network)
    images = FLOAT * pixels + _PIXEL_COPIES * pixels
    return Bytes(experts, labels, int(_FIXED + labels + images + matrices + generator))


def _set(recipe: Recipe, network: Geometry, sizes: Sizes) -> int:
    """The synthetic images, and where they are optimised their gradient and its moments; candidates for them."""
    copies = _CHOSEN if recipe.objective.keeps_images else _OPTIMISED
    if isinstance(recipe.objective, Generative):
        copies = _CHOSEN + recipe.objective.candidates
    if recipe.objective.pairs_images:
        copies += _PAIRED
    return FLOAT * copies * sizes.synthetic * network.pixels


def _trajectories(recipe: Recipe, geometries: Geometries, sizes: Sizes, passes: int) -> int:
    """Path of a student, or the snapshots of an expert in training and what is written of them, beside one pass."""
    network = geometries.own
    match recipe.objective:
        case Trajectory():
            path, expert = path_vectors(recipe), 2 * max(_snapshots(recipe, sizes))
            return passes + max(path, expert) * network.parameters * FLOAT
        case Performance():
            return passes + path_vectors(recipe) * network.parameters * FLOAT
        case Statistics() as objective:  # a teacher of its own for each group, beside the ascent that moves them
            own = 3 * grouped(objective, sizes)[0] if objective.adjust else 0
            return passes + own * (geometries.teacher or network).parameters * FLOAT
        case Regression() as objective:
            return passes + 2 * objective.pool.networks * 3 * network.parameters * FLOAT
        case Distribution() | Generative() | Gradient() | NoObjective() | Paired() | TwoLayer():
            return passes


def _features(recipe: Recipe, network: Geometry, sizes: Sizes) -> int:
    """Features of a class, once in parts and once together, by which images are selected; and those of the test split,
    with its distances to as many images as are compared at a time."""
    judged = sizes.synthetic if recipe.objective.draws_images else sizes.members
    selecting = 2 * judged * network.features if isinstance(judged_by(recipe), Embedding) else 0
    covering = 2 * sizes.test * (network.features + limits.TESTED) if recipe.evaluation.coverage else 0
    return FLOAT * max(selecting, covering)


def _kept(recipe: Recipe, network: Geometry, sizes: Sizes, free: int, compiled: Collection[packing.Batch]) -> int:
    """The bytes that student steps keep of their forward passes."""
    steps = unrolled_steps(recipe)
    if not steps:
        return 0
    batch = student_batch(recipe, sizes)
    floats = packing.KEPT if (1, batch) in compiled else packing.REMEMBERED
    each, path = int(floats * FLOAT * batch * network.activations), path_vectors(recipe) * network.parameters * FLOAT
    return each * packing.kept_steps(recipe.schedule.memory, steps, path, each, free)


def _snapshots(recipe: Recipe, sizes: Sizes) -> list[int]:
    """The number of snapshots of one expert, stage by stage; only experts of the first stage judge images."""
    found: list[int] = []
    for asked, _ in stages(recipe, sizes):
        assert isinstance(asked, Trajectory), "only trajectories are kept"
        found.append(len(Snapshots.of(asked, None if found else recipe.judging_epoch)))
    return found
