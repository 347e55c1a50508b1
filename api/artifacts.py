"""`/v1/jobs/{id}/files` and its neighbours: what a finished job has made.

A file's name is a key of the ledger's table and nothing else: it never becomes part of a path.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import StreamingResponse

from api.downloads import answer, content_disposition, look_for, matches, report, send, shard
from api.known_job import Known
from api.pagination import After, Limit, slice_of
from api.problems import Kind, ProblemError, header, responses
from api.schemas import File, FilePage, Sections
from api.services import ServicesDep
from core import ledger
from core.artifacts import Store, zip_stream
from core.artifacts.layout import PARQUET, REPORT

router = APIRouter(prefix="/v1/jobs", tags=["artifacts"], responses=responses(Kind.INVALID_REQUEST))

_ETAG = header("ETag", "The file's SHA-256 (of an archive: that of its listing), in quotes.")
_DIGEST = header("Repr-Digest", "The same as RFC 9530 writes it: sha-256=:base64:.")
_SPAN = header("Content-Range", "Which bytes these are, of how many.")
BLOB = responses(Kind.UNKNOWN_JOB, Kind.UNKNOWN_FILE, Kind.NOT_SUCCEEDED, Kind.RANGE_NOT_SATISFIABLE, Kind.NOT_READY)


async def _succeeded(job: Known) -> ledger.Job:
    if job.status == ledger.Status.SUCCEEDED:
        return job
    hints = {
        ledger.Status.FAILED: "Its `error` says why; POST /v1/jobs/{id}/retry tries again.",
        ledger.Status.CANCELLED: "POST /v1/jobs/{id}/retry queues it again.",
    }
    waiting = "Wait for it: GET /v1/jobs/{id}?wait=30."
    hint = hints.get(job.status, waiting).replace("{id}", job.id)
    raise ProblemError(Kind.NOT_SUCCEEDED, f"The job is {job.status}; it has no files.", hint=hint)


Succeeded = Annotated[ledger.Job, Depends(_succeeded)]
"""Parameter of an operation: the job in the path, which has succeeded; 404 and 409 otherwise."""


def content(media_type: str, description: str, kind: str = "string") -> dict[int | str, dict[str, Any]]:
    """The answers of a route that sends a file, for the document."""
    binary = {"type": "string", "format": "binary"}
    content = {media_type: {"schema": {"any": {}, "string": binary}.get(kind, {"type": kind})}}
    return {
        200: {"description": description, "content": content, "headers": _ETAG | _DIGEST},
        206: {"description": "The part that `Range` asks for.", "content": content, "headers": _ETAG | _DIGEST | _SPAN},
        304: {"description": "The client's copy (`If-None-Match`) is the file.", "headers": _ETAG},
    }


@router.get(
    "/{id}/files",
    operation_id="list_files",
    summary="List the files",
    responses=responses(Kind.UNKNOWN_JOB, Kind.NOT_SUCCEEDED, Kind.INVALID_CURSOR),
)
def list_files(services: ServicesDep, job: Succeeded, limit: Limit = 200, after: After = None) -> FilePage:
    """The artifact's files by name, each with its size, its SHA-256 and where to get it."""
    files, following = slice_of(
        services.ledger.files(job.id), lambda file: file.name, f"files of {job.id}", limit, after
    )
    return FilePage(items=[File.of(job.id, file) for file in files], next=following)


@router.get(
    "/{id}/files/{name:path}",
    operation_id="get_file",
    summary="Download a file",
    response_class=Response,
    responses=content("*/*", "The file: JSON, text, or bytes.", "any") | BLOB,
)
@router.head("/{id}/files/{name:path}", include_in_schema=False)
def get_file(
    request: Request,
    services: ServicesDep,
    job: Succeeded,
    name: Annotated[str, Path(description="A name in the listing.", examples=["data/train-00000-of-00001.parquet"])],
) -> Response:
    """The bytes. The ETag is their SHA-256; `Range`, `If-Range` and `If-None-Match` work, and so does HEAD.

    `pandas.read_parquet(url)` and `datasets.load_dataset("parquet", data_files=url)` read from here directly.
    """
    return _send(request, services, job, name)


@router.get(
    "/{id}/preview.png",
    operation_id="get_preview",
    summary="See the synthetic images",
    response_class=Response,
    responses=content("image/png", "The synthetic images as a labelled grid.") | BLOB,
)
@router.head("/{id}/preview.png", include_in_schema=False)
def get_preview(request: Request, services: ServicesDep, job: Succeeded) -> Response:
    """The synthetic images as one labelled grid."""
    return _send(request, services, job, "preview.png", "inline")


@router.get(
    "/{id}/pictures/{seq}",
    operation_id="get_picture",
    summary="See the synthetic images on their way",
    response_class=Response,
    responses=content("image/png", "A small grid of the images, a column for each of the first classes.")
    | responses(Kind.UNKNOWN_JOB, Kind.UNKNOWN_FILE, Kind.RANGE_NOT_SATISFIABLE, Kind.NOT_READY),
)
@router.head("/{id}/pictures/{seq}", include_in_schema=False)
def get_picture(
    request: Request,
    services: ServicesDep,
    job: Known,
    seq: Annotated[int, Path(ge=1, lt=2**31, description="The `seq` of an event of type `preview` or `neighbours`.")],
) -> Response:
    """The images as they were at the step that the job's event `preview` names, while it runs and afterwards.

    The picture of the event `neighbours` has synthetic images above the real training images nearest to them.
    """
    names = {"preview": "step-{step}.png", "neighbours": "neighbours.png"}
    event = next(iter(services.ledger.events(job.id, seq - 1, 1)), None)
    if event is None or event.seq != seq or event.type not in names or "sha256" not in event.data:
        hint = f"GET /v1/jobs/{job.id}/events lists them: take the `seq` of one of type `preview` or `neighbours`."
        raise ProblemError(Kind.UNKNOWN_FILE, "The job has no picture of this number.", hint=hint)
    name = names[event.type].format_map(event.data)
    file = ledger.File(name=name, bytes=event.data["bytes"], sha256=event.data["sha256"], media_type="image/png")
    return send(request, services.store, file, "inline")


@router.get(
    "/{id}/report",
    operation_id="get_report",
    summary="Read what the result is worth",
    response_class=Response,
    responses=content("application/json", "The report.", "object") | BLOB,
)
@router.head("/{id}/report", include_in_schema=False)
def get_report(request: Request, services: ServicesDep, job: Succeeded) -> Response:
    """The scores of fresh networks trained on the synthetic set, on random images, on everything, and the protocol."""
    return _send(request, services, job, REPORT, "inline")


@router.get(
    "/{id}/sections",
    operation_id="get_sections",
    summary="Read what the result is worth, in words",
    responses=responses(
        Kind.UNKNOWN_JOB, Kind.UNKNOWN_FILE, Kind.NOT_SUCCEEDED, Kind.UNREADABLE_REPORT, Kind.NOT_READY
    ),
)
def get_sections(services: ServicesDep, job: Succeeded) -> Sections:
    """The report as the dataset card, the page and the command line show it: measures with their spread, and words.

    They are made of the same numbers as `report`, for results of any age.
    """
    return Sections(items=report(services.store, file_of(services, job, REPORT)).sections())


@router.get(
    "/{id}/archive.zip",
    operation_id="get_archive",
    summary="Download everything",
    response_class=Response,
    responses={
        200: {
            "description": "All files.",
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
            "headers": _ETAG,
        },
        304: {"description": "The client's copy (`If-None-Match`) is the archive.", "headers": _ETAG},
        **responses(Kind.UNKNOWN_JOB, Kind.NOT_SUCCEEDED, Kind.NOT_READY),
    },
)
@router.head("/{id}/archive.zip", include_in_schema=False)
def get_archive(request: Request, services: ServicesDep, job: Succeeded) -> Response:
    """All files as one zip, the same bytes every time; its ETag is a hash of every file's name and SHA-256."""
    return archive(request, services.store, job, services.ledger.files(job.id))


@router.get(
    "/{id}/webdataset.tar",
    operation_id="get_webdataset",
    summary="Download a WebDataset shard",
    response_class=Response,
    responses=content("application/x-tar", "The set as one shard.") | BLOB,
)
@router.head("/{id}/webdataset.tar", include_in_schema=False)
def get_webdataset(request: Request, services: ServicesDep, job: Succeeded) -> Response:
    """The set as one tar for WebDataset: of each example `png` or `x.npy`, `cls`, `json`, and labels that are soft.

    The same bytes every time, with the pixels of the parquet file. It is made when it is asked for.
    """
    file, made = shard(services.store, file_of(services, job, PARQUET), _archive_name(job, "tar"))
    return answer(request, file, lambda: made)


def archive(request: Request, store: Store, job: ledger.Job, files: Sequence[ledger.File]) -> Response:
    """The files of a job as one zip, or 304 if the client has it."""
    etag = f'"{_identity(files)}"'
    headers = {
        "ETag": etag,
        "Cache-Control": "private, max-age=31536000, immutable",
        "Content-Disposition": content_disposition("attachment", _archive_name(job, "zip")),
    }
    if matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    look_for(store, *files)
    if request.method == "HEAD":
        return Response(headers=headers, media_type="application/zip")
    entries = [(file.name, partial(store.open, file.sha256)) for file in files]
    return StreamingResponse(zip_stream(entries), headers=headers, media_type="application/zip")


def _archive_name(job: ledger.Job, suffix: str) -> str:
    ipc = f"-ipc{job.ipc}" if job.kind == ledger.DISTILLATION else ""
    return f"{job.dataset_title}-{job.method}{ipc}.{suffix}"


def _send(
    request: Request,
    services: ServicesDep,
    job: ledger.Job,
    name: str,
    how: Literal["attachment", "inline"] = "attachment",
) -> Response:
    return send(request, services.store, file_of(services, job, name), how)


def file_of(services: ServicesDep, job: ledger.Job, name: str) -> ledger.File:
    """The file of a job's artifact by its name; 404 where it has none of this name."""
    file = services.ledger.file(job.id, name)
    if file is None:
        hint = f"GET /v1/jobs/{job.id}/files lists its files."
        raise ProblemError(Kind.UNKNOWN_FILE, "The artifact has no file of this name.", hint=hint)
    return file


def _identity(files: Sequence[ledger.File]) -> str:
    lines = "".join(f"{file.sha256}  {file.name}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()
