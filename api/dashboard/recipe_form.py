"""A recipe as form fields, by the JSON Schema of `overrides`: one field a leaf, with its bounds and its meaning."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, final

from core import methods

Schema = Mapping[str, Any]
Control = Literal["number", "choice", "switch", "text"]

GROUPS: Final = {
    "init": "Start",
    "parameterize": "Images",
    "preprocess": "Preprocessing",
    "augment": "Augmentation",
    "network": "Network",
    "labels": "Labels",
    "objective": "Objective",
    "schedule": "Schedule",
    "experts": "Experts",
    "teacher": "Teacher",
    "relabel": "Relabelling",
    "evaluation": "Evaluation",
}
"""The parts of a recipe a person looks for first, in order, by their names."""


@final
@dataclass(frozen=True)
class Leaf:
    """One field of a recipe: its path, its value as it is and as text, and what it may be."""

    path: str
    value: Any
    control: Control
    about: str
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    whole: bool = False

    @property
    def name(self) -> str:
        """Its name inside its part."""
        return self.path.partition(".")[2] or self.path

    @property
    def text(self) -> str:
        """Its value as the form shows it."""
        return spelled(self.value)

    def parse(self, text: str) -> Any:
        """The value that typed text stands for in JSON; text that is no JSON stays text, and the recipe refuses it."""
        if self.control == "choice" and text in self.choices:
            return next((choice for choice in (True, False, None) if spelled(choice) == text), text)
        try:
            return json.loads(text) if text.strip() else None
        except ValueError:
            return text.strip()


@final
@dataclass(frozen=True)
class Part:
    """One part of a recipe."""

    name: str
    title: str
    about: str
    leaves: tuple[Leaf, ...]


def spelled(value: Any) -> str:
    """A value as text: a string as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def parts(recipe: Mapping[str, Any]) -> list[Part]:
    """The fields of a recipe by its parts; `recipe` is its JSON."""
    schema = methods.override_schema()
    names = [*(name for name in GROUPS if name in recipe), *(name for name in recipe if name not in GROUPS)]
    found = []
    for name in names:
        node = schema["properties"].get(name, {})
        leaves = tuple(_leaves(name, node, recipe[name]))
        if leaves:
            title = GROUPS.get(name, name.replace("_", " ").capitalize())
            found.append(Part(name, title, _about(node, recipe[name]), leaves))
    return found


def _resolved(node: Schema, value: Any) -> Schema:
    """The schema that speaks of this value: references followed, of a union the member the value belongs to."""
    while True:
        if "$ref" in node:
            meant = methods.override_schema()["$defs"][node["$ref"].rpartition("/")[2]]
            node = meant | {k: v for k, v in node.items() if k != "$ref"}
        elif "discriminator" in node and isinstance(value, Mapping):
            node = {"$ref": node["discriminator"]["mapping"][value["kind"]]}
        elif "anyOf" in node and isinstance(value, Mapping):
            options = [each for each in node["anyOf"] if each.get("type") != "null"]
            node = next((each for each in options if "discriminator" in each or "$ref" in each), {})
        else:
            return node


def _kinds(node: Schema) -> tuple[str, ...]:
    for each in (node, *node.get("anyOf", ())):
        if "discriminator" in each:
            return tuple(each["discriminator"]["mapping"])
    return ()


def _about(node: Schema, value: Any) -> str:
    description = str(node.get("description") or _resolved(node, value).get("description") or "")
    return " ".join(description.partition("\n\n")[0].split())


def _leaves(path: str, node: Schema, value: Any) -> Iterator[Leaf]:
    if not isinstance(value, Mapping):
        yield _leaf(path, node, value)
        return
    kinds, resolved = _kinds(node), _resolved(node, value)
    properties = resolved.get("properties", {})
    for name, each in value.items():
        if name == "kind":
            if len(kinds) > 1:
                yield Leaf(f"{path}.kind", each, "choice", "Another kind starts this part afresh.", kinds)
            continue
        yield from _leaves(f"{path}.{name}", properties.get(name, {}), each)


def _leaf(path: str, node: Schema, value: Any) -> Leaf:
    about = " ".join(str(node.get("description", "")).split())
    node = _resolved(node, value)
    if node.get("type") == "boolean":
        return Leaf(path, value, "choice", about, ("true", "false"))
    if "enum" in node:
        return Leaf(path, value, "choice", about, tuple(spelled(each) for each in node["enum"]))
    options = node.get("anyOf", [node])
    number = next((each for each in options if each.get("type") in ("integer", "number")), None)
    if number is None:
        return Leaf(path, value, "text", about)
    bounds = (number.get("minimum", number.get("exclusiveMinimum")), number.get("maximum"))
    whole = number["type"] == "integer"
    return Leaf(path, value, "number" if len(options) == 1 else "text", about, (), *bounds, whole)
