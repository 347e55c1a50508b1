"""`/advice`: how much data it takes on a dataset, whether distilling is worth it, and how advice fared so far."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Annotated, Any, Final

from fastapi import APIRouter, BackgroundTasks, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError

from api.advice import advice, create_advice, understood
from api.dashboard import job_view
from api.dashboard.charts import Plot, Series
from api.dashboard.forms import Posted
from api.dashboard.rendering import page
from api.measurements import known
from api.problems import ProblemError, invalid
from api.schemas import Job
from api.services import Services, ServicesDep
from core import ledger
from core.advice.answer import Advice, Line
from core.advice.measured import Measured
from core.advice.order import KIND, AdviceOrder, Question, fingerprint
from core.advice.verdict import answer
from core.data import DatasetFacts
from core.nouns import Kind, worded
from core.overrides import explain
from core.recipe import FieldError

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

ASKS: Final = {
    "ipc": "What do so many distilled images a class reach?",
    "accuracy": "How few images reach this accuracy, in percent?",
    "gap": "How few close this much of the gap between random images and all, in percent?",
    "bytes": "What do as many images reach as fit into these bytes?",
}
"""The questions of the form."""

_FIELDS: Final = ("dataset", "ask", "value", "within", "labels")
"""The fields of the form."""

_NAMES: Final = {"random": "random real images", "distilled": "distilled images"}

Text = Annotated[str, Query(max_length=200)]


@router.get("/advice")
def show_advice(
    request: Request,
    services: ServicesDep,
    dataset: Text = "digits",
    ask: Text = "ipc",
    value: Text = "10",
    within: Text = "",
    labels: Text = "hard",
) -> HTMLResponse:
    """The question, and its answer, the measurements on their way, or what measuring takes."""
    fields = {"dataset": dataset, "ask": ask, "value": value, "within": within, "labels": labels}
    return _advice(request, services, fields)


@router.post("/advice")
def measure(request: Request, services: ServicesDep, posted: Posted, after: BackgroundTasks) -> Response:
    """Queue the measuring, and back to the question."""
    fields = {"ask": "ipc", "value": "10", "within": "", "labels": "hard", "dataset": "digits"} | posted
    try:
        create_advice(services, Response(), after, _order(fields))
    except ProblemError as problem:
        return _advice(request, services, fields, problem)
    return RedirectResponse(request.url_for("show_advice").include_query_params(**_kept(fields)), 303)


def _advice(
    request: Request, services: Services, fields: Mapping[str, str], problem: ProblemError | None = None
) -> HTMLResponse:
    found: Advice | None = None
    job: ledger.Job | None = None
    if problem is None:
        try:
            facts, asked = understood(services, _order(fields))
            mark = fingerprint(facts.digest, "soft" if fields["labels"] == "soft" else "hard") if facts.digest else None
            measured = known(services, mark) if mark else None
            if measured is not None:
                found = advice(services, facts, asked, *measured)
            else:
                job = _measuring(services, facts.name, mark)
        except ProblemError as refused:
            problem = refused
    faults = {} if problem is None else _faults(problem)
    shown = Job.of(job) if job else None
    datasets = services.catalogue.list()
    kind: Kind = next((each.kind for each in datasets if each.name == fields["dataset"]), "pictures")
    return page(
        request,
        "advice.html",
        problem.status_code if problem else 200,
        fields=fields,
        asks=ASKS,
        datasets=datasets,
        kind=kind,
        advice=found,
        curves=plot(found.curves, kind) if found and found.curves else None,
        job=shown,
        phase=job_view.phase,
        faults=faults,
        unplaced=[error for field, error in faults.items() if field not in _FIELDS],
        minutes=max(1, round(services.settings.advice_seconds / 60)),
    )


def _order(fields: Mapping[str, str]) -> AdviceOrder:
    """The question that a form asks.

    Raises:
        ProblemError: INVALID_REQUEST, as for a body; no share in percent is of the field `value`.
    """
    value, ask = fields["value"].strip(), fields["ask"]
    body: dict[str, Any] = {"dataset": fields["dataset"], "labels": fields["labels"]}
    if fields["within"].strip():
        body["within"] = fields["within"].strip()
    match ask:
        case "accuracy" | "gap":
            body["target"] = {ask: _percent(value) / 100}
        case "bytes":
            body["bytes"] = value
        case _:
            body["ipc"] = value if re.fullmatch("-?[0-9]{1,9}", value) is None else int(value)
    try:
        return AdviceOrder.model_validate(body)
    except ValidationError as error:
        raise invalid([explain(each, AdviceOrder, "") for each in error.errors(include_url=False)]) from None


def _percent(text: str) -> float:
    try:
        percent = float(text.removesuffix("%"))
    except ValueError:
        percent = math.nan
    if not 0 < percent < 100:
        raise invalid([FieldError("value", "This is no share between 0 and 100 percent.", "Enter one, such as 80 %.")])
    return percent


def _measuring(services: Services, dataset: str, mark: str | None) -> ledger.Job | None:
    """The newest job that measures, or was to measure, this dataset."""
    jobs = services.ledger.jobs(dataset=dataset, method=KIND, limit=20)
    return next((job for job in jobs if mark is None or job.fingerprint == mark), None)


def stored_curves(services: Services, facts: DatasetFacts) -> Plot | None:
    """The learning curves of a dataset as they were measured for advice; None where nobody has asked for it."""
    found = known(services, fingerprint(facts.digest, "hard")) if facts.digest else None
    return _curves(found[1].model_dump_json(), facts.kind) if found else None


@lru_cache(maxsize=20)
def _curves(measured: str, kind: Kind) -> Plot | None:
    lines = answer(Question(ipc=1), Measured.model_validate_json(measured)).curves
    return plot(lines, kind) if lines else None


def plot(lines: tuple[Line, ...], kind: Kind) -> Plot:
    """Curves of accuracy over images a class, each between the bounds that hold four of five results."""
    series = tuple(
        Series.of(worded(words, kind), [(float(point.ipc), getattr(point, name)) for point in line.points])
        for line in lines
        for name, words in (
            ("expected", _NAMES[line.source]),
            ("low", f"{_NAMES[line.source]}, low"),
            ("high", f"{_NAMES[line.source]}, high"),
        )
    )
    return Plot(
        "curves", "Test accuracy to expect", worded("images a class", kind), "Test accuracy", series, percent=True
    )


def _faults(problem: ProblemError) -> dict[str, FieldError]:
    """The errors of a problem by the form's field each belongs to; those of none under their own name."""
    found: dict[str, FieldError] = {}
    for error in problem.errors or (FieldError("", str(problem.detail), problem.hint or ""),):
        head = error.field.partition(".")[0]
        field = "value" if head in ("ipc", "target", "bytes") else head
        if head == "bytes":
            error = replace(error, fix=error.fix if "at least" in error.fix else "Write '200 kB' for 200,000 bytes.")
        found.setdefault(field, error)
    return found


def _kept(fields: Mapping[str, str]) -> dict[str, str]:
    return {name: fields[name] for name in _FIELDS if fields.get(name)}
