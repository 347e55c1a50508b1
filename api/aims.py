"""A target beside what advice has measured: whether it can be reached, and from which size it is looked for."""

from __future__ import annotations

from dataclasses import replace

from api.measurements import known
from api.problems import invalid
from api.services import Services
from api.submission import Prepared
from core.advice.measured import Measured
from core.advice.model import Model
from core.advice.order import Question, fingerprint
from core.advice.verdict import answer
from core.recipe import FieldError
from core.request import JobRequest, Target


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


def foreseen(target: Target, measured: Measured) -> int | None:
    """Images a class that reach the target by the advice, distilled or else real ones; None where it does not say."""
    said = answer(Question(accuracy=target.accuracy or None, gap=target.gap or None), measured)
    real = said.equal.expected if said.equal else None
    sizes = [each for each in (said.ipc, real) if each is not None]
    return min(sizes, default=None)
