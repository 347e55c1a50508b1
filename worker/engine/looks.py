"""Looks at the validation split while distilling."""

from __future__ import annotations

from typing import final

from core.engine import distill, evaluate
from core.engine.checkpoint import load as load_state
from core.engine.checkpoint import save as save_state
from core.engine.distill import State
from worker.engine import keep
from worker.engine.bench import Bench


@final
class Looks:
    """Looks at the validation split every so many steps; keeps the best state if the recipe selects by it."""

    def __init__(self, bench: Bench, run_name: str) -> None:
        self._bench = bench
        self._run = run_name
        self._state = bench.folder.checkpoint / "best.safetensors"
        self._score = bench.folder.checkpoint / "best.json"

    def at(self, state: State) -> None:
        """Look, if it is time to."""
        recipe = self._bench.job.recipe
        every = recipe.evaluation.look_every
        if every is None or state.step % every:
            return
        bench = self._bench
        result = distill.finish(recipe, state, bench.real, bench.job.request.ipc)
        rate = recipe.evaluation.lr or result.step_size
        assert rate is not None, "an objective that learns no step size comes with evaluation.lr"
        accuracy = evaluate.look(
            bench.kernels,
            result.images,
            distill.probabilities(recipe, state.leaves),
            bench.real,
            evaluate.on_synthetic(recipe.evaluation, recipe.augment, rate),
            bench.key.fold("look", state.step),
        )
        bench.channel.metric("validation_accuracy", state.step, accuracy)
        best = keep.read(self._score, {"accuracy": -1.0})
        if recipe.evaluation.select == "best_validation" and accuracy > best["accuracy"]:
            save_state(self._state, state, self._run)
            keep.write(self._score, {"accuracy": accuracy, "step": state.step})

    def best(self, last: State) -> tuple[State, str]:
        """The best state seen, and in words that it is."""
        found = load_state(self._state, self._run, last.leaves.images.device)
        if found is None:
            return last, "last iterate (no look was taken)"
        return found, f"best of the looks on the validation split: step {found.step}"
