"""Looks at the validation split while distilling."""

from __future__ import annotations

from typing import final

from core.engine import distill, evaluate
from core.engine.checkpoint import load as load_state
from core.engine.checkpoint import save as save_state
from core.engine.distill import State
from core.engine.evaluate import Look
from worker.engine import keep
from worker.engine.bench import Bench
from worker.engine.follow import follow


@final
class Looks:
    """Looks at the validation split every so many steps; keeps the best state if the recipe selects by it.

    Then a look that falls hopelessly behind the best one is given up: its network's validation accuracy is in the log
    and not in the curve, whose points are all of networks trained to the end. Of stages each has a best state of its
    own, and a look is at the images of those that have begun, in their order.
    """

    def __init__(self, bench: Bench, run_name: str) -> None:
        self._bench = bench
        self._run = run_name
        self._state = bench.folder.checkpoint / "best.safetensors"
        self._score = bench.folder.checkpoint / "best.json"

    def at(self, state: State) -> None:
        """Look, if it is time to.

        Raises:
            Drained: the attempt was told to stop; the look will be taken again.
        """
        recipe = self._bench.job.recipe
        every = recipe.evaluation.look_every
        if every is None or state.step % every:
            return
        bench, selects = self._bench, recipe.evaluation.select == "best_validation"
        best = self._best(state.stage) if selects else None
        result = distill.finish(recipe, state, bench.real, bench.job.request.ipc)
        seen = follow(
            bench,
            evaluate.look(
                bench.judging,
                result.images,
                result.supervision(bench.real.classes),
                bench.real,
                evaluate.on_result(recipe, result),
                bench.key.fold("look", state.step),
                evaluate.RUNGS if selects else (),
                best,
            ),
        )
        if seen.given_up and best is not None:
            behind = best.rungs[len(seen.rungs) - 1]
            bench.channel.log(
                f"The look at step {state.step} was given up at {seen.accuracy:.1%} on the validation split, where the "
                f"best one so far had {behind:.1%}."
            )
            return
        bench.channel.metric("validation_accuracy", state.step, seen.accuracy)
        if selects and (best is None or seen.accuracy > best.accuracy):
            save_state(self._state, state, self._run, int(result.real.sum()))
            score = {"accuracy": seen.accuracy, "rungs": seen.rungs, "step": state.step, "stage": state.stage}
            keep.write(self._score, score)

    def best(self, last: State) -> tuple[State, str]:
        """The best state seen of the stage that ended, and in words that it is."""
        found = load_state(self._state, self._run, last.leaves.images.device)
        if found is None or found.stage != last.stage:
            return last, "last iterate (no look was taken)"
        return found, f"best of the looks on the validation split: step {found.step}"

    def _best(self, stage: int) -> Look | None:
        score = keep.read(self._score, None)
        if score is None or score.get("stage", 0) != stage:
            return None
        return Look(score["accuracy"], tuple(score.get("rungs", ())))
