"""The generator that a job's initial images pass through: meta-trained and adapted once, and kept for any ipc."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from core.data import Catalogue, DatasetFacts
from core.engine import generating
from core.engine.generating import Training
from core.engine.init import Learned
from core.engine.keys import Key
from core.engine.networks import build
from core.engine.networks.generator import Generator
from core.engine.real import Real, prepare
from core.plan.cache_names import CacheNames
from core.recipe import Generated, Recipe
from core.solvable import sourced
from worker.engine import tensors
from worker.engine.bench import Bench
from worker.engine.cache import Cache


@dataclass(frozen=True)
class Place:
    """Where a generator is trained: the cache it is kept in, a folder for what is half done, and whom to tell."""

    cache: Cache
    half_done: Path
    interval: float
    """Seconds between two checkpoints."""
    log: Callable[[str], None]
    told: Callable[[Training], None]
    """After each step; it raises `Drained` where the attempt was told to stop."""


def learned(bench: Bench, choice: Generated) -> Learned:
    """What the generator adapted to this job's data makes of images [n, C, H, W]."""
    real = bench.real
    generator = Generator(real.shape[0], choice.width)
    ahead = choice.total - choice.steps

    def tell(done: int) -> Callable[[Training], None]:
        def told(state: Training) -> None:
            bench.channel.progress(done + state.step, max(1, choice.total))
            if state.step % 10 == 0:
                bench.channel.metric("generator_loss", done + state.step, state.loss)

        return told

    bench.channel.enter("distilling", max(1, choice.total))
    path = bench.cache.path(bench.names.adapted(choice), _FILE)
    theta = _kept(path, generator, real.device)
    if theta is None:
        start = _start(bench, choice, generator, _place(bench, "meta", tell(0)))
        place, key = _place(bench, "adapted", tell(ahead)), Key(0).fold("adapt")

        def steps(state: Training) -> Iterator[Training]:
            return generating.adapt(choice, generator, bench.network, real, state, key)

        theta = _trained(place, path, start, steps, bench.breathe)
    else:
        bench.channel.log("The generator, adapted to this dataset, was in the cache.")
    bench.channel.progress(max(1, choice.total), max(1, choice.total))
    found = theta
    return lambda images: generating.generate(generator, found, images)


def meta_trained(place: Place, recipe: Recipe, choice: Generated, facts: DatasetFacts, real: Real) -> Tensor:
    """The parameters of a generator that knows subsets of a source's classes: of the cache, or trained now."""
    generator = Generator(real.shape[0], choice.width)
    network = build(recipe.network, real.shape, real.classes)
    path = place.cache.path(CacheNames(recipe, facts.digest, real.shape).meta_trained(choice), _FILE)
    found = _kept(path, generator, real.device)
    if found is not None:
        place.log(f"The generator, meta-trained on subsets of the classes of {facts.label}, was in the cache.")
        return found
    place.log(f"No generator was in the cache: it is meta-trained now, on subsets of the classes of {facts.label}.")
    start, key = _fresh(generator, real.device), Key(0).fold("meta")

    def steps(state: Training) -> Iterator[Training]:
        return generating.meta_train(choice, generator, network, real, state, key)

    return _trained(place, path, start, steps, lambda: None)


_FILE = ".safetensors"
_PARTS = ("theta", "start", "velocity", "squares", "networks")


def _start(bench: Bench, choice: Generated, generator: Generator, place: Place) -> Tensor:
    """What is adapted: the identity, or a meta-trained generator."""
    if choice.meta is None:
        return _fresh(generator, bench.real.device)
    if choice.source is None:
        return meta_trained(place, bench.job.recipe, choice, bench.dataset.facts, bench.real)
    dataset = Catalogue(bench.job.data_dir).load(choice.source)
    sourced(bench.job.recipe, dataset.facts, bench.dataset.facts)  # others may lie there since the job was submitted
    real = prepare(dataset, bench.job.recipe.preprocess, bench.real.device)
    return meta_trained(place, bench.job.recipe, choice, dataset.facts, real)


def _fresh(generator: Generator, device: torch.device) -> Tensor:
    return generator.init(Key(0).fold("generator")).to(device)


def _place(bench: Bench, part: str, told: Callable[[Training], None]) -> Place:
    def tell(state: Training) -> None:
        told(state)
        bench.breathe()

    half_done = bench.folder.checkpoint / f"{part}.safetensors"
    return Place(bench.cache, half_done, bench.job.checkpoint_interval, bench.channel.log, tell)


def _trained(
    place: Place,
    path: Path,
    start: Tensor,
    steps: Callable[[Training], Iterator[Training]],
    breathe: Callable[[], None],
) -> Tensor:
    """The parameters after the last step, kept in the cache; what is half done is kept whenever it stops."""
    state, saved = _half_done(place.half_done, start.device) or generating.begin(start), time.monotonic()
    breathe()
    for moved in steps(state):
        state = moved
        if time.monotonic() - saved >= place.interval:
            _store(place.half_done, state)
            saved = time.monotonic()
        try:
            place.told(state)
        except BaseException:
            _store(place.half_done, state)
            raise
    place.cache.write(path, tensors.packed({"theta": state.theta}), place.log, keep=frozenset({path}))
    place.half_done.unlink(missing_ok=True)
    return state.theta


def _kept(path: Path, generator: Generator, device: torch.device) -> Tensor | None:
    known = tensors.read(path, device)
    return known["theta"] if known and known["theta"].shape == (generator.size,) else None


def _store(path: Path, state: Training) -> None:
    parts = {name: part for name in _PARTS if (part := getattr(state, name)) is not None}
    parts["step"] = torch.tensor(state.step)
    draft = path.with_suffix(".part")
    draft.write_bytes(tensors.packed({name: part.clone() for name, part in parts.items()}))
    draft.replace(path)


def _half_done(path: Path, device: torch.device) -> Training | None:
    known = tensors.read(path, device)
    if not known:
        return None
    theta, start, velocity, squares = (known[name] for name in _PARTS[:-1])
    return Training(int(known["step"]), theta, start, velocity, squares, known.get("networks"))
