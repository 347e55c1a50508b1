"""The options of the commands that order a job."""

from __future__ import annotations

import functools
import inspect
import json
import re
from collections.abc import Callable
from typing import Annotated, Any, Final, get_type_hints

import typer

from stillhouse.errors import UsageError
from stillhouse.http import raise_if_not_finite
from stillhouse.order import AUTO, Order

_OF_ALL: Final[dict[str, Any]] = {
    "dataset": Annotated[
        str,
        typer.Argument(metavar="DATASET", help="Name of a dataset, or an upload's title; see 'stillhouse datasets'."),
    ],
    "method": Annotated[
        str, typer.Option("--method", help="Name of a method (see 'stillhouse methods'), or a search for one in time.")
    ],
}
Asked = dict[str, Any]
"""The arguments of `Client.submit`, as the command line has them."""

_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600}
_DEFAULTS: Final = {"method": AUTO}
_CHANGES: Final = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a field of the recipe, e.g. objective.syn_steps=20."),
]

Words = Annotated[
    list[str] | None,
    typer.Option("--metadata", metavar="KEY=VALUE", help="A word to find jobs by, e.g. commit=3f2c1a9 or name=base."),
]


def ordering(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an order's options, which it gets as one argument: `asked`, those of `Client.submit`."""
    fields = {name: hint for name, hint in get_type_hints(Order, include_extras=True).items() if _help(hint)}
    options = {
        name: Annotated[hint.__origin__, typer.Option(f"--{name.replace('_', '-')}", help=_help(hint))]
        for name, hint in fields.items()
    }
    hints = get_type_hints(command, include_extras=True)
    own = [parameter for name, parameter in inspect.signature(command).parameters.items() if name != "asked"]
    parameters = [
        *(
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                annotation=hint,
                default=_DEFAULTS.get(name, inspect.Parameter.empty),
            )
            for name, hint in _OF_ALL.items()
        ),
        *(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=hint)
            for name, hint in {**options, "changes": _CHANGES, "words": Words}.items()
        ),
        *(each.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[each.name]) for each in own),
    ]

    @functools.wraps(command)
    def run(**given: Any) -> None:
        asked = {name: given.pop(name) for name in (*_OF_ALL, *options)}
        asked["overrides"] = dict(_change(text) for text in given.pop("changes") or ())
        asked["metadata"] = metadata(given.pop("words"))
        raise_if_not_finite(asked)  # before a folder is sent, which may take long
        if not asked["dataset"]:  # to Python the empty path is the folder that a script runs in
            raise UsageError("DATASET is empty: name a dataset, or a folder; '.' is the one that you are in.")
        command(asked=asked, **given)

    run.__annotations__ = {each.name: each.annotation for each in parameters}
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return run


def metadata(words: list[str] | None) -> dict[str, str] | None:
    """The words of `--metadata`, by key; None where there are none.

    Raises:
        UsageError: one is not KEY=VALUE.
    """
    pairs = [word.partition("=") for word in words or ()]
    for key, equals, value in pairs:
        if not key or not equals:
            raise UsageError(
                f"--metadata {key}{equals}{value}: write KEY=VALUE, for instance --metadata commit=3f2c1a9"
            )
    return {key: value for key, _, value in pairs} or None


def seconds(text: str | None) -> float | None:
    """The seconds of `--timeout`. Raises UsageError: it is no time."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if not match:
        raise UsageError(f"--timeout {text}: write a time like 90, 90s, 30m or 2h")
    return float(match[1]) * _UNITS[match[2]]


def _help(hint: Any) -> str | None:
    return next(iter(getattr(hint, "__metadata__", ())), None)


def _change(text: str) -> tuple[str, Any]:
    path, equals, value = text.partition("=")
    if not equals or not path:
        raise UsageError(f"--set {text}: write PATH=VALUE, for instance --set objective.syn_steps=20")
    try:
        return path, json.loads(value)
    except ValueError:
        return path, value  # a bare word is text
