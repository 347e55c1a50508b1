"""Run a recipe on the toy by the engine alone, with experts in a folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from core.engine import distill, experts, sdc, trajectories
from core.engine.distill import Objective, State
from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.networks import build
from core.engine.objectives import distribution, trajectory
from core.engine.real import Real
from core.engine.trajectories import Trajectories
from core.recipe import Distribution, Nothing, Recipe, Trajectory


def objective(recipe: Recipe, real: Real, folder: Path) -> Objective | None:
    """What a recipe asks to match, its experts trained into `folder`."""
    network = build(recipe.network, real.shape, real.classes)
    match recipe.objective:
        case Trajectory() as wanted:
            assert recipe.experts is not None
            needed, stored = experts.window(wanted), []
            keys = [Key(0).fold("expert", index) for index in range(recipe.experts.count)]
            moments = experts.train(
                Eager(network), real.train, real.classes, recipe.experts, recipe.augment, needed.last, keys
            )
            snapshots = [moment.theta for moment in moments if moment.step == 0][needed.first :]
            for index in range(recipe.experts.count):
                path = folder / f"{index}.safetensors"
                path.write_bytes(trajectories.pack([theta[index] for theta in snapshots], needed.first))
                stored.append(trajectories.read(path, needed, real.device))
            assert all(stored)
            return partial(
                trajectory.distance,
                wanted,
                Eager(network),
                recipe.augment,
                Trajectories(stored),
                0,
                difficulty=sdc.difficulty(recipe),
            )
        case Distribution() as wanted:
            return partial(distribution.distance, wanted, network, recipe.augment, real)
        case Nothing():
            return None


def states(recipe: Recipe, real: Real, folder: Path, seed: int = 0, start: State | None = None) -> list[State]:
    """Every state from the start (or a given one) to the end; of a method without steps, the first alone."""
    key = Key(seed).fold("distill")
    first = start or distill.begin(recipe, real, 2, key)
    wanted = objective(recipe, real, folder)
    return [first] if wanted is None else [first, *distill.distill(recipe, wanted, first, key)]
