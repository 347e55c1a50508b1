"""`stillhouse datasets` and `stillhouse upload`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from stillhouse.api import Client
from stillhouse.output import JsonOption, data, say, table

Mirror = Literal["auto", "yes", "no"]


def datasets(as_json: JsonOption = False) -> None:
    """List the datasets."""
    with Client() as client:
        rows = client.datasets()
    if as_json:
        data(rows)
        return
    table(
        ("DATASET", "SHAPE", "CLASSES", "TRAIN", "TEST", "HERE", "TITLE"),
        [
            (
                d["name"],
                "x".join(map(str, d.get("shape") or ())),
                d.get("classes"),
                d.get("train_count"),
                d.get("test_count"),
                "yes" if d.get("on_disk") else "no" if d.get("state", "ready") == "ready" else d["state"],
                d.get("title"),
            )
            for d in rows
        ],
    )


def upload(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A zip or folder of class folders, or an npz bundle.")],
    name: Annotated[str, typer.Option("--name", help="What to call it.")],
    size: Annotated[
        int | None, typer.Option("--size", min=4, max=512, help="Scale pictures to squares of so many pixels.")
    ] = None,
    mirror: Annotated[
        Mirror,
        typer.Option("--mirror", help="Whether a mirrored picture stays what it is; 'auto' finds it out."),
    ] = "auto",
    as_json: JsonOption = False,
) -> None:
    """Upload a dataset, wait until it was inspected, and print what jobs call it."""
    with Client() as client:
        found = client.upload(path, name, size=size, mirror=mirror)
    counts = f"{found['train_count']:,} training and {found['test_count']:,} test images, {found['classes']} classes"
    say(" ".join([f"{name}: {counts}.", *found["remarks"], found["mirroring"]["remark"]]))
    data(found if as_json else found["name"])
