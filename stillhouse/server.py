"""The server that may lie beside this package: found, never imported."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from stillhouse.errors import UsageError

_ROOT = Path(__file__).parent.parent
_ROOMS = ("api", "core", "worker")
_PACKAGES = ("celery", "fastapi", "platformdirs", "sqlalchemy", "torch")
"""Some of what `requirements.lock` brings: enough to tell the server's environment from the client's."""


def is_here() -> bool:
    """Whether this is a checkout or an image of Stillhouse, and not the client alone."""
    # Looked for beside this package: one called `api` elsewhere would be somebody else's.
    return all((_ROOT / room / "__init__.py").is_file() for room in _ROOMS)


def missing() -> list[str]:
    """Names of packages that the server needs and this environment lacks."""
    return [package for package in _PACKAGES if importlib.util.find_spec(package) is None]


def require(command: str) -> None:
    """Go on only where the server can run.

    Raises:
        UsageError: it cannot; `command` is what the message names as in need of it.
    """
    if not is_here():
        raise UsageError(
            f"'{command}' needs the server, and only the client is installed here: run it in a checkout of Stillhouse "
            "after 'make install', or in its image, or ask a service that runs elsewhere (STILLHOUSE_URL names it)."
        )
    if lacks := missing():
        raise UsageError(f"'{command}' needs {', '.join(lacks)}: run 'make install' in {_ROOT}.")


def python(module: str, *arguments: str) -> list[str]:
    """Command that runs a module of the installed server, never one of the same name in the current folder."""
    return [sys.executable, "-P", "-m", module, *arguments]
