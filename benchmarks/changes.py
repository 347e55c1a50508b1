"""Fields of recipes that a command line sets: of all methods, or of one."""

from __future__ import annotations

import argparse
import json
from typing import Any

Change = tuple[str, str, Any]
"""A method or "" for all, the path of a field, and its value."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the option `--set` to a parser; its destination is `set`, a list of changes."""
    parser.add_argument(
        "--set", type=_change, action="append", default=[], metavar="[METHOD:]PATH=JSON", help="a field of a recipe"
    )


def of(changes: list[Change], method: str) -> dict[str, Any]:
    """The changes of a method's recipe by path."""
    return {path: value for name, path, value in changes if name in ("", method)}


def _change(text: str) -> Change:
    path, _, value = text.partition("=")
    method, _, path = path.rpartition(":")
    return method, path, json.loads(value)
