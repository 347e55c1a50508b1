"""A recipe as form fields, by the JSON Schema of `overrides`: one field a leaf, with its bounds and its meaning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, final

from api.dashboard.schema_fields import Leaf, Schema, leaf, resolved
from core import methods

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
    "storage": "Storage",
    "evaluation": "Evaluation",
}
"""The parts of a recipe a person looks for first, in order, by their names."""


@final
@dataclass(frozen=True)
class Part:
    """One part of a recipe."""

    name: str
    title: str
    about: str
    leaves: tuple[Leaf, ...]


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


def _kinds(node: Schema) -> tuple[str, ...]:
    for each in (node, *node.get("anyOf", ())):
        if "discriminator" in each:
            return tuple(each["discriminator"]["mapping"])
    return ()


def _about(node: Schema, value: Any) -> str:
    description = node.get("description") or resolved(node, value, methods.override_schema()).get("description")
    return " ".join(str(description or "").partition("\n\n")[0].split())


def _leaves(path: str, node: Schema, value: Any) -> Iterator[Leaf]:
    if not isinstance(value, Mapping):
        yield leaf(path, node, value, methods.override_schema())
        return
    kinds = _kinds(node)
    properties = resolved(node, value, methods.override_schema()).get("properties", {})
    for name, each in value.items():
        if name == "kind":
            if len(kinds) > 1:
                yield Leaf(f"{path}.kind", each, "choice", "Another kind starts this part afresh.", kinds)
            continue
        yield from _leaves(f"{path}.{name}", properties.get(name, {}), each)
