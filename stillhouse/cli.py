"""The `stillhouse` command."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from stillhouse import catalogue, keys, server
from stillhouse import doctor as machine
from stillhouse import forecast as cost
from stillhouse import serve as service
from stillhouse.advise import advise
from stillhouse.api import Client
from stillhouse.checksums import published
from stillhouse.checksums import verify as find_problems
from stillhouse.download import writable
from stillhouse.errors import ClientError, HashMismatch, Unreachable, UsageError
from stillhouse.home import Home, home_folder
from stillhouse.interrupt import interruptible
from stillhouse.jobs import File, Job
from stillhouse.operations import JobId, cancel, delete, finish, pause, resume, retry
from stillhouse.options import Words, metadata, ordering
from stillhouse.order import SIZES, Order, Sort, body
from stillhouse.output import Commands, JsonOption, data, say, stderr, table
from stillhouse.progress import display
from stillhouse.report import report

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Distilled datasets on demand. STILLHOUSE_URL says where the service is, STILLHOUSE_API_KEY who you are.",
    epilog="Exit codes: 0 ok · 1 unexpected · 2 usage · 3 job failed · 4 job cancelled · 5 wait timed out · "
    "6 key or quota · 7 not found · 8 hash mismatch · 9 service unreachable · 130 interrupted.",
)

app.add_typer(keys.app, name="key")

Asked = dict[str, Any]  # the arguments of `Client.submit`
Out = Annotated[Path, typer.Option("--out", file_okay=False, help="Folder for the artifact.")]
Timeout = Annotated[
    str | None,
    typer.Option(
        "--timeout", metavar="TIME", help="Longest the command may take: 90, 90s, 30m, 2h. Default: no limit."
    ),
]
Host = Annotated[str, typer.Option("--host", envvar="STILLHOUSE_HOST", help="Address to listen on.")]
Port = Annotated[
    int, typer.Option("--port", envvar="STILLHOUSE_PORT", min=0, max=65535, help="Port; 0 takes a free one.")
]

_PATIENCE = 60.0  # seconds a command survives a restart of the service
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


# --- the service


@app.command()
def serve(home: Home = None, host: Host = "127.0.0.1", port: Port = 8000, as_json: JsonOption = False) -> None:
    """Run the whole service here: ledger, API, one worker, sweeper. Ctrl-C ends it."""
    server.require("stillhouse serve")
    address = service.claim_address(host, port, home_folder(home))

    def ready(where: service.Address) -> None:
        if as_json:
            data({"url": where.url, "home": str(where.home), "pid": os.getpid()})
        say(f"Stillhouse is ready at {where.url}  (state in {where.home}; Ctrl-C ends it)")

    service.serve(address, ready)
    say("Stillhouse has stopped.")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def worker(context: typer.Context) -> None:
    """Run one worker against STILLHOUSE_DATABASE_URL and STILLHOUSE_BROKER_URL."""
    server.require("stillhouse worker")
    command = server.python("worker", *context.args)
    os.execv(command[0], command)


@app.command()
def doctor(home: Home = None, host: Host = "127.0.0.1", port: Port = 8000, as_json: JsonOption = False) -> None:
    """Check what this machine needs: Python, the service; to be a server, torch and device, disk, port, folder."""
    healthy = True
    for finding in machine.examine(home, host, port):
        healthy &= finding.ok is not False
        if as_json:
            data(finding.as_json())
        else:
            mark = {True: "ok", False: "FAIL", None: "--"}[finding.ok]
            fix = f"  {finding.fix}" if finding.ok is False and finding.fix else ""
            data(f"{mark:<5}{finding.name:<9}{finding.found}{fix}")
    if not healthy:
        raise ClientError("This machine is not ready; see the lines marked FAIL.")


@app.command(name="compile")
@ordering
def compile_ahead(asked: Asked, home: Home = None, as_json: JsonOption = False) -> None:
    """Compile here what such a job will call, before anybody asks for it: for an image, or on a new machine."""
    server.require("stillhouse compile")
    if home is not None:
        os.environ["STILLHOUSE_HOME"] = str(home)
    order = body(asked.pop("dataset"), asked.pop("method"), cast("Order", asked))
    command = server.python("worker.engine.compile", json.dumps(order))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None, "it is a pipe"
        for line in process.stdout:
            done = json.loads(line)
            there = done["programs"] - done["compiled"]
            told = f"{done['compiled']} programs compiled in {done['seconds']:.0f} s, {there} were there."
            data(done if as_json else f"{done['method']}: {told} {done['reason']}")
    if process.returncode:  # it has said why
        raise typer.Exit(process.returncode)


# --- what there is


@app.command()
def methods(as_json: JsonOption = False) -> None:
    """List the methods."""
    with Client() as client:
        rows = client.methods()
    if as_json:
        data(rows)
    else:
        table(("METHOD", "FAMILY", "WHAT"), [(m["name"], m.get("family"), m.get("title")) for m in rows])


app.command()(catalogue.datasets)
app.command()(catalogue.upload)
app.command()(advise)


# --- jobs


@app.command()
@ordering
def forecast(
    asked: Asked,
    timeout: Annotated[
        str,
        typer.Option(
            "--timeout",
            metavar="TIME",
            help="Longest the command may take, most of it for a worker that measures its hardware; 0s: ask once.",
        ),
    ] = "60s",
    as_json: JsonOption = False,
) -> None:
    """Say what a job would cost in time, memory and disk, without asking for it."""
    patience = _seconds(timeout) or 0.0
    with Client(limit=patience or None) as client:
        found = client.forecast(**asked, wait=patience)
    if as_json:
        data(found.raw)
        return
    if found.seconds:
        table(cost.COLUMNS, cost.rows(found))
        data(f"On {found.hardware}. {found.basis}")
    else:
        data(found.basis)
    for remark in cost.remarks(found):
        data(remark)
    known = {"experts": found.expert_bytes, "labels": found.label_bytes, "compact file": found.compact_bytes}
    known |= {"artifact": found.artifact_bytes}
    sizes = [f"{name} {size:,} bytes" for name, size in known.items() if size]
    data("; ".join([*([f"peak memory {found.peak_mib:,.0f} MiB"] if found.peak_mib else []), *sizes]))


@app.command()
@ordering
def submit(asked: Asked, as_json: JsonOption = False) -> None:
    """Ask for a distilled dataset and print the job's id."""
    with Client(patience=_PATIENCE) as client:
        job = _submit(client, asked)
    data(job.raw if as_json else job.id)


@app.command()
@ordering
def distill(
    asked: Asked,
    out: Annotated[
        Path | None,
        typer.Option("--out", file_okay=False, help="Folder for the artifact; else named after what was distilled."),
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
    as_json: JsonOption = False,
) -> None:
    """Submit, wait, download, verify. Succeeds only with a verified artifact in --out, and prints that folder.

    DATASET may be a folder of class folders, or its zip, here: it is uploaded first, unless an equal one was before.
    --name, --size and --mirror are then as in 'stillhouse upload'.
    """
    if out is not None and not writable(out):
        raise UsageError(f"{out} cannot be made: name another folder with --out.")
    if all(asked.get(size) is None for size in SIZES):  # before a folder is sent, which may take long
        raise UsageError("Nothing says how small the set is to be: add --ipc 10, or see 'stillhouse distill --help'.")
    with Client(patience=_PATIENCE, limit=_seconds(timeout)) as client:
        try:
            dataset = catalogue.located(client, asked["dataset"], name=name, size=size, mirror=mirror)
            submitted = _submit(client, asked | {"dataset": dataset})
        except Unreachable as error:
            if out and published(out):
                left = f"The artifact in {out} is left as it was; its recipe.json says what was asked for."
                raise Unreachable(f"{error}\n  {left}") from None
            raise
        job = _wait(client, submitted.id)
        out = out or Path(re.sub(r"[^\w.]+", "-", f"{job.dataset_title}-{job.method}-{job.ipc}").strip("-."))
        _download(client, job.id, out)
    data({"folder": str(out), "cached": submitted.cached, "job": job.raw} if as_json else str(out))


@app.command()
def wait(job_id: JobId, timeout: Timeout = None, as_json: JsonOption = False) -> None:
    """Wait until a job has succeeded, with live progress."""
    with Client(patience=_PATIENCE, limit=_seconds(timeout)) as client:
        job = _wait(client, job_id)
    data(job.raw if as_json else job.status)


@app.command()
def get(job_id: JobId, out: Out, as_json: JsonOption = False) -> None:
    """Download a finished job's artifact, continue where an earlier download stopped, verify every byte."""
    with Client(patience=_PATIENCE) as client:
        fetched = _download(client, job_id, out)
    data({"folder": str(out), "bytes_fetched": fetched} if as_json else str(out))


@app.command()
def show(job_id: JobId, as_json: JsonOption = False) -> None:
    """Show a job."""
    with Client() as client:
        job = client.job(job_id)
    if as_json:
        data(job.raw)
    else:
        shown = {name: value for name, value in job.raw.items() if name != "forecast"}
        table(("FIELD", "VALUE"), [(k, v if isinstance(v, str) else json.dumps(v)) for k, v in shown.items()])
        if job.forecast and job.forecast.seconds:
            table((*cost.COLUMNS, "ACTUAL"), cost.beside(job.forecast, job.phases))


app.command()(report)


@app.command("list")
def list_jobs(
    status: Annotated[str | None, typer.Option("--status", help="Only jobs in this status.")] = None,
    dataset: Annotated[str | None, typer.Option("--dataset", help="Only jobs on this dataset.")] = None,
    method: Annotated[str | None, typer.Option("--method", help="Only jobs by this method.")] = None,
    words: Words = None,
    sort: Annotated[Sort, typer.Option("--sort", help="Their order; by accuracy the best come first.")] = "newest",
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List jobs, newest first."""
    with Client() as client:
        wanted = metadata(words)
        jobs = client.jobs(status=status, dataset=dataset, method=method, metadata=wanted, sort=sort, limit=limit)
    if as_json:
        data([job.raw for job in jobs])
    else:
        rows = [
            (j.id, j.status, j.dataset_title, j.method, j.ipc, (j.created_at or "")[:16], _words(j.metadata))
            for j in jobs
        ]
        table(("JOB", "STATUS", "DATASET", "METHOD", "IPC", "CREATED", "METADATA"), rows)


@app.command()
def events(
    job_id: JobId,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the job has ended.")] = False,
    after: Annotated[int, typer.Option("--after", min=0, help="Only events after this number.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Print a job's history, one event a line."""
    with Client(patience=_PATIENCE if follow else 0) as client:
        for event in client.follow(job_id, after=after) if follow else client.events(job_id, after=after):
            line: dict[str, Any] = vars(event)
            data(line if as_json else f"{event.seq:>5}  {event.at}  {event.type:<20} {json.dumps(event.data)}")


for operation in (cancel, finish, pause, resume, retry, delete):
    app.command()(operation)


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of an artifact.")],
    as_json: JsonOption = False,
) -> None:
    """Check an artifact's files against its checksums; needs no service."""
    problems = find_problems(folder)
    if as_json:
        data({"folder": str(folder), "verified": not problems, "problems": problems})
    if problems:
        raise HashMismatch("\n".join([f"{folder} is not as published:", *problems]))
    say(f"Every file in {folder} is as published.")


# --- inside


def _words(metadata: Mapping[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in metadata.items())


def _submit(client: Client, asked: Asked) -> Job:
    job = client.submit(**asked)
    say(f"job {job.id}  {job.title}" + ("  (finished before)" if job.cached else ""))
    for remark in cost.remarks(job.forecast) if job.forecast and not job.ended else ():
        say(remark)
    return job


def _wait(client: Client, job_id: str) -> Job:
    try:
        with interruptible() as check, display(stderr()) as show:

            def watch(job: Job) -> None:
                check()
                show(job)

            job = client.wait(job_id, watch=watch)
    except KeyboardInterrupt:
        say(f"\nThe job goes on. Wait again: stillhouse wait {job_id}   End it: stillhouse cancel {job_id}")
        raise typer.Exit(130) from None
    if job.forecast and job.forecast.seconds:
        say(f"It took {cost.duration(job.seconds)}; the forecast was {job.forecast.seconds}.")
    return job


def _download(client: Client, job_id: str, out: Path) -> int:
    names: set[str] = set()

    def received(file: File, arrived: int) -> None:
        names.add(file.name)

    try:
        fetched = client.download(job_id, out, received)
    except OSError as error:
        told = f"{out} cannot be written: {error.strerror}. The result is kept: stillhouse get {job_id} --out FOLDER"
        raise ClientError(told) from None
    say(f"{len(names)} files in {out}, every byte verified ({fetched:,} bytes fetched)")
    return fetched


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if not match:
        raise UsageError(f"--timeout {text}: write a time like 90, 90s, 30m or 2h")
    return float(match[1]) * _UNITS[match[2]]
