"""`/v1/datasets`: what can be distilled."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.convertors import StringConvertor, register_url_convertor

from api.arrivals import kept
from api.dataset_schema import Dataset, DatasetPage
from api.pagination import After, Limit, slice_of
from api.problems import Kind, ProblemError, responses, sentence
from api.services import ServicesDep
from core.data import DatasetInvalid, UnknownDataset
from core.ids import is_upload


class _Title(StringConvertor):
    """A title, which may have slashes; the path of an arrival stays that of an arrival."""

    regex = "(?!arrivals/).+"


register_url_convertor("title", _Title())
router = APIRouter(prefix="/v1/datasets", tags=["datasets"], responses=responses(Kind.INVALID_REQUEST))


@router.get("", operation_id="list_datasets", summary="List the datasets", responses=responses(Kind.INVALID_CURSOR))
def list_datasets(services: ServicesDep, limit: Limit = 50, after: After = None) -> DatasetPage:
    """Every dataset the service knows, on disk or not, and your uploads, whatever became of them.

    Bundles placed in the service's data folder appear here by themselves.
    """
    uploads = [Dataset.of_upload(upload) for upload in services.ledger.uploads.all()]
    others = [Dataset.of(facts) for facts in services.catalogue.list() if facts.source != "upload"]
    shown, following = slice_of([*others, *uploads], lambda each: each.name, "datasets", limit, after)
    return DatasetPage(items=list(shown), next=following)


@router.get(
    "/{name:title}",
    operation_id="get_dataset",
    summary="Look at a dataset",
    responses=responses(Kind.UNKNOWN_DATASET, Kind.INVALID_DATASET),
)
def get_dataset(
    services: ServicesDep,
    name: Annotated[str, Path(description="The dataset's name, or an upload's title.", examples=["digits"])],
    verify: Annotated[
        bool, Query(description="Of an upload: read all that is stored of it; `on_disk` is false if any is lost.")
    ] = False,
) -> Dataset:
    """Shape, classes, counts, licence, content hash, and where it is or which file to put where.

    Of an upload also what became of its inspection, its counts by class, how it was split and scaled, and the pictures
    that led to its remarks, which the page `/uploads/{id}` shows.
    """
    try:
        name = services.catalogue.named(name)
        if is_upload(name):
            upload = services.catalogue.upload(name)
            shown = Dataset.of_upload(upload, alone=True)
            lost = verify and not kept(services, upload)
            return shown.model_copy(update={"on_disk": False}) if lost else shown
        return Dataset.of(services.catalogue.facts(name))
    except UnknownDataset as error:
        raise ProblemError(Kind.UNKNOWN_DATASET, sentence(error), hint="GET /v1/datasets lists the names.") from None
    except DatasetInvalid as error:
        raise ProblemError(Kind.INVALID_DATASET, sentence(error)) from None
