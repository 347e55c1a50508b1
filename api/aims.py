"""A target beside what was measured: whether it can be reached, and from which size it is looked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from api.measurements import known
from api.problems import invalid
from api.services import Services
from api.submission import Prepared
from core.advice.measured import Measured
from core.advice.model import Model
from core.advice.order import Question, fingerprint
from core.advice.verdict import answer
from core.forecast.identity import leaves
from core.ledger import Status
from core.plan.build import plan
from core.recipe import FieldError, Recipe
from core.request import JobRequest, Target
from core.worth import Interval

_LOOKED_AT: Final = 100
"""The newest finished jobs on a dataset that may have trained networks on everything."""


def aimed(services: Services, ready: Prepared) -> Prepared:
    """The request, which looks for its size from where stored advice sees it.

    Raises:
        ProblemError: INVALID_REQUEST, the target is an accuracy beyond that of everything there is.
    """
    target, digest = JobRequest.model_validate(ready.request).target, ready.facts.digest
    found = known(services, fingerprint(digest, "hard")) if target and digest else None
    if target is None or found is None:
        return ready
    measured = found[1]
    if error := beyond(target, measured):
        raise invalid([error])
    begin = foreseen(target, measured)
    return replace(ready, request=ready.request | {"ipc": begin}) if begin else ready


def beyond(target: Target, measured: Measured) -> FieldError | None:
    """The error of an accuracy that networks on everything are not to reach; None where they may, or nobody knows."""
    model = Model.of(measured)
    if model is None or model.curve.measured < measured.smallest_class:
        return None
    everything = model.estimate("random", measured.smallest_class)
    if everything is None or target.accuracy <= everything.high:
        return None
    most = int(1000 * everything.low) / 1000
    return FieldError(
        "target.accuracy",
        f"All {measured.smallest_class} images a class reach about {100 * everything.expected:.1f} % "
        f"({100 * everything.low:.1f} to {100 * everything.high:.1f} %), by the advice on this dataset.",
        f"Set target.accuracy to at most {most:g}.",
    )


def check_reference(services: Services, ready: Prepared, fitted: Recipe) -> None:
    """Refuse an accuracy beyond the one of networks on everything that a finished job has trained.

    They are those of the recipe as it would be with all time, or those of the `fitted` one, if it trains them as long.

    Raises:
        ProblemError: INVALID_REQUEST, with the largest target that would do.
    """
    target = JobRequest.model_validate(ready.request).target
    if target is None or not target.accuracy or ready.facts.digest is None:
        return
    whole = ready.recipe
    alike = [whole, *([fitted] if fitted.evaluation.full == whole.evaluation.full else [])]
    marks = {leaves(plan(each, ready.facts, ready.request["ipc"]), ready.facts).reference for each in alike} - {None}
    for job in services.ledger.jobs(Status.SUCCEEDED, ready.facts.name, limit=_LOOKED_AT):
        full = (job.metrics or {}).get("results", {}).get("full")
        if full is None or ((job.forecast or {}).get("leaves") or {}).get("reference") not in marks:
            continue
        measure = "balanced_accuracy" if whole.evaluation.measure == "balanced" else "accuracy"
        mean, deviation = full[f"{measure}_mean"], full.get(f"{measure}_std")
        if deviation is None:  # jobs of old have none of balanced accuracies
            continue
        reached = Interval.over(mean, deviation, full["n_seeds"])
        if reached.reach is not None and target.accuracy > reached.high:
            told = f"Networks on all training images reach {100 * mean:.1f} % ({reached}), by job {job.id}."
            most = int(1000 * reached.low) / 1000
            raise invalid([FieldError("target.accuracy", told, f"Set target.accuracy to at most {most:g}.")])
        return


def foreseen(target: Target, measured: Measured) -> int | None:
    """Images a class that reach the target by the advice, distilled or else real ones; None where it does not say."""
    said = answer(Question(accuracy=target.accuracy or None, gap=target.gap or None), measured)
    real = said.equal.expected if said.equal else None
    sizes = [each for each in (said.ipc, real) if each is not None]
    return min(sizes, default=None)
