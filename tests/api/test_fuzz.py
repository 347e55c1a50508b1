"""Every operation under generated requests, good and bad: never a 500, and every answer as the document promises.

Event streams and waiting are tested by hand: here they would only take time. Schemathesis is loaded by the tests that
use it: it takes seconds, in every process that collects this file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from api.app import create_app
from core import methods
from core.ledger import Status
from core.settings import Settings
from tests.api.test_openapi import OPERATIONS
from tests.api.workshop import ON_SQLITE, Workshop

if TYPE_CHECKING:
    from schemathesis import Case
    from schemathesis.specs.openapi.schemas import OpenApiSchema

pytestmark = ON_SQLITE

BY_HAND = {"create_dataset"}
"""Each upload that is accepted starts a process, which takes a second: tests/api/test_uploads.py sends the bad ones."""

CAN_BE_ASKED_WRONGLY = {
    *("create_job", "create_forecast", "create_advice", "list_jobs", "get_job", "list_events", "list_files"),
    *("list_datasets", "list_methods", "get_method", "list_keys", "create_key"),
    *("list_webhooks", "create_webhook", "change_webhook", "list_deliveries"),
}
"""Operations with a body, a query or a header that is more than any text."""


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The document of every application; making it takes longer than most operations here."""
    return create_app(Settings(home=tmp_path_factory.mktemp("home"), database_url=None, store_url=None)).openapi()


@pytest.fixture
def api(app: FastAPI, workshop: Workshop, document: dict[str, Any]) -> OpenApiSchema:
    """The document of a service that has a job in every status."""
    import schemathesis

    app.openapi_schema = document
    for status in reversed(Status):  # the queued one last: workers take what waits
        workshop.job(status)
    return schemathesis.openapi.from_asgi("/openapi.json", app)


@pytest.fixture(scope="module")
def checks() -> list[Callable[..., bool | None]]:
    """The checks that every answer must pass."""
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    return [
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_headers_conformance,
        checks.response_schema_conformance,
        checks.negative_data_rejection,
        checks.unsupported_method,
    ]


@pytest.mark.parametrize(
    ("operation_id", "mode"),
    [(name, "positive") for name in sorted(OPERATIONS - BY_HAND)]
    + [(name, "negative") for name in sorted(CAN_BE_ASKED_WRONGLY)],
)
def test_no_request_breaks_a_promise(
    api: OpenApiSchema,
    workshop: Workshop,
    checks: list[Callable[..., bool | None]],
    operation_id: str,
    mode: str,
) -> None:
    from schemathesis.generation import GenerationMode

    operation = api.find_operation_by_id(operation_id)
    ids = [job.id for job in workshop.ledger.jobs()]

    @seed(0)
    @settings(
        max_examples=80 if operation_id in ("create_job", "create_forecast") else 20,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(GenerationMode(mode)), job_id=st.sampled_from([None, *ids]))
    def holds(case: Case[Any], job_id: str | None) -> None:
        if job_id and "id" in case.path_parameters:
            case.path_parameters["id"] = job_id
        if isinstance(case.query.get("wait"), float) and 0 <= case.query["wait"] <= 60:
            case.query["wait"] = 0.01
        case.call_and_validate(checks=checks)

    holds()


def paths(tree: Any, prefix: str = "") -> Iterator[str]:
    """Every path into a recipe, parts and leaves."""
    for name, value in tree.items() if isinstance(tree, dict) else ():
        yield prefix + name
        yield from paths(value, f"{prefix}{name}.")


RECIPE = methods.method("mtt").recipe(methods.Task("digits", 1, (1, 8, 8), 10, mirror=False)).model_dump(mode="json")
WORDS = st.sampled_from([*paths(RECIPE), "kind", "mtt", "real", "noise", "trajectory", "zca", "hard", "learnable"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | WORDS
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=3), inner, max_size=3)
)
CHANGES = st.dictionaries(WORDS | st.text(max_size=5) | st.tuples(WORDS, WORDS).map(".".join), VALUES, max_size=4)


def test_no_override_breaks_the_service(client: TestClient) -> None:
    @seed(0)
    @settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(
        method=st.sampled_from(methods.names()),
        ipc=st.integers(1, 130),
        overrides=CHANGES,
        evaluation=CHANGES | st.just({}),
    )
    def holds(method: str, ipc: int, overrides: dict[str, Any], evaluation: dict[str, Any]) -> None:
        asked = {"dataset": "digits", "method": method, "ipc": ipc, "overrides": overrides, "evaluation": evaluation}
        response = client.post("/v1/jobs", content=json.dumps(asked), headers={"Content-Type": "application/json"})
        assert response.status_code in (200, 202, 422), (asked, response.text)
        for error in response.json().get("errors", ()) if response.status_code == 422 else ():
            assert error["field"].split(".")[0] in ("dataset", "ipc", "method", "overrides", "evaluation", "seed")
            assert error["message"]
            assert error["fix"]

    holds()
