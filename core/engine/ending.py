"""A job that ends early: where its loop was left, kept in the checkpoint, and the report's entry on it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from core.engine import stored
from core.engine.context import JobContext
from core.report import Ended

COVERAGE: Final = "the coverage of the test images"
"""An analysis that there may be no time for."""

_FILE = "ended.json"


def note(context: JobContext, step: int, steps: int) -> None:
    """Keep that the loop ended after a step, be it one beyond the recipe's: an attempt that follows does not go on."""
    why = context.workspace.ending()
    context.workspace.store(_FILE, stored.written({"step": step, "steps": steps, "why": why}))
    if step < steps:
        context.journal.log(f"Distilling ends at outer step {step} of {steps}. {why}")


def early(context: JobContext) -> bool:
    """Whether the loop ended before its last step, in this attempt or in an earlier one."""
    return context.workspace.checkpoint(_FILE) is not None


def judged(context: JobContext) -> JobContext:
    """The job with as many networks to judge its result as there is time for."""
    evaluation = context.recipe.evaluation
    seeds = context.workspace.networks(evaluation.seeds)
    if seeds >= evaluation.seeds:
        return context
    context.journal.log(f"There is time for {seeds} networks a line, not {evaluation.seeds}.", level="warning")
    fewer = evaluation.model_copy(update={"seeds": seeds})
    return replace(context, recipe=context.recipe.model_copy(update={"evaluation": fewer}))


def entry(context: JobContext, left_out: tuple[str, ...]) -> Ended | None:
    """The report's entry, with the analyses that were left out; None of a job that did all it was to do."""
    steps = context.recipe.schedule.total_steps
    whole = {"step": steps, "steps": steps, "why": context.workspace.ending()} if left_out else None
    document = stored.document(context.workspace.checkpoint(_FILE), whole)
    if document is not None and document["step"] >= document["steps"]:  # it went on while there was time
        document = whole
    return None if document is None else Ended.model_validate(document | {"left_out": left_out})
