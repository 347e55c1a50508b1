"""The commands on a job that is there: `stillhouse cancel`, `finish`, `pause`, `resume`, `retry`, `delete`, `link`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from stillhouse.api import Client
from stillhouse.errors import ClientError, UsageError
from stillhouse.jobs import Job
from stillhouse.output import JsonOption, data, say

JobId = Annotated[str, typer.Argument(metavar="JOB", help="Id of a job.")]


def cancel(job_id: JobId, as_json: JsonOption = False) -> None:
    """End a job that is not over, without a result."""
    _ask(lambda client: client.cancel, job_id, as_json)


def finish(job_id: JobId, as_json: JsonOption = False) -> None:
    """End a job early, with the best that it has as a whole artifact; wait for it and get it as ever."""
    _ask(lambda client: client.finish, job_id, as_json)


def pause(job_id: JobId, as_json: JsonOption = False) -> None:
    """Give a job's worker back; the job waits until it is resumed."""
    _ask(lambda client: client.pause, job_id, as_json)


def resume(job_id: JobId, as_json: JsonOption = False) -> None:
    """Queue a paused job again; it goes on where it was."""
    _ask(lambda client: client.resume, job_id, as_json)


def retry(job_id: JobId, as_json: JsonOption = False) -> None:
    """Queue a failed or cancelled job again."""
    _ask(lambda client: client.retry, job_id, as_json)


def delete(
    word: Annotated[str, typer.Argument(metavar="JOB|DATASET", help="Id of a job; an upload's id or title.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, as on a terminal it does.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete a job that is over, with its files, pictures and checkpoint, or an upload, for good."""
    with Client() as client:
        if word.startswith("job_"):
            job = client.job(word)
            name, title = job.id, job.title
        else:
            found = client.dataset(word)
            name, title = found["name"], found["title"]
            if found["source"] != "upload":
                raise UsageError(f"{word} is no upload: datasets of the catalogue stay.")
        if word not in ((name,) if word.startswith("job_") else (name, title)):  # what is deleted is so for good
            raise ClientError(f"Asked for {word}, the service answers with {name} ({title}): nothing is deleted.")
        if not yes and sys.stdin.isatty():
            typer.confirm(f"Delete {name} ({title}) for good?", abort=True, err=True)
        if word.startswith("job_"):
            client.delete(name)
        else:
            client.delete_dataset(name)
    if as_json:
        data({"id": name, "title": title, "deleted": True})
    say(f"{name} ({title}) is deleted.")


def link(
    job_id: JobId,
    name: Annotated[str | None, typer.Option("--name", help="A file of the artifact; else all as one zip.")] = None,
    expires: Annotated[str, typer.Option("--expires", metavar="TIME", help="How long it lives: 24h, 30d.")] = "24h",
    as_json: JsonOption = False,
) -> None:
    """Print a URL by which anybody has a finished job's files for a while, without a key: who has it has them."""
    with Client() as client:
        url = client.link(job_id, name, expires_in=expires)
    data({"url": url} if as_json else url)


def _ask(what: Callable[[Client], Callable[[str], Job]], job_id: str, as_json: bool) -> None:
    with Client() as client:
        job = what(client)(job_id)
    data(job.raw if as_json else job.status)
