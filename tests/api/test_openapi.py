"""The OpenAPI document: committed, complete, and worth reading."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from api import openapi
from api.problems import Kind
from tests.api.workshop import ON_SQLITE

pytestmark = ON_SQLITE

OPERATIONS = {
    *("create_job", "list_jobs", "get_job", "cancel_job", "retry_job", "list_events"),
    *("pause_job", "resume_job", "finish_job", "delete_job"),
    "create_advice",
    "create_forecast",
    *("list_webhooks", "create_webhook", "get_webhook", "change_webhook", "delete_webhook"),
    *("rotate_webhook", "test_webhook", "list_deliveries", "replay_delivery"),
    *("get_me", "list_keys", "create_key", "revoke_key"),
    *("list_files", "get_file", "get_archive", "get_picture", "get_preview", "get_report", "get_sections"),
    *("get_webdataset", "get_arrival"),
    *(
        "list_datasets",
        "get_artifact",
        "create_link",
        "follow_link",
        "get_dataset",
        "create_dataset",
        "delete_dataset",
        "list_methods",
        "get_method",
        "get_health",
        "get_readiness",
        "get_metrics",
    ),
}
"""Names that generated clients are built on: one may be added, none may change."""


@pytest.fixture
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (operation for path in document["paths"].values() for operation in path.values())


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value.rpartition("/")[2]
            else:
                yield from references(value)
    if isinstance(node, list):
        for value in node:
            yield from references(value)


def test_the_committed_document_is_the_generated_one(app: FastAPI) -> None:
    assert openapi.FILE.read_text("utf-8") == openapi.text(app), "run: python -m api.openapi"


def test_operations_keep_their_names(document: dict[str, Any]) -> None:
    assert sorted(operation["operationId"] for operation in operations(document)) == sorted(OPERATIONS)


def test_every_operation_is_described(document: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    for operation in operations(document):
        assert operation["summary"]
        assert operation["description"]
        assert set(operation["tags"]) <= tags
        for parameter in operation.get("parameters", ()):
            assert parameter.get("description"), parameter


def test_every_error_refers_to_the_problem_document(document: dict[str, Any]) -> None:
    kinds = {kind.slug for kind in Kind}
    for operation in operations(document):
        errors = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
        assert "500" in errors
        for status, answer in errors.items():
            (media_type,) = answer["content"]
            assert media_type == "application/problem+json"
            assert answer["content"][media_type]["schema"] == {"$ref": "#/components/schemas/Problem"}
            for slug, example in answer["content"][media_type]["examples"].items():
                assert slug in kinds
                assert example["value"]["status"] == int(status)


def test_every_answer_carries_the_request_id(document: dict[str, Any]) -> None:
    for operation in operations(document):
        for answer in operation["responses"].values():
            assert "X-Request-Id" in answer["headers"]


def test_every_reference_resolves_and_every_schema_is_used(document: dict[str, Any]) -> None:
    assert set(references(document)) == document["components"]["schemas"].keys()


def test_examples_are_accepted(document: dict[str, Any]) -> None:
    content = document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]
    assert json.dumps(content["examples"])
