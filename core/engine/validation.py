"""Looks at the validation split while distilling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, final

from core.engine import checkpoint, distill, evaluate, stored
from core.engine.context import JobContext, follow
from core.engine.evaluate import Look
from core.engine.state import State
from core.plan import limits
from core.recipe.balance import Measure

METRICS: Final[Mapping[Measure, str]] = {
    "accuracy": "validation_accuracy",
    "balanced": "validation_balanced_accuracy",
}
"""The curve of the looks, by what is measured."""

_STATE, _SCORE = "best.safetensors", "best.json"


@final
class Looks:
    """Looks at the validation split every so many steps; keeps the best state if the recipe selects by it.

    Then a look that falls hopelessly behind the best one is given up: its network's validation accuracy is in the log
    and not in the curve, whose points are all of networks trained to the end. Of stages each has a best state of its
    own, and a look is at the images of those that have begun, in their order.
    """

    def __init__(self, context: JobContext) -> None:
        self._context = context

    def at(self, state: State) -> None:
        """Look, if it is time to.

        Raises:
            Drained: the attempt was told to stop; the look will be taken again.
        """
        recipe = self._context.recipe
        every = recipe.evaluation.look_every
        if every is None or state.step % every:
            return
        context, selects = self._context, recipe.evaluation.select == "best_validation"
        best = self._best(state.stage) if selects else None
        result = distill.finish(recipe, state, context.real, context.ipc)
        seen = follow(
            context,
            evaluate.look(
                context.judging,
                result.images,
                result.supervision(context.real.classes),
                context.real,
                evaluate.on_result(recipe, result),
                context.key.fold("look", state.step),
                limits.RUNGS if selects else (),
                best,
                recipe.evaluation.measure,
            ),
        )
        if seen.given_up and best is not None:
            behind = best.rungs[len(seen.rungs) - 1]
            context.journal.log(
                f"The look at step {state.step} was given up at {seen.accuracy:.1%} on the validation split, where the "
                f"best one so far had {behind:.1%}."
            )
            return
        context.journal.metric(METRICS[recipe.evaluation.measure], state.step, seen.accuracy)
        if selects and (best is None or seen.accuracy > best.accuracy):
            context.workspace.store(_STATE, checkpoint.packed(state, context.run, int(result.real.sum())))
            score = {"accuracy": seen.accuracy, "rungs": seen.rungs, "step": state.step, "stage": state.stage}
            context.workspace.store(_SCORE, stored.written(score))

    def best(self, last: State) -> tuple[State, str]:
        """The best state seen of the stage that ended, and in words that it is."""
        found = checkpoint.load(
            self._context.workspace.checkpoint(_STATE), self._context.run, last.leaves.images.device
        )
        if found is None or found.stage != last.stage:
            return last, "last iterate (no look was taken)"
        return found, f"best of the looks on the validation split: step {found.step}"

    def _best(self, stage: int) -> Look | None:
        score = stored.document(self._context.workspace.checkpoint(_SCORE), None)
        if score is None or score.get("stage", 0) != stage:
            return None
        return Look(score["accuracy"], tuple(score.get("rungs", ())))
