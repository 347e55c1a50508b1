"""`/uploads/{id}`: what is said of an upload, beside the pictures that led to it."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import HTMLResponse

from api.dashboard.datasets import strip
from api.dashboard.rendering import page
from api.dataset_schema import Dataset, Evidence
from api.problems import Kind, ProblemError, sentence
from api.services import ServicesDep
from core.data import DatasetInvalid, UnknownDataset
from core.data.evidence import Of

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

UploadId = Annotated[str, Path(alias="id", max_length=200)]

TITLES: Final[dict[Of, str]] = {
    "copies_across": "Test images that are training images",
    "near_across": "Test images that nearly are training images",
    "copies_classes": "One picture in several classes",
    "near_classes": "Nearly one picture in several classes",
    "copies_train": "Copies among the training images",
    "near_train": "Near copies among the training images",
    "copies_test": "Copies among the test images",
    "near_test": "Near copies among the test images",
    "mirrored": "Mirrored pictures",
    "classes": "The classes in their order, in training and in test",
}


@router.get("/uploads/{id}")
def show_checks(request: Request, services: ServicesDep, upload_id: UploadId) -> HTMLResponse:
    """The remarks and, for each kind of them, a few pictures."""
    try:
        upload = Dataset.of_upload(services.catalogue.upload(upload_id), alone=True)
    except UnknownDataset as error:
        raise ProblemError(Kind.UNKNOWN_DATASET, sentence(error)) from None
    groups: dict[str, list[tuple[int, Evidence]]] = {}
    for place, row in enumerate(upload.evidence or ()):
        groups.setdefault(row.of, []).append((place, row))
    shown = [(of, title, groups[of]) for of, title in TITLES.items() if of in groups]
    return page(request, "checks.html", upload=upload, groups=shown)


@router.get("/uploads/{id}/evidence/{place}.png", response_class=Response)
def show_evidence(
    services: ServicesDep, upload_id: UploadId, name: Annotated[str, Path(alias="place", max_length=200)]
) -> Response:
    """The pictures of one row of the evidence, side by side."""
    try:
        rows = Dataset.of_upload(services.catalogue.upload(upload_id), alone=True).evidence or []
        pictures = services.catalogue.evidence(upload_id)
    except (UnknownDataset, DatasetInvalid) as error:
        raise ProblemError(Kind.UNKNOWN_DATASET, sentence(error)) from None
    place = int(name) if name.isdecimal() and len(name) < 5 else len(rows)
    if place >= len(rows) or pictures is None:
        raise ProblemError(Kind.UNKNOWN_FILE, "There is no such row of pictures, or it is not on this machine.")
    first = sum(len(row.pictures) for row in rows[:place])
    png = strip(pictures[first : first + len(rows[place].pictures)])
    return Response(png, media_type="image/png", headers={"Cache-Control": "private, max-age=86400"})
