"""`/v1/methods`: the ways to distil."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from api.pagination import After, Limit, slice_of
from api.problems import Kind, ProblemError, responses, sentence
from api.schemas import Method, MethodPage, MethodSummary, Preset
from api.services import Services, ServicesDep
from api.submission import resolved
from core import methods
from core.data.multi_index import EXAMPLE
from core.request import JobOrder

router = APIRouter(prefix="/v1/methods", tags=["methods"], responses=responses(Kind.INVALID_REQUEST))


@router.get("", operation_id="list_methods", summary="List the methods", responses=responses(Kind.INVALID_CURSOR))
def list_methods(services: ServicesDep, limit: Limit = 50, after: After = None) -> MethodPage:
    """Every method with its equation, its paper's numbers, and when (not) to use it."""
    names, following = slice_of(methods.all_names(), str, "methods", limit, after)
    return MethodPage(items=[MethodSummary(**_summary(methods.method(name))) for name in names], next=following)


@router.get("/{name}", operation_id="get_method", summary="Look at a method", responses=responses(Kind.UNKNOWN_METHOD))
def get_method(
    services: ServicesDep,
    name: Annotated[str, Path(description="The method's name.", examples=["mtt"])],
    dataset: Annotated[str, Query(min_length=1, max_length=200, description="Show the recipe on it.")] = "digits",
    ipc: Annotated[int, Query(ge=1, le=100_000, description="Show the recipe at it.")] = 1,
) -> Method:
    """The method, its recipe for a dataset and an ipc, its presets, and the JSON Schema that `overrides` obeys."""
    try:
        method = methods.method(name)
    except methods.UnknownMethod as error:
        raise ProblemError(Kind.UNKNOWN_METHOD, sentence(error), hint="GET /v1/methods lists the names.") from None
    if dataset == "digits" and name not in methods.names():
        dataset = EXAMPLE  # which the method is for; nobody has named another
    presets = [Preset(dataset=on, ipc=at, recipe=_recipe(services, name, on, at)) for on, at in method.presets]
    return Method(
        **_summary(method),
        recipe=_recipe(services, name, dataset, ipc),
        presets=presets,
        overrides=methods.override_schema(),
    )


def _summary(method: methods.Method) -> dict[str, Any]:
    fields = MethodSummary.model_fields.keys() - {"url"}
    return {field: getattr(method, field) for field in fields} | {"url": f"/v1/methods/{method.name}"}


def _recipe(services: Services, method: str, dataset: str, ipc: int) -> dict[str, Any]:
    _, recipe, _ = resolved(JobOrder(dataset=dataset, ipc=ipc, method=method), services.catalogue)
    return recipe.model_dump(mode="json")
