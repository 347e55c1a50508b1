"""Where the state of a service on this machine lies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import platformdirs
import typer

Home = Annotated[
    Path,
    typer.Option(
        "--home",
        envvar="STILLHOUSE_HOME",
        default_factory=lambda: Path(platformdirs.user_data_dir("stillhouse")),
        show_default="the platform's data folder",
        file_okay=False,
        help="Folder of all state.",
    ),
]
