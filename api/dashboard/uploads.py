"""`/uploads`: datasets of one's own are sent, looked at and deleted; the script only adds dragging and progress."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from api.arrivals import arriving
from api.dashboard.rendering import page
from api.dataset_schema import MIRROR, Dataset
from api.problems import Kind, ProblemError
from api.services import Services, ServicesDep
from api.uploads import delete_dataset
from core.data.folders import LAYOUT, SIDES
from core.data.numbers import Missing
from core.data.reading import Reading, Rows, Turned

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_PIECE = 1 << 20


@router.get("/uploads")
def show_uploads(request: Request, services: ServicesDep) -> HTMLResponse:
    """The form, and what became of earlier uploads."""
    return _uploads(request, services)


@router.post("/uploads")
async def send_upload(request: Request, services: ServicesDep) -> Response:
    """The form without its script: the browser sends the file as one part of several."""
    try:
        async with arriving(services, request.headers) as arrival, request.form(max_files=1, max_fields=12) as form:
            file, name, size = form.get("file"), form.get("name"), form.get("size")
            if not isinstance(file, UploadFile) or not file.filename or not isinstance(name, str):
                raise ProblemError(Kind.INVALID_REQUEST, "Choose a file, and give it a name.")
            side = int(size) if isinstance(size, str) and size.isdecimal() and len(size) < 5 else None
            if (size and side is None) or (side is not None and not SIDES[0] <= side <= SIDES[1]):
                fault = f"The side is a number from {SIDES[0]} to {SIDES[1]}, or left empty."
                raise ProblemError(Kind.INVALID_REQUEST, fault)
            mirror = form.get("mirror", "auto")
            if mirror not in MIRROR:
                fault = f"A mirrored picture stays what it is, or not: say one of {', '.join(MIRROR)}."
                raise ProblemError(Kind.INVALID_REQUEST, fault)
            await arrival.take(_pieces(file), name[:100], side, MIRROR[mirror], _reading(form))
    except ProblemError as problem:
        told = [f"{error.message} {error.fix}" for error in problem.errors] or [str(problem.detail), problem.hint or ""]
        return await run_in_threadpool(_uploads, request, services, problem.status_code, " ".join(told).strip())
    except HTTPException as refused:  # the framework's, for a body that is no form
        return await run_in_threadpool(_uploads, request, services, refused.status_code, "The form arrived damaged.")
    return RedirectResponse(f"/uploads#{arrival.upload.id}", 303)


def _reading(form: FormData) -> Reading:
    label, missing, kind = form.get("label_column", ""), form.get("missing", "refuse"), form.get("kind", "auto")
    if not isinstance(label, str) or missing not in get_args(Missing):
        fault = f"Missing values are treated by one of {', '.join(get_args(Missing))}."
        raise ProblemError(Kind.INVALID_REQUEST, fault)
    if kind not in get_args(Rows):
        raise ProblemError(Kind.INVALID_REQUEST, f"A row of a table is read as one of {', '.join(get_args(Rows))}.")
    turned = form.get("transposed", "auto")
    if turned not in get_args(Turned):
        fault = f"Rows are stored as columns, or not: say one of {', '.join(get_args(Turned))}."
        raise ProblemError(Kind.INVALID_REQUEST, fault)
    words = {name: str(form.get(name, ""))[:8000].strip() for name in ("order", "train_folder", "test_folder")}
    words |= {"transposed": str(turned)}
    skip = {"skip_broken": bool(form.get("skip_broken"))}
    return Reading.of({"label_column": label[:200], "missing": missing, "kind": kind, **words, **skip})


@router.post("/uploads/{id}/delete")
def delete_upload(services: ServicesDep, dataset_id: Annotated[str, Path(alias="id")]) -> Response:
    """Delete it, unless jobs need it."""
    delete_dataset(services, dataset_id)
    return RedirectResponse("/uploads", 303)


def _uploads(request: Request, services: Services, status_code: int = 200, fault: str | None = None) -> HTMLResponse:
    uploads: list[Any] = [Dataset.of_upload(upload) for upload in reversed(services.ledger.uploads.all())]
    most = services.settings.max_upload_bytes
    content = {"uploads": uploads, "fault": fault, "sides": SIDES, "most": most, "layout": LAYOUT}
    return page(request, "uploads.html", status_code, **content)


async def _pieces(file: UploadFile) -> AsyncIterator[bytes]:
    while piece := await file.read(_PIECE):
        yield piece
