"""The commands that bring a result here and check it: `stillhouse distill`, `wait`, `get`, `verify`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from stillhouse import catalogue, paths, pins
from stillhouse import forecast as cost
from stillhouse.api import Client
from stillhouse.checksums import MANIFEST, digest_of, published
from stillhouse.checksums import verify as find_problems
from stillhouse.download import names_taken, writable
from stillhouse.errors import ClientError, HashMismatch, Problem, Unreachable, UsageError
from stillhouse.interrupt import interruptible
from stillhouse.jobs import File, Job
from stillhouse.operations import JobId
from stillhouse.options import Asked, ordering, seconds
from stillhouse.order import SIZES
from stillhouse.output import JsonOption, data, say, stderr
from stillhouse.pins import Pin
from stillhouse.progress import display

Form = Literal["artifact", "webdataset"]
Out = Annotated[Path, typer.Option("--out", parser=paths.folder, help="Folder for the artifact.")]
Timeout = Annotated[
    str | None,
    typer.Option(
        "--timeout", metavar="TIME", help="Longest the command may take: 90, 90s, 30m, 2h. Default: no limit."
    ),
]

PATIENCE = 60.0
"""Seconds a command survives a restart of the service."""

_LONGEST = 150
"""Bytes of a title in a folder's name: with method, size and a job's id no file system finds it too long."""


@ordering
def distill(
    asked: Asked,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", parser=paths.folder, help="Folder for the artifact; else named after what was distilled."
        ),
    ] = None,
    timeout: Timeout = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the result (always so; for scripts to say it).")
    ] = True,
    name: Annotated[str | None, typer.Option("--name", help="What to call the upload; else as the folder.")] = None,
    size: catalogue.Side = None,
    mirror: Annotated[
        catalogue.Mirror | None, typer.Option("--mirror", help="Of an upload: whether mirrored pictures stay the same.")
    ] = None,
    label_column: catalogue.LabelColumn = None,
    missing: catalogue.Gaps = None,
    kind: catalogue.Rows = None,
    order: catalogue.Order = None,
    train_folder: catalogue.TrainFolder = None,
    test_folder: catalogue.TestFolder = None,
    skip_broken: catalogue.SkipBroken = None,
    transposed: catalogue.Transposed = None,
    lock: Annotated[
        Path | None,
        typer.Option(
            "--lock", parser=paths.file, help="Pin the artifact in this file, and from then on bring that one."
        ),
    ] = None,
    relock: Annotated[bool, typer.Option("--relock", help="With --lock: ask anew, and pin what comes.")] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="With --lock: ask no service; --out must hold the pinned artifact.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Submit, wait, download, verify. Succeeds only with a verified artifact in --out, and prints that folder.

    DATASET may be a folder of class folders, its zip, or a table, here: it is uploaded first, unless an equal one was
    before. The options of 'stillhouse upload' then say how it is read.

    With --lock the first run pins the artifact, and every later one brings that very artifact, whatever the service
    would make by then; commit the file.
    """
    if out is not None and not writable(out):
        raise UsageError(f"{out} cannot be made: name another folder with --out.")
    if all(asked.get(size) is None for size in SIZES):  # before a folder is sent, which may take long
        raise UsageError("Nothing says how small the set is to be: add --ipc 10, or see 'stillhouse distill --help'.")
    upload = catalogue.Upload(name=name, size=size, mirror=mirror)
    upload |= {"label_column": label_column, "missing": missing, "kind": kind, "order": order}
    upload |= {"train_folder": train_folder, "test_folder": test_folder, "skip_broken": skip_broken}
    upload |= {"transposed": transposed}
    pin = _pin(_read_as(asked, upload), out, lock, relock, offline)
    with Client(patience=PATIENCE, limit=seconds(timeout)) as client:
        if pin is not None and out is not None:
            done = _pinned(client, pin, out, offline)
        else:
            done = _ordered(client, asked, upload, out, lock)
    data(done if as_json else done["folder"])


def wait(job_id: JobId, timeout: Timeout = None, as_json: JsonOption = False) -> None:
    """Wait until a job has succeeded, with live progress."""
    with Client(patience=PATIENCE, limit=seconds(timeout)) as client:
        job = _wait(client, job_id)
    data(job.raw if as_json else job.status)


def get(
    job_id: JobId,
    out: Out,
    form: Annotated[
        Form, typer.Option("--format", help="All files, or the set alone as a shard for WebDataset.")
    ] = "artifact",
    as_json: JsonOption = False,
) -> None:
    """Download a finished job's artifact, continue where an earlier download stopped, verify every byte."""
    with Client(patience=PATIENCE) as client:
        if form == "webdataset":
            with _kept(job_id, out):
                shard = client.webdataset(job_id, out)
            data({"file": str(shard), "bytes": shard.stat().st_size} if as_json else str(shard))
            return
        fetched = _download(client, job_id, out)
    data({"folder": str(out), "bytes_fetched": fetched, "digest": digest_of(out)} if as_json else str(out))


def verify(
    folder: Annotated[Path, typer.Argument(parser=paths.folder, help="Folder of an artifact.")],
    digest: Annotated[
        str | None,
        typer.Option("--digest", metavar="sha256:HEX", help="The artifact that it must be, as stillhouse.lock has it."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check an artifact's files against its checksums; needs no service.

    An artifact that somebody has changed, its checksums with it, is told by --digest alone.
    """
    if digest is not None and not re.fullmatch("sha256:[0-9a-f]{64}", digest):
        raise UsageError(f"--digest {digest}: write sha256: and 64 hexadecimal digits, as 'stillhouse verify' prints.")
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}: name one that an artifact was downloaded to.")
    problems = find_problems(folder, digest)
    if as_json:
        own = None if problems else digest_of(folder)
        data({"folder": str(folder), "verified": not problems, "digest": own, "problems": problems})
    if problems:
        raise HashMismatch("\n".join([f"{folder} is not as published:", *problems]))
    say(f"Every file in {folder} is as published: {digest_of(folder)}")


def submitted(client: Client, asked: Asked) -> Job:
    """The job that an order becomes, with a line that says so and what is to be known of it."""
    job = client.submit(**asked)
    say(f"job {job.id}  {job.title}" + ("  (finished before)" if job.cached else ""))
    if job.forecast and not job.ended:
        for remark in [*cost.total(job.forecast), *cost.remarks(job.forecast)]:
            say(remark)
    return job


def _pin(asked: Asked, out: Path | None, lock: Path | None, relock: bool, offline: bool) -> Pin | None:
    """The pin of the folder, if it is to be kept to; raises UsageError where the order is another one than its."""
    if lock is None:
        if said := [name for name, value in {"--relock": relock, "--offline": offline}.items() if value]:
            raise UsageError(f"{' and '.join(said)}: add --lock FILE, which says what is pinned.")
        return None
    if out is None:
        raise UsageError("--lock pins what a folder holds: add --out FOLDER.")
    if relock and offline:
        raise UsageError("--relock asks the service, --offline does not: leave one of them out.")
    if not writable(lock.parent):
        raise UsageError(f"{lock} cannot be written there: name another file with --lock.")
    pin = pins.read(lock).get(pins.path_in(lock, out))
    if pin is None and offline:
        raise UsageError(f"{lock} pins nothing for {out}: run it once without --offline, and commit {lock}.")
    if pin is None or relock:
        return None
    path, source = Path(asked["dataset"]), pin.source
    if source is not None:
        asked = asked | {"dataset": pins.path_in(lock, path)}
        source = pins.source(path) if path.exists() else source  # the pinned artifact is wanted, not its pictures
    if departures := pin.departures(asked, source):
        told = [f"{lock} pins another artifact for {out}:", *departures]
        raise UsageError("\n  ".join([*told, "Add --relock to ask for this one and pin it, or name another --out."]))
    return pin


def _pinned(client: Client, pin: Pin, out: Path, offline: bool) -> dict[str, Any]:
    """The pinned artifact in its folder: as it is there, or brought."""
    problems = find_problems(out, pin.digest)
    if problems and offline:
        fix = "Without --offline it is brought from the service."
        raise HashMismatch("\n".join([f"{out} does not hold the pinned artifact:", *problems, fix]))
    if problems:
        try:
            job_id = client.artifact(pin.digest)["job"]
        except Problem as error:
            if error.status != 404:
                raise
            told = f"The service at {client.url} has no artifact {pin.digest}: it was deleted, or made elsewhere."
            raise ClientError(f"{told}\n  Add --relock to ask for it anew, and pin what comes.", exit_code=7) from None
        _download(client, job_id, out, pin.digest)
    else:
        say(f"{out} holds the pinned artifact, every byte verified.")
    return {"folder": str(out), "cached": True, "job": None, "digest": pin.digest}


def _ordered(
    client: Client, asked: Asked, upload: catalogue.Upload, out: Path | None, lock: Path | None
) -> dict[str, Any]:
    """The artifact that the service makes, or made before, in its folder; pinned, if there is a lock file."""
    try:
        dataset = catalogue.located(client, asked["dataset"], **upload)
        order, source = _read_as(asked, upload), ""
        if lock is not None and dataset != asked["dataset"]:
            # The digest is the service's own: the files here may change while the job runs.
            source = str(client.dataset(dataset)["sent"]["sha256"])
            order |= {"dataset": pins.path_in(lock, Path(asked["dataset"]))}
        first = submitted(client, asked | {"dataset": dataset})
    except Unreachable as error:
        if out and published(out):
            left = f"The artifact in {out} is left as it was; its recipe.json says what was asked for."
            raise Unreachable(f"{error}\n  {left}") from None
        raise
    job = _wait(client, first.id)
    out = out or _folder_of(client, job)
    _download(client, job.id, out)
    digest = digest_of(out)
    if lock is not None:
        pin = Pin(pins.pinned(order), source or None, job.raw.get("fingerprint"), digest)
        pins.write(lock, pins.path_in(lock, out), pin)
        say(f"{lock} pins it: {digest}")
    return {"folder": str(out), "cached": first.cached, "job": job.raw, "digest": digest}


def _folder_of(client: Client, job: Job) -> Path:
    """The folder here that is named after what was distilled; with the job's id, where that one holds something else.

    An artifact of the same request, as an older engine made it, gives way to this one.
    """
    folder = Path(folder_name(job.dataset_title, job.method, job.ipc))
    same = not published(folder) or (
        json.loads((folder / MANIFEST).read_text("utf-8"))["request"] == client.manifest(job.id)["request"]
    )
    if same and not names_taken(client.files(job.id), folder):
        return folder
    own = folder.with_name(f"{folder.name}-{job.id}")
    say(f"{folder} holds something else, so this result is in {own}; --out names another folder.")
    return own


def folder_name(title: str, method: str, ipc: int | None) -> str:
    """A name for a folder with a job's result, whatever its dataset's title is."""
    short = title.encode()[:_LONGEST].decode(errors="ignore")
    return re.sub(r"[^\w.]+", "-", f"{short}-{method}-{ipc}").strip("-.")


def _read_as(asked: Asked, upload: catalogue.Upload) -> Asked:
    """The order with how its files are read; what they are called says nothing about the result."""
    return {**asked, **{field: value for field, value in upload.items() if field != "name"}}


def _wait(client: Client, job_id: str) -> Job:
    try:
        with interruptible() as check, display(stderr()) as show:

            def watch(job: Job) -> None:
                check()
                show(job)

            job = client.wait(job_id, watch=watch)
    except KeyboardInterrupt:
        left = f"\nThe job goes on. Wait again: stillhouse wait {job_id}   End it: stillhouse cancel {job_id}"
        raise ClientError(left, exit_code=130) from None
    if job.forecast and job.forecast.seconds:
        say(f"It took {cost.duration(job.seconds)}; the forecast was {job.forecast.seconds}.")
    return job


def _download(client: Client, job_id: str, out: Path, digest: str | None = None) -> int:
    names: set[str] = set()

    def received(file: File, arrived: int) -> None:
        names.add(file.name)

    with _kept(job_id, out):
        fetched = client.download(job_id, out, received, digest=digest)
    say(f"{len(names)} files in {out}, every byte verified ({fetched:,} bytes fetched)")
    return fetched


@contextmanager
def _kept(job_id: str, out: Path) -> Iterator[None]:
    """Say of a folder that cannot be written how to have the result in another one."""
    try:
        yield
    except OSError as error:
        told = f"{out} cannot be written: {error.strerror}. The result is kept: stillhouse get {job_id} --out FOLDER"
        raise ClientError(told) from None
