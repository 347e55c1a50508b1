"""Where the state of a service on this machine lies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stillhouse.paths import folder

Home = Annotated[
    Path | None,
    typer.Option(
        "--home",
        envvar="STILLHOUSE_HOME",
        show_default="the platform's data folder",
        parser=folder,
        help="Folder of all state.",
    ),
]


def home_folder(home: Path | None) -> Path:
    """The folder that was named, or else the one that the server on this machine takes."""
    if home is not None:
        return home
    import platformdirs  # belongs to the server, as whatever asks for this folder does

    return Path(platformdirs.user_data_dir("stillhouse"))
