"""`stillhouse datasets` and `stillhouse upload`; the dataset that a word of the command line means."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict, Unpack, cast, get_type_hints

import typer

from stillhouse import paths
from stillhouse.api import Client
from stillhouse.errors import InvalidDataset, UsageError
from stillhouse.output import JsonOption, data, say, table
from stillhouse.upload import (
    FILES,
    Missing,
    Reading,
    Size,
    TableKind,
    Turned,
    as_options,
    ready,
    standing,
    title_of,
    words_of,
)

Mirror = Literal["auto", "yes", "no"]

_ARRAYS = (".npz",)
"""How the names of files end that hold no pictures that could be scaled."""

Side = Annotated[
    str | None,
    typer.Option("--size", metavar="PIXELS|auto", help="Scale pictures to squares of so many pixels, 4 to 512."),
]
Mirrored = Annotated[
    Mirror,
    typer.Option("--mirror", help="Whether a mirrored picture stays what it is; 'auto' finds it out."),
]


LabelColumn = Annotated[
    str | None,
    typer.Option(
        "--label-column", metavar="NAME", help="Of a table, or of one beside pictures: the column of the labels."
    ),
]
Gaps = Annotated[
    Missing | None,
    typer.Option("--missing", help="Of a table or series: what stands in for missing values; else they are refused."),
]
Rows = Annotated[
    TableKind | None,
    typer.Option("--kind", help="Of a table: 'series' where its columns are the steps of one series a row."),
]
Order = Annotated[
    str | None,
    typer.Option("--order", metavar="CLASSES", help="The classes in their order, each once: small,medium,large."),
]
TrainFolder = Annotated[
    str | None,
    typer.Option("--train-folder", metavar="NAME", help="The folder that is the training set; else found by its name."),
]
TestFolder = Annotated[
    str | None,
    typer.Option("--test-folder", metavar="NAME", help="The folder that is the test set; else found by its name."),
]
SkipBroken = Annotated[
    bool | None,
    typer.Option("--skip-broken", help="Leave out files that cannot be taken, and say which; else all is refused."),
]


Transposed = Annotated[
    Turned | None,
    typer.Option("--transposed", help="Of IDX files and tables of pixels: whether rows of pictures are columns."),
]


class Upload(TypedDict, total=False):
    """How the command line has files uploaded: what is missing, or None, says nothing."""

    name: str | None
    size: str | None
    mirror: Mirror | None
    label_column: str | None
    missing: Missing | None
    kind: TableKind | None
    order: str | None
    train_folder: str | None
    test_folder: str | None
    skip_broken: bool | None
    transposed: Turned | None


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
                "x".join(map(str, _natural(d))),
                d.get("classes"),
                d.get("train_count"),
                d.get("test_count"),
                "yes" if d.get("on_disk") else "no" if d.get("state", "ready") == "ready" else d["state"],
                d.get("title"),
            )
            for d in rows
        ],
    )


def _natural(dataset: Mapping[str, Any]) -> Sequence[int]:
    """The shape of an example as its source has it: pictures (C, H, W), rows (F,), series (C, T)."""
    shape = dataset.get("shape") or ()
    return {"vectors": shape[:1], "series": shape[::2]}.get(dataset.get("kind", "pictures"), shape)


def upload(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH",
            parser=paths.path,
            help="A zip, tar or folder of class folders, IDX files or tables; an npz bundle; a table (CSV, Parquet).",
        ),
    ],
    name: Annotated[str | None, typer.Option("--name", help="What to call it; else as the file or folder.")] = None,
    size: Side = None,
    mirror: Mirrored = "auto",
    label_column: LabelColumn = None,
    missing: Gaps = None,
    kind: Rows = None,
    order: Order = None,
    train_folder: TrainFolder = None,
    test_folder: TestFolder = None,
    skip_broken: SkipBroken = None,
    transposed: Transposed = None,
    as_json: JsonOption = False,
) -> None:
    """Upload a dataset, wait until it was inspected, and print what jobs call it."""
    with Client() as client:
        words = Upload(label_column=label_column, missing=missing, kind=kind, order=order, skip_broken=skip_broken)
        words |= {"train_folder": train_folder, "test_folder": test_folder, "transposed": transposed}
        reading = _reading(words)
        with _told_in_options():
            found = client.upload(path, name, size=_side(size), mirror=mirror, told=say, **reading)
    say(_described(found))
    if found.get("evidence"):
        say(f"The pictures that led to this: {client.url.rstrip('/')}/uploads/{found['name']}")
    data(found if as_json else found["name"])


def located(client: Client, word: str, **upload: Unpack[Upload]) -> str:
    """The dataset that a word means, by the name jobs call it: a folder or file here is uploaded first.

    A dataset of the catalogue comes before a folder of the same name, unless the word is more than a name: `./digits`.

    Raises:
        UsageError: the word can only be a path, and nothing is there; or it is no path, and yet it is said how to
            upload it.
    """
    path = Path(word)
    if path.name != word or path.suffix.lower() in FILES:
        if path.exists():
            return _sent(client, path, upload)
        if word not in (each.get("title") for each in client.datasets()):
            raise UsageError(f"There is no folder or file {word}: see 'stillhouse datasets' for what the service has.")
    elif path.is_dir() and word not in (each["name"] for each in client.datasets()):
        return _sent(client, path, upload)
    if said := [f"--{name.replace('_', '-')}" for name, value in upload.items() if value is not None]:
        here = f" The folder of this name is ./{word}." if path.exists() else ""
        raise UsageError(
            f"{' and '.join(said)}: said of what is uploaded, and {word} is a dataset of the service. Leave "
            f"{'it' if len(said) == 1 else 'them'} out, or name a folder, zip or bundle by its path.{here}"
        )
    return word


def _sent(client: Client, path: Path, upload: Upload) -> str:
    """The name for jobs of the dataset in a folder or file here: it is uploaded, unless an equal one was before.

    How that one was read holds where nothing is said of it now: whoever uploads a folder and then names it means that.
    """
    name, said = upload.get("name"), _reading(upload)
    size, mirror = _side(upload.get("size")), upload.get("mirror")
    words = {**said, **({"size": size} if size else {}), **({"mirror": mirror} if mirror else {})}
    with ready(path) as file:
        known = standing(client.datasets(), file, path, name, words)
        if known and not client.dataset(known["name"], verify=True)["on_disk"]:
            say(f"{path} was uploaded before, and lost since: it is sent again.")
            with _told_in_options():
                found = client.upload(file, known["sent"]["name"], **words_of(known))
            say(_described(found))
            return str(found["name"])
        if known:
            read = " ".join(
                as_options(key if word is True else f"{key}={word}")
                for key, word in words_of(known).items()
                if word != words.get(key, "auto")
            )
            how = f", read with {read}" if read else ""
            say(f"{path} was uploaded before{how}: it is '{known['title']}' ({known['name']}).")
            return str(known["name"])
        name = name or title_of(path)
        say(f"Uploading {path} as '{name}' ({file.stat().st_size:,} bytes).")
        unsaid: Size = None if path.suffix.lower() in _ARRAYS and path.is_file() else "auto"
        with _told_in_options():
            found = client.upload(file, name, size=size or unsaid, mirror=mirror or "auto", **said)
    say(_described(found))
    return str(found["name"])


def _reading(said: Upload) -> Reading:
    """The words on how the file is to be read."""
    words = {name: said.get(name) for name in get_type_hints(Reading)}
    return cast("Reading", {name: word for name, word in words.items() if word})


def _described(found: Mapping[str, Any]) -> str:
    kind = found.get("kind", "pictures")
    noun = {"vectors": "rows", "series": "series"}.get(kind, "images")
    counts = f"{found['train_count']:,} training and {found['test_count']:,} test {noun}, {found['classes']} classes"
    mirrored = [found["mirroring"]["remark"]] if kind == "pictures" else []
    return " ".join([f"{found['title']}: {counts}.", *map(as_options, [*found["remarks"], *mirrored])])


@contextmanager
def _told_in_options() -> Iterator[None]:
    """A refusal of the inspection names options of the command line, not parameters of the API."""
    try:
        yield
    except InvalidDataset as fault:
        raise InvalidDataset(fault.name, as_options(fault.problem), fault.title) from None


def _side(text: str | None) -> Size:
    if text is None or text == "auto":
        return "auto" if text else None
    if not re.fullmatch("[0-9]{1,3}", text) or not 4 <= int(text) <= 512:
        raise UsageError(f"--size {text}: say a number of pixels from 4 to 512, or auto")
    return int(text)
