"""The OpenAPI document as something to read: what the page `/docs` shows, without a script and without a network."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

from markupsafe import Markup, escape

Schema = Mapping[str, Any]


@final
@dataclass(frozen=True)
class Field:
    """A parameter, or a property of an object."""

    name: str
    place: str
    kind: str
    required: bool
    description: str


@final
@dataclass(frozen=True)
class Answer:
    """One status an operation may answer with; `kinds` are the problems it may stand for."""

    status: str
    description: str
    kinds: tuple[str, ...]


@final
@dataclass(frozen=True)
class Operation:
    """One operation of the API."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[Field, ...]
    examples: tuple[tuple[str, str], ...]
    """(summary, JSON) of request bodies."""
    answers: tuple[Answer, ...]


@final
@dataclass(frozen=True)
class Group:
    """Operations that belong together."""

    name: str
    description: str
    operations: tuple[Operation, ...]


def groups(document: Schema) -> list[Group]:
    """The operations by tag, in the document's order."""
    found = [
        (operation["tags"][0], _operation(method, path, operation))
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    return [
        Group(tag["name"], tag["description"], tuple(operation for name, operation in found if name == tag["name"]))
        for tag in document["tags"]
    ]


def objects(document: Schema) -> dict[str, list[Field]]:
    """The properties of every object that the document names, by the object's name."""
    schemas = document["components"]["schemas"]
    return {name: list(_properties(schema)) for name, schema in sorted(schemas.items()) if "properties" in schema}


def prose(text: str) -> Markup:
    """A docstring as HTML: paragraphs and `code`."""
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]
    return Markup("").join(Markup("<p>{}</p>").format(inline(paragraph)) for paragraph in paragraphs)


def inline(text: str) -> Markup:
    """A sentence as HTML, `code` in it as such."""
    parts = text.split("`")
    return Markup("").join(Markup("<code>{}</code>").format(p) if i % 2 else escape(p) for i, p in enumerate(parts))


def _operation(method: str, path: str, operation: Schema) -> Operation:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return Operation(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        description=operation.get("description", ""),
        parameters=tuple(_parameter(parameter) for parameter in operation.get("parameters", ())),
        examples=tuple(
            (example["summary"], json.dumps(example["value"], indent=2))
            for example in content.get("examples", {}).values()
        ),
        answers=tuple(_answer(status, answer) for status, answer in operation["responses"].items()),
    )


def _parameter(parameter: Schema) -> Field:
    schema = parameter["schema"]
    description = parameter.get("description", schema.get("description", ""))
    return Field(parameter["name"], parameter["in"], _kind(schema), parameter.get("required", False), description)


def _answer(status: str, answer: Schema) -> Answer:
    problem = answer.get("content", {}).get("application/problem+json", {})
    return Answer(status, answer["description"], tuple(problem.get("examples", ())))


def _properties(schema: Schema) -> Iterator[Field]:
    required = schema.get("required", ())
    for name, each in schema["properties"].items():
        yield Field(name, "", _kind(each), name in required, each.get("description", ""))


def _kind(schema: Schema) -> str:
    """A schema's type in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " | ".join(schema["enum"])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(each) for each in schema["anyOf"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}" if "items" in schema else "list"
    return str(schema.get("format") or schema.get("type", "anything"))
