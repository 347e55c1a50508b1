"""Form fields by JSON Schema: what may be entered for a value, within which bounds, and what it means."""

from __future__ import annotations

import json
import shlex
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
    pairs: bool = False
    """Whether it is texts by name, entered as a shell's words: `NAME=TEXT "NAME=a longer text"`."""

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
        return self.spell(self.value)

    def spell(self, value: Any) -> str:
        """A value as text, from which `parse` makes it again."""
        return shlex.join(words(value)) if self.pairs and isinstance(value, Mapping) else spelled(value)

    def parse(self, text: str) -> Any:
        """The value that typed text stands for in JSON; text that is no JSON stays text, and the recipe refuses it."""
        if self.control == "choice" and text in self.choices:
            return next((choice for choice in (True, False, None) if spelled(choice) == text), text)
        if self.wording:
            return text.strip()
        try:
            if self.pairs and all("=" in word for word in shlex.split(text)):
                return {name: value for name, _, value in (word.partition("=") for word in shlex.split(text))}
            return json.loads(text) if text.strip() else None
        except (ValueError, RecursionError):
            return text.strip()


def words(texts: Mapping[str, Any]) -> list[str]:
    """Texts by name, each as a word NAME=TEXT."""
    return [f"{name}={text}" for name, text in texts.items()]


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
    if "patternProperties" in node:
        return Leaf(path, value, "text", f"{about} Here as NAME=VALUE, with spaces between several.", pairs=True)
    options = node.get("anyOf", [node])
    number = next((each for each in options if each.get("type") in ("integer", "number")), None)
    if number is None:
        kinds = {each.get("type") for each in options}
        return Leaf(path, value, "text", about, wording=kinds in ({"string"}, {"string", "object"}))
    bounds = (number.get("minimum", number.get("exclusiveMinimum")), number.get("maximum"))
    whole = number["type"] == "integer"
    return Leaf(path, value, "number" if len(options) == 1 else "text", about, (), *bounds, whole)
