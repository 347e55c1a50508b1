"""The generator that a job's initial images pass through: meta-trained and adapted once, and kept for any ipc."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from core.data import DatasetFacts
from core.engine import meta_generator, stored
from core.engine.context import JobContext
from core.engine.init import Learned
from core.engine.keys import Key
from core.engine.meta_generator import Training
from core.engine.networks import build
from core.engine.networks.generator import Generator
from core.engine.real import Real
from core.engine.stored import Source
from core.engine.whitened import real_data
from core.engine.workspace import Workspace
from core.plan.cache_names import CacheNames, file_name
from core.plan.steps import AdaptGenerator
from core.recipe import Generated, Recipe


@dataclass(frozen=True)
class Place:
    """The place of a generator's training: the workspace it is kept in, and a listener."""

    workspace: Workspace
    told: Callable[[Training], None]
    """After each step; it raises `Drained` where the attempt was told to stop."""


def meta_trained_of(context: JobContext) -> Tensor:
    """The parameters of a meta-trained generator, for this job: of the cache, or trained now on the recipe's source."""
    choice = _choice(context)
    place = _place(context, choice, 0)
    if choice.source is None:
        return meta_trained(place, context.recipe, choice, context.dataset.facts, context.real)
    dataset = context.load(choice.source)
    real = real_data(dataset, context.recipe.preprocess, context.real.device, context.workspace)
    return meta_trained(place, context.recipe, choice, dataset.facts, real)


def is_there(context: JobContext, step: AdaptGenerator) -> bool:
    """Whether the cache holds the adapted generator, so that what it is adapted from is not needed."""
    return _found(context, step) is not None


def adapted(context: JobContext, step: AdaptGenerator, start: Tensor | None) -> Learned:
    """The generator adapted to this job's data, as a function of images [n, C, H, W].

    It goes on from `start`, the parameters of a meta-trained one, if they were needed when this began.
    """
    choice, real = _choice(context), context.real
    generator, total = Generator(real.shape[0], choice.width), max(1, choice.total)
    theta = _found(context, step)
    _enter(context, choice)
    if theta is None:
        if start is None:
            start = _fresh(generator, real.device) if choice.meta is None else meta_trained_of(context)
        place, key = _place(context, choice, choice.total - choice.steps), Key(0).fold("adapt")

        def steps(state: Training) -> Iterator[Training]:
            return meta_generator.adapt(choice, generator, context.network, real, state, key)

        theta = _trained(place, step.kept.files[0], start, steps, context.raise_if_draining)
    else:
        context.journal.log("The generator, adapted to this dataset, was in the cache.")
    context.journal.progress(total, total)
    found = theta
    return lambda images: meta_generator.generate(generator, found, images)


def meta_trained(place: Place, recipe: Recipe, choice: Generated, facts: DatasetFacts, real: Real) -> Tensor:
    """The parameters of a generator that knows subsets of a source's classes: of the cache, or trained now."""
    generator = Generator(real.shape[0], choice.width)
    network = build(recipe.network, real.shape, real.classes)
    name = file_name(CacheNames(recipe, facts.digest, real.shape).meta_trained(choice), _FILE)
    found = _kept(place.workspace.find(name), generator, real.device)
    if found is not None:
        place.workspace.journal.log(
            f"The generator, meta-trained on subsets of the classes of {facts.label}, was in the cache."
        )
        return found
    place.workspace.journal.log(
        f"No generator was in the cache: it is meta-trained now, on subsets of the classes of {facts.label}."
    )
    start, key = _fresh(generator, real.device), Key(0).fold("meta")

    def steps(state: Training) -> Iterator[Training]:
        return meta_generator.meta_train(choice, generator, network, real, state, key)

    return _trained(place, name, start, steps, lambda: None)


_FILE = ".safetensors"
_PARTS = ("theta", "start", "velocity", "squares", "networks")


def _fresh(generator: Generator, device: torch.device) -> Tensor:
    return generator.init(Key(0).fold("generator")).to(device)


def _choice(context: JobContext) -> Generated:
    choice = context.recipe.init
    assert isinstance(choice, Generated), "a plan with this step"
    return choice


def _found(context: JobContext, step: AdaptGenerator) -> Tensor | None:
    generator = Generator(context.real.shape[0], _choice(context).width)
    return _kept(context.workspace.find(step.kept.files[0]), generator, context.real.device)


def _enter(context: JobContext, choice: Generated) -> None:
    """Begin the phase, unless the generator was meta-trained in it just now."""
    if context.journal.phase != "distilling":
        context.journal.enter("distilling", max(1, choice.total))


def _place(context: JobContext, choice: Generated, done: int) -> Place:
    """The job's workspace, told how far a training is that begins after so many steps."""
    _enter(context, choice)

    def tell(state: Training) -> None:
        context.journal.progress(done + state.step, max(1, choice.total))
        if state.step % 10 == 0:
            context.journal.metric("generator_loss", done + state.step, state.loss)
        context.raise_if_draining()

    return Place(context.workspace, tell)


def _trained(
    place: Place,
    name: str,
    start: Tensor,
    steps: Callable[[Training], Iterator[Training]],
    raise_if_draining: Callable[[], None],
) -> Tensor:
    """The parameters after the last step, kept in the cache; what is half done is kept whenever it stops.

    It is kept by the same name in the checkpoint, so that no other training goes on from it.
    """
    workspace = place.workspace
    state, saved = (
        _half_done(workspace.checkpoint(name), start.device) or meta_generator.begin(start),
        time.monotonic(),
    )
    raise_if_draining()
    for moved in steps(state):
        state = moved
        if time.monotonic() - saved >= workspace.interval:
            workspace.store(name, _packed(state))
            saved = time.monotonic()
        try:
            place.told(state)
        except BaseException:
            workspace.store(name, _packed(state))
            raise
    workspace.keep(name, stored.packed({"theta": state.theta}))
    workspace.drop(name)
    return state.theta


def _kept(source: Source | None, generator: Generator, device: torch.device) -> Tensor | None:
    known = stored.read(source, device)
    return known["theta"] if known and known["theta"].shape == (generator.size,) else None


def _packed(state: Training) -> bytes:
    parts = {name: part for name in _PARTS if (part := getattr(state, name)) is not None}
    parts["step"] = torch.tensor(state.step)
    return stored.packed({name: part.clone() for name, part in parts.items()})


def _half_done(source: Source | None, device: torch.device) -> Training | None:
    known = stored.read(source, device)
    if not known:
        return None
    theta, start, velocity, squares = (known[name] for name in _PARTS[:-1])
    return Training(int(known["step"]), theta, start, velocity, squares, known.get("networks"))
