"""A whole job in this process: the engine of the server beside this package, imported when it is called."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from stillhouse import server
from stillhouse.order import AUTO, Order, body

if TYPE_CHECKING:
    from core.engine.report import Distillation
    from core.plan.race import Entrants
    from core.plan.sizing import Sizing


def distil(
    dataset: str,
    *,
    method: str = AUTO,
    data_dir: Path | None = None,
    device: str = "cpu",
    **order: Unpack[Order],
) -> Distillation:
    """Distil without a service: the arguments of `Client.submit`, computed here and now, with nothing written.

    What `within` has room for is decided for a machine of two cores; one that is slower ends in time with fewer steps.
    `data_dir` is the folder of datasets, by default that of the service on this machine; `device` is PyTorch's.
    No jobs are kept here, so there is none for `continue_from` to name.
    Returns the images (`result.images`, as networks see them) and the lines of the report (`rows`).

    Raises:
        UsageError: only the client is installed here.
        TypeError: an argument has no such name; the message says the nearest.
        ValueError: no method or dataset has this name, the recipe means nothing on it, or the order continues a job;
            the message has the fix.
    """
    server.require("stillhouse.distil")
    import torch

    from core.data import Catalogue
    from core.engine import run
    from core.engine.deadline import Deadline, least_judging
    from core.engine.workspace import InMemory
    from core.forecast import Sizes, fitted_anywhere, raced_job, sized_job
    from core.request import JobOrder, needs_c_scores, resolve, scored, settle
    from core.settings import Settings

    catalogue = Catalogue(data_dir or Settings().datasets)
    asked = JobOrder.model_validate(body(dataset, method, order, "data_dir", "device"))
    if asked.continue_from:
        told = "stillhouse.distil cannot continue a job: the service has its images."
        raise ValueError(f"continue_from: {told} Leave continue_from out, or submit the order by Client.submit.")
    found = catalogue.load(asked.dataset)
    request = settle(asked, found.facts)
    recipe = resolve(request, found.facts)
    if needs_c_scores(recipe):
        found = catalogue.load(asked.dataset, scored=True)
        assert found.c_scores_digest is not None, "it was loaded with its scores"
        recipe = scored(recipe, found.c_scores_digest)
    workspace, sizes, most_steps = InMemory(), None, 0
    searching: Entrants | Sizing | None = None
    if request.within:
        began, whole, shape = time.monotonic(), recipe, (found.facts, request.ipc)
        aims = request.target is not None
        recipe, fit = fitted_anywhere(whole, *shape, request.method, request.within, request.fixed, sized=aims)
        if aims:
            recipe, searching = sized_job(request, found.facts, None)
            sizes = Sizes(request, found.facts, None, recipe)
        elif request.method == AUTO:
            soft = request.labels == "soft"
            recipe, searching = raced_job(whole, *shape, None, (), request.within, request.fixed, soft=soft)
        judging = least_judging(recipe.evaluation.seeds, len(recipe.evaluation.baseline_lrs))
        deadline = Deadline(
            request.within, fit.phases, workspace.journal, began, reference=fit.reference, judging=judging
        )
        workspace = replace(
            workspace,
            time_left=deadline.time_left,
            ending=deadline.ending,
            networks=deadline.networks,
            foresee=deadline.foresee,
            spare=deadline.spare,
            lengthen=deadline.lengthen,
        )
        most_steps = fit.most_steps
    return run.distil(
        recipe,
        found,
        request.ipc,
        request.seed,
        workspace,
        device=torch.device(device),
        load=catalogue.load,
        searching=searching,
        sizes=sizes,
        most_steps=most_steps,
    )
