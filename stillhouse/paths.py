"""Paths on the command line. An empty word names none: to Python it would be the folder that a script runs in."""

from __future__ import annotations

from pathlib import Path

import typer


def path(text: str) -> Path:
    """A file or folder, there or not. Raises typer.BadParameter: it is empty, as an unset variable of a script is."""
    if not text:
        raise typer.BadParameter("It is empty: name a file or folder; '.' is the one that you are in.")
    return Path(text)


def folder(text: str) -> Path:
    """A folder, there or not. Raises typer.BadParameter: it is empty, or a file."""
    found = path(text)
    if found.exists() and not found.is_dir():
        raise typer.BadParameter(f"'{text}' is a file: name a folder.")
    return found


def file(text: str) -> Path:
    """A file, there or not. Raises typer.BadParameter: it is empty, or a folder."""
    found = path(text)
    if found.is_dir():
        raise typer.BadParameter(f"'{text}' is a folder: name a file.")
    return found
