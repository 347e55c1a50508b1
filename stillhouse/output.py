"""The command line's output: data on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, NoReturn

import typer
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from stillhouse.errors import ClientError, FieldProblem, Problem, UsageError

_JSON = "stillhouse.json"
_MISWRITTEN: Any = typer.BadParameter.__base__
"""The exception for any call that is not written as a command is: Typer has a name for its heir alone."""


def stderr() -> Console:
    """Where people read; NO_COLOR is honoured."""
    return Console(stderr=True, highlight=False)


def say(message: str) -> None:
    """A line for people."""
    stderr().print(message, markup=False, soft_wrap=True)


def data(value: object) -> None:
    """A line for scripts: text as it is, anything else as JSON."""
    typer.echo(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table for people and `grep`: on a pipe no cell is ever cut, and no line ends in spaces."""
    lines = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        whole = [list(columns), *([" ".join(cell.splitlines()) for cell in line] for line in lines)]
        widths = [max(map(cell_len, column)) for column in zip(*whole, strict=True)]
        for line in whole:
            cells = (set_cell_size(cell, width) for cell, width in zip(line, widths, strict=True))
            data("  ".join(cells).rstrip())
        return
    grid = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        grid.add_column(column, overflow="fold")
    for line in lines:
        grid.add_row(*map(Text, line))
    Console(highlight=False).print(grid)


def wants_json(context: typer.Context, value: bool) -> bool:
    """Callback of `--json`: remembered for the whole call, errors included."""
    context.meta[_JSON] = context.meta.get(_JSON, False) or value
    return value


JsonOption = Annotated[
    bool, typer.Option("--json", callback=wants_json, is_eager=True, help="Print JSON instead of text.")
]


class Commands(TyperGroup):
    """The commands, with every `ClientError` turned into a message and its exit code in one place.

    Where `--json` is among the words, whatever else goes wrong ends with a document, too.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read what comes before a command's name."""
        asked = "--json" in args
        try:
            return super().parse_args(ctx, args)
        except _MISWRITTEN as error:
            if not asked:
                raise  # Typer tells people
            _fail(UsageError(error.format_message()), as_json=True)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        asked = "--json" in (*ctx._protected_args, *ctx.args)
        try:
            return super().invoke(ctx)
        except ClientError as error:
            _fail(error, as_json=bool(ctx.meta.get(_JSON)))
        except _MISWRITTEN as error:
            if not asked:
                raise  # Typer tells people
            _fail(UsageError(error.format_message()), as_json=True)
        except KeyboardInterrupt:
            if not asked:
                raise
            _fail(ClientError("Interrupted.", exit_code=130), as_json=True)
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if not asked:
                raise
            traceback.print_exc()
            _fail(ClientError(f"Unexpected: {type(error).__name__}: {error}"), as_json=True)


def _fail(error: ClientError, *, as_json: bool) -> NoReturn:
    if as_json:
        fields = getattr(error, "errors", ())
        document = {
            "error": type(error).__name__,
            "message": str(error).strip(),
            "exit_code": error.exit_code,
            "status": error.status if isinstance(error, Problem) else None,
            "errors": [vars(field) for field in fields if isinstance(field, FieldProblem)],
        }
        typer.echo(json.dumps(document, ensure_ascii=False), err=True)
    else:
        stderr().print(str(error), style="red", markup=False, soft_wrap=True)
    raise typer.Exit(error.exit_code)
