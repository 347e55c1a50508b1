"""`/v1/datasets`: what can be distilled."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path

from api.house import Here
from api.pagination import After, Limit, slice_of
from api.problems import Kind, ProblemError, responses, sentence
from api.schemas import Dataset, DatasetPage
from core.data import DatasetInvalid, UnknownDataset

router = APIRouter(prefix="/v1/datasets", tags=["datasets"], responses=responses(Kind.INVALID_REQUEST))


@router.get("", operation_id="list_datasets", summary="List the datasets", responses=responses(Kind.INVALID_CURSOR))
def list_datasets(house: Here, limit: Limit = 50, after: After = None) -> DatasetPage:
    """Every dataset the service knows, on disk or not; bundles placed in its data folder appear here by themselves."""
    facts, following = slice_of(
        house.catalogue.list(), lambda facts: facts.name, house.cursors, "datasets", limit, after
    )
    return DatasetPage(items=[Dataset.model_validate(asdict(each)) for each in facts], next=following)


@router.get(
    "/{name}",
    operation_id="get_dataset",
    summary="Look at a dataset",
    responses=responses(Kind.UNKNOWN_DATASET, Kind.INVALID_DATASET),
)
def get_dataset(
    house: Here, name: Annotated[str, Path(description="The dataset's name.", examples=["digits"])]
) -> Dataset:
    """Shape, classes, counts, licence, content hash, and where it is or which file to put where."""
    try:
        return Dataset.model_validate(asdict(house.catalogue.facts(name)))
    except UnknownDataset as error:
        raise ProblemError(Kind.UNKNOWN_DATASET, sentence(error), hint="GET /v1/datasets lists the names.") from None
    except DatasetInvalid as error:
        raise ProblemError(Kind.INVALID_DATASET, sentence(error)) from None
