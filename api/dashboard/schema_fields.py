"""Form fields by JSON Schema: what may be entered for a value, within which bounds, and what it means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, final

Schema = Mapping[str, Any]
Control = Literal["number", "choice", "text"]


@final
@dataclass(frozen=True)
class Leaf:
    """One field of a document: its path, its value as it is and as text, and the values it may have."""

    path: str
    value: Any
    control: Control
    about: str
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    whole: bool = False
    wording: bool = False
    """Whether every value is text, so that none is read as JSON."""

    @property
    def name(self) -> str:
        """Its name inside its part."""
        return self.path.partition(".")[2] or self.path

    @property
    def title(self) -> str:
        """Its name as a heading."""
        return self.name.replace("_", " ").capitalize()

    @property
    def text(self) -> str:
        """Its value as the form shows it."""
        return spelled(self.value)

    def parse(self, text: str) -> Any:
        """The value that typed text stands for in JSON; text that is no JSON stays text, and the recipe refuses it."""
        if self.control == "choice" and text in self.choices:
            return next((choice for choice in (True, False, None) if spelled(choice) == text), text)
        if self.wording:
            return text.strip()
        try:
            return json.loads(text) if text.strip() else None
        except (ValueError, RecursionError):
            return text.strip()


def spelled(value: Any) -> str:
    """A value as text: a string as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def resolved(node: Schema, value: Any, root: Schema) -> Schema:
    """The schema that speaks of this value: references followed, of a union the member the value belongs to."""
    while True:
        if "$ref" in node:
            meant = root["$defs"][node["$ref"].rpartition("/")[2]]
            node = meant | {k: v for k, v in node.items() if k != "$ref"}
        elif "discriminator" in node and isinstance(value, Mapping):
            node = {"$ref": node["discriminator"]["mapping"][value["kind"]]}
        elif "anyOf" in node and isinstance(value, Mapping):
            options = [each for each in node["anyOf"] if each.get("type") != "null"]
            node = next((each for each in options if "discriminator" in each or "$ref" in each), {})
        else:
            return node


def leaf(path: str, node: Schema, value: Any, root: Schema) -> Leaf:
    """The field of a value that is entered as one; `root` has the definitions that `node` refers to."""
    about = " ".join(str(node.get("description", "")).split())
    node = resolved(node, value, root)
    if node.get("type") == "boolean":
        return Leaf(path, value, "choice", about, ("true", "false"))
    if "enum" in node:
        return Leaf(path, value, "choice", about, tuple(spelled(each) for each in node["enum"]))
    options = node.get("anyOf", [node])
    number = next((each for each in options if each.get("type") in ("integer", "number")), None)
    if number is None:
        return Leaf(path, value, "text", about, wording=node.get("type") == "string")
    bounds = (number.get("minimum", number.get("exclusiveMinimum")), number.get("maximum"))
    whole = number["type"] == "integer"
    return Leaf(path, value, "number" if len(options) == 1 else "text", about, (), *bounds, whole)
