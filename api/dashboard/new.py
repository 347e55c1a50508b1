"""`/new`: a job is put together, priced and submitted; a plain form, which scripts only make livelier."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Final

from fastapi import APIRouter, BackgroundTasks, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from api.dashboard.advice import stored_curves
from api.dashboard.forms import Posted
from api.dashboard.job_form import ALSO, FIRST, LEAVES, PREFIX, JobForm
from api.dashboard.rendering import page
from api.dashboard.schema_fields import Leaf, spelled
from api.dashboard.time_view import TIMES, bought
from api.jobs import create_job
from api.problems import ProblemError
from api.services import Services, ServicesDep
from core import measured_jobs, methods
from core.data import UnknownDataset
from core.data.multi_index import is_multi_index
from core.ledger import DISTILLATION, Job, UnknownJob
from core.methods import AUTO, Method
from core.recipe import FieldError

_ORDER: Final = (
    "search",
    "selection",
    "distribution",
    "gradient",
    "trajectory",
    "performance",
    "statistics",
    "regression",
    "theory",
)
_PLACED: Final = ("dataset", "ipc", "target", "share", "method", "within")
"""The fields of a request that the page has a place of their own for; the others follow from the schema."""
_WITH: Final = "with"
"""The field of the address that asks for what other times buy, too, which takes as many forecasts as there are."""
_GONE: Final = "An earlier job asked for this, and requests have no such field any more: empty it to leave it out."

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/new")
def show_form(request: Request, services: ServicesDep) -> HTMLResponse:
    """The form, filled in by the address: by its fields, or by `from`, a job that is to be asked for again."""
    fields = dict(request.query_params)
    earlier: Job | None = None
    with suppress(UnknownJob):
        earlier = services.ledger.job(fields["from"]) if "from" in fields else None
    if earlier and earlier.kind != DISTILLATION:  # advice asks for no job; its dataset is what is known
        fields, earlier = {"dataset": earlier.dataset} | fields, None
    named = "method" in fields and "basis" not in fields  # the form itself always has a method
    form = JobForm.of(fields, services, earlier)
    return _shown(request, services, form, named=named, times=fields.get(_WITH) == "times")


@router.post("/new")
def submit(request: Request, services: ServicesDep, posted: Posted, after: BackgroundTasks) -> Response:
    """Submit the job: on to its page, or back to the form with what is wrong beside each field."""
    form = JobForm.of(posted, services)
    try:
        order = form.order()
        shown = {name: getattr(order, name) for name in ("priority", "runs_on")}  # and so said, the defaults too
        job = create_job(services, Response(), after, order.model_copy(update=shown))
    except ProblemError as problem:
        return _shown(request, services, form, form.faults(problem))
    return RedirectResponse(f"/jobs/{job.id}{'?answered=before' if job.cached else ''}", 303)


def _shown(
    request: Request,
    services: Services,
    form: JobForm,
    refused: Mapping[str, FieldError] | None = None,
    *,
    named: bool = False,
    times: bool = False,
) -> HTMLResponse:
    """The page, with what other `times` buy; the method is in sight if it was `named`, or is not as it always is."""
    forecast, faults = (None, refused) if refused else form.forecast(services)
    datasets = sorted(services.catalogue.list(), key=lambda facts: not facts.on_disk)
    entries = form.entries
    if is_multi_index(entries["dataset"]) and entries["dataset"] not in {facts.name for facts in datasets}:
        with suppress(UnknownDataset):  # of the family's members one is listed, and this one is asked for
            datasets.insert(0, replace(services.catalogue.facts(entries["dataset"]), name=entries["dataset"]))
    chosen = next((facts for facts in datasets if facts.name == entries["dataset"]), None)
    unasked = {"labels"} if entries["method"] != AUTO and entries["labels"] == FIRST["labels"] else set()
    others = [
        (each.path, each, entries[each.path]) for each in LEAVES.values() if each.path not in {*_PLACED, *unasked}
    ]
    others += [(f"{ALSO}{name}", Leaf(name, None, "text", _GONE), spelled(value)) for name, value in form.kept.items()]
    size = int(entries["ipc"]) if re.fullmatch("[1-9][0-9]{0,5}", entries["ipc"]) else None
    largest = chosen and (chosen.smallest_class if entries["share"] == FIRST["share"] else chosen.mean_class)
    placed = {*_PLACED, *(name for name, _, _ in others)}
    placed |= {f"{PREFIX}{leaf.path}" for part in form.parts for leaf in part.leaves}
    behind = bool(form.changes or form.kept) or entries["method"] != FIRST["method"]
    behind |= any(name in faults or (text and text != FIRST.get(name)) for name, _, text in others)
    behind |= "method" in faults or any(field.startswith(PREFIX) for field in faults)
    return page(
        request,
        "new.html",
        422 if refused else 200,
        form=form,
        entries=entries,
        others=others,
        forecast=forecast,
        faults=faults,
        unplaced=[error for field, error in faults.items() if field not in placed],
        datasets=datasets,
        chosen=chosen,
        kind=chosen.kind if chosen else "pictures",
        largest=largest,
        images=size * chosen.classes if chosen and size else None,
        families=families(),
        opened=named or behind,
        searching=entries["method"] == AUTO,
        times=TIMES,
        time_about=LEAVES["within"].about,
        target_about=LEAVES["target"].about,
        share=LEAVES["share"],
        bought=bought(form, services) if times and form.parts else None,
        with_times=f"{form.address()}&{_WITH}=times",
        curves=stored_curves(services, chosen) if chosen else None,
        measured=measured_jobs.near(chosen, size or 10, measured_jobs.read()) if chosen else [],
        touched={*form.changes, *(field.removeprefix(PREFIX) for field in faults)},
        base=str(request.base_url).rstrip("/"),
    )


def families() -> dict[str, list[Method]]:
    """The methods by family, families in the order of the catalogue's modules."""
    found: dict[str, list[Method]] = {}
    for name in methods.all_names():
        method = methods.method(name)
        found.setdefault(method.family, []).append(method)
    return dict(sorted(found.items(), key=lambda family: _ORDER.index(family[0]) if family[0] in _ORDER else 99))
