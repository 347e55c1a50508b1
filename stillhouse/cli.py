"""The `stillhouse` command."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from typing import Annotated, Any, cast

import typer

from stillhouse import catalogue, hooks, keys, server
from stillhouse import doctor as machine
from stillhouse import forecast as cost
from stillhouse import serve as service
from stillhouse.advise import advise
from stillhouse.api import Client
from stillhouse.errors import ClientError, UsageError
from stillhouse.home import Home, home_folder
from stillhouse.moving import export_state, import_state
from stillhouse.operations import JobId, cancel, delete, finish, link, pause, resume, retry
from stillhouse.options import Asked, Words, metadata, ordering, seconds
from stillhouse.order import Order, Sort, body
from stillhouse.output import Commands, JsonOption, data, say, table
from stillhouse.report import report
from stillhouse.results import PATIENCE, distill, get, submitted, verify, wait
from stillhouse.show import show

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
app.add_typer(hooks.app, name="webhooks")

Host = Annotated[str, typer.Option("--host", envvar="STILLHOUSE_HOST", help="Address to listen on.")]
Port = Annotated[
    int, typer.Option("--port", envvar="STILLHOUSE_PORT", min=0, max=65535, help="Port; 0 takes a free one.")
]

Workers = Annotated[
    int,
    typer.Option(
        "--workers",
        min=1,
        max=64,
        help="Workers, which run as many jobs at once and help each other; each has a GPU, or its share of the cores.",
    ),
]

# --- the service


@app.command()
def serve(
    home: Home = None,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    workers: Workers = 1,
    as_json: JsonOption = False,
) -> None:
    """Run the whole service here: ledger, API, workers, sweeper. Ctrl-C ends it."""
    server.require("stillhouse serve")
    address = service.claim_address(host, port, home_folder(home))

    def ready(where: service.Address) -> None:
        if as_json:
            data({"url": where.url, "home": str(where.home), "pid": os.getpid()})
        say(f"Stillhouse is ready at {where.url}  (state in {where.home}; Ctrl-C ends it)")

    service.serve(address, ready, workers)
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


app.command(name="export")(export_state)
app.command(name="import")(import_state)


@app.command(name="compile")
@ordering
def compile_ahead(asked: Asked, home: Home = None, as_json: JsonOption = False) -> None:
    """Compile here what such a job will call, before anybody asks for it: for an image, or on a new machine."""
    server.require("stillhouse compile")
    if home is not None:
        os.environ["STILLHOUSE_HOME"] = str(home)
    order = body(asked.pop("dataset"), asked.pop("method"), cast("Order", asked))
    command, refused = server.python("worker.engine.compile", json.dumps(order)), None
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None, "it is a pipe"
        for line in process.stdout:
            done = json.loads(line)
            if refused := done.get("refused"):
                continue
            there = done["programs"] - done["compiled"]
            told = f"{done['compiled']} programs compiled in {done['seconds']:.0f} s, {there} were there."
            data(done if as_json else f"{done['method']}: {told} {done['reason']}")
    if refused:
        raise UsageError(refused)
    if process.returncode:
        raise ClientError(f"Compiling ended with status {process.returncode}. Its messages are above.")


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
    patience = seconds(timeout) or 0.0
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
    with Client(patience=PATIENCE) as client:
        job = submitted(client, asked)
    data(job.raw if as_json else job.id)


for command in (distill, wait, get):
    app.command()(command)


app.command()(show)
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
        table(("JOB", "STATUS", "DATASET", "METHOD", "IPC", "CREATED (UTC)", "METADATA"), rows)


@app.command()
def events(
    job_id: JobId,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the job has ended.")] = False,
    after: Annotated[int, typer.Option("--after", min=0, help="Only events after this number.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Print a job's history, one event a line."""
    with Client(patience=PATIENCE if follow else 0) as client:
        for event in client.follow(job_id, after=after) if follow else client.events(job_id, after=after):
            line: dict[str, Any] = vars(event)
            data(line if as_json else f"{event.seq:>5}  {event.at}  {event.type:<20} {json.dumps(event.data)}")


for operation in (cancel, finish, pause, resume, retry, delete, link):
    app.command()(operation)


app.command()(verify)


# --- inside


def _words(metadata: Mapping[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in metadata.items())
