"""The service as a Python object.

with Client("http://127.0.0.1:8000") as service:
    job = service.submit("digits", ipc=1, method="mtt")
    service.wait(job.id)
    service.download(job.id, Path("digits-1"))
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, Unpack, final

import httpx

from stillhouse.advice import Advice, Question
from stillhouse.checksums import verify
from stillhouse.download import Received, download, download_shard
from stillhouse.errors import ClientError, HashMismatch, InvalidDataset, OutOfTime, WaitTimeout
from stillhouse.forecast import Forecast
from stillhouse.http import Http, path_to
from stillhouse.jobs import Event, File, Job
from stillhouse.order import AUTO, Order, Sort, body, fields
from stillhouse.stream import messages
from stillhouse.upload import Reading, Size, equal, ready, send, title_of
from stillhouse.waiting import Watch, ended
from stillhouse.webhooks import Webhooks

DEFAULT_URL = "http://127.0.0.1:8000"

_FORECAST_PAUSE = 1.0
"""Seconds between two questions for a forecast."""


@final
class Client:
    """A Stillhouse service; use it as a context manager, or call `close`.

    `url` and `api_key` default to STILLHOUSE_URL and STILLHOUSE_API_KEY. `patience` is how many seconds calls outlive
    a service that is away, `timeout` how many a service that listens may be silent, `limit` how many all calls
    together may take, from now on. Every method raises `Problem` when the service refuses, `Unreachable` when nobody
    answers and `OutOfTime` when `limit` is over.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        patience: float = 0.0,
        timeout: float = 60.0,
        limit: float | None = None,
    ) -> None:
        self._http = Http(
            url or os.environ.get("STILLHOUSE_URL") or DEFAULT_URL,
            api_key or os.environ.get("STILLHOUSE_API_KEY"),
            patience=patience,
            timeout=timeout,
            limit=limit,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    @property
    def url(self) -> str:
        """Address of the service."""
        return self._http.url

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    # --- what there is

    def ready(self) -> dict[str, Any]:
        """The answer of `/readyz` by a service that can work."""
        return dict(self._http.json("GET", "/readyz"))

    def methods(self) -> list[dict[str, Any]]:
        """The catalogue of methods."""
        return list(self._http.pages("/v1/methods"))

    def method(self, name: str) -> dict[str, Any]:
        """One method, with its default recipe and the schema of overrides."""
        return dict(self._http.json("GET", path_to("/v1/methods/{}", name)))

    def datasets(self) -> list[dict[str, Any]]:
        """The catalogue of datasets."""
        return list(self._http.pages("/v1/datasets"))

    def dataset(self, name: str, *, verify: bool = False) -> dict[str, Any]:
        """One dataset; of an upload also what became of its inspection; to `verify` it, if it is whole `on_disk`."""
        params = {"verify": "true"} if verify else None
        return dict(
            self._http.json("GET", path_to("/v1/datasets/{}", name), params=params, has=("name", "title", "source"))
        )

    def upload(
        self,
        path: Path,
        name: str | None = None,
        *,
        size: Size = None,
        mirror: Literal["auto", "yes", "no"] = "auto",
        timeout: float = 900.0,
        told: Callable[[str], None] | None = None,
        **reading: Unpack[Reading],
    ) -> dict[str, Any]:
        """Upload a folder of class folders or its zip, a bundle, or a table, and wait until it was inspected.

        An equal one that was uploaded before under the same name is sent again only if the service has lost it. Where
        another upload of yours has that name, this one gets a number: its `title` and its `remarks` say so.

        Args:
            name: what to call it; None: as an equal one that was uploaded before, or as the file.
            size: scale pictures to squares of so many pixels; None where they have one size; "auto": 64 at most.
            mirror: whether a mirrored picture stays what it is; "auto" has the service find it out.
            timeout: seconds to wait for the inspection.
            told: called with a sentence on what happens to the file.
            reading: how its tables, classes, splits and broken files are to be read.

        Returns the dataset, whose `name` is what jobs call it.

        Raises:
            InvalidDataset: it cannot be used; the message says why, and how to mend it.
        """
        asked = {"size": size, "mirror": mirror, **reading}
        with ready(path) as file:
            known = equal(self.datasets(), file, name, asked)
            tell = told or (lambda _: None)
            if known and self.dataset(known["name"], verify=True)["on_disk"]:
                tell(f"{path} was uploaded before: it is '{known['title']}' ({known['name']}).")
                return dict(known)
            name = name or (known["sent"]["name"] if known else title_of(path))
            tell(f"Uploading {path} as '{name}' ({file.stat().st_size:,} bytes).")
            found = send(self._http, file, name, asked)
        deadline = time.monotonic() + timeout
        while found["state"] == "inspecting":
            if time.monotonic() > deadline:
                raise ClientError(f"{name!r} ({found['name']}) was still being inspected after {timeout:g} s.")
            time.sleep(0.2)
            found = self.dataset(found["name"])
        if found["state"] == "invalid":
            raise InvalidDataset(found["name"], found["problem"], found["title"])
        return found

    def delete_dataset(self, name: str) -> None:
        """Delete an upload; what was distilled from it stays."""
        self._http.json("DELETE", path_to("/v1/datasets/{}", name))

    # --- keys

    def me(self) -> dict[str, Any]:
        """Whose key this is, what it may do, and how much of the owner's quota is taken."""
        return dict(self._http.json("GET", "/v1/me"))

    def keys(self) -> list[dict[str, Any]]:
        """Your keys, without their secrets."""
        return list(self._http.pages("/v1/keys"))

    def create_key(
        self, name: str, *, scopes: Sequence[str] | None = None, owner: str | None = None, days: float | None = None
    ) -> dict[str, Any]:
        """A new key; its `secret` is told this once. Another owner's needs an administrator's key."""
        asked = {"name": name, "scopes": scopes and list(scopes), "owner": owner, "days": days}
        body = {field: value for field, value in asked.items() if value is not None}
        return dict(self._http.json("POST", "/v1/keys", body=body, has=("id", "secret")))

    def revoke_key(self, key_id: str, *, alone: bool = False) -> None:
        """End a key, all keys made with it unless `alone`, and the browser sessions that stand for them."""
        self._http.json("DELETE", path_to("/v1/keys/{}", key_id), params={"alone": "true"} if alone else None)

    @property
    def webhooks(self) -> Webhooks:
        """Addresses that are told when something has ended."""
        return Webhooks(self._http)

    # --- jobs

    def submit(
        self,
        dataset: str,
        *,
        method: str = AUTO,
        idempotency_key: str | None = None,
        **order: Unpack[Order],
    ) -> Job:
        """Ask for `ipc` images per class of `dataset`, or for a `ratio` of its smallest class's training images.

        Or for as many as fit into `bytes`, or as few as reach a `target`: "80%" is an accuracy, "gap:50%" half of the
        gap between random images and everything. One of the four; the method is by default a search for the best one
        in the time there is (`within`). `seed`, `overrides`, `evaluation` and `metadata` (words to find the job by) may
        be left out. An equal request that is running or finished is that job, with the metadata it has.

        The call carries an Idempotency-Key (a fresh one unless given), so that repeating it after a lost answer makes
        no second job. A field that only a newer service knows is sent by `extra`.

        Raises:
            TypeError: an argument has no such name; the message says the nearest.
        """
        asked = body(dataset, method, order, "idempotency_key")
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        return self._job("POST", "/v1/jobs", body=asked, headers=headers)

    def forecast(
        self,
        dataset: str,
        *,
        method: str = AUTO,
        wait: float = 0.0,
        **order: Unpack[Order],
    ) -> Forecast:
        """The forecast of what the job that `submit` would ask for costs; submits nothing.

        A worker measures its hardware when it is first idle; `wait` is how many seconds to wait for that.
        """
        asked, deadline = body(dataset, method, order, "wait"), time.monotonic() + wait
        found: Forecast | None = None
        while True:
            try:
                found = Forecast.from_json(self._http.json("POST", "/v1/forecasts", body=asked, has=("basis",)))
            except OutOfTime:
                if found is None:
                    raise
                return found
            if found.seconds is not None or deadline - time.monotonic() <= _FORECAST_PAUSE:
                return found
            time.sleep(_FORECAST_PAUSE)

    def advise(
        self,
        dataset: str,
        *,
        timeout: float | None = None,
        watch: Watch | None = None,
        **question: Unpack[Question],
    ) -> Advice:
        """Advice before a job: what `ipc` images a class, or so many `bytes`, reach, or how many a `target` takes.

        One of the three. The first question on a dataset waits for measurements, minutes long, which `watch` sees as in
        `wait`; later ones are answered at once. `within` is the time that a job may take, as in "20m".

        Raises:
            JobFailed, JobCancelled, ClientError: how else measuring may end; the last where it was asked to finish.
            WaitTimeout: `timeout` seconds are over; the measuring goes on, and the same call finds it again.
        """
        given = fields(question, Question.__annotations__, "timeout", "watch")
        while True:
            raw = self._http.json("POST", "/v1/advice", body={"dataset": dataset, **given}, has=("object",))
            if raw["object"] == "advice":
                return Advice.from_json(raw)
            job = self.wait(raw["id"], timeout=timeout, watch=watch)
            if job.raw["finish_requested_at"] is not None:  # asking again would begin anew what somebody has ended
                told = f"Job {job.id} was asked to finish before it had measured all; the same question measures anew."
                raise ClientError(told)

    def job(self, job_id: str, *, wait: float | None = None) -> Job:
        """The job as it is now, or as soon as its status changes within `wait` seconds (at most 30)."""
        return self._job("GET", path_to("/v1/jobs/{}", job_id), params={"wait": wait})

    def jobs(
        self,
        *,
        status: str | None = None,
        dataset: str | None = None,
        method: str | None = None,
        metadata: Mapping[str, str] | None = None,
        sort: Sort = "newest",
        limit: int = 50,
    ) -> list[Job]:
        """The first `limit` of the jobs with all of these, newest first unless `sort` says otherwise."""
        filters = {"status": status, "dataset": dataset, "method": method, "sort": sort}
        filters |= {f"metadata.{key}": value for key, value in (metadata or {}).items()}
        return [Job.from_json(raw) for raw in self._http.pages("/v1/jobs", filters, most=limit)]

    def cancel(self, job_id: str) -> Job:
        """Ask for the end of a job that is not over; asking twice is asking once."""
        return self._job("POST", path_to("/v1/jobs/{}/cancel", job_id))

    def pause(self, job_id: str) -> Job:
        """Give a job's worker back; the job waits in its checkpoint until `resume`."""
        return self._job("POST", path_to("/v1/jobs/{}/pause", job_id))

    def resume(self, job_id: str) -> Job:
        """Queue a paused job again; it gives the result that it would have given anyway."""
        return self._job("POST", path_to("/v1/jobs/{}/resume", job_id))

    def finish(self, job_id: str) -> Job:
        """Have a job end with the best that it has, as a whole artifact; `wait` for it as ever."""
        return self._job("POST", path_to("/v1/jobs/{}/finish", job_id))

    def delete(self, job_id: str) -> None:
        """Delete a job that is over, with its files, pictures and checkpoint, for good."""
        self._http.json("DELETE", path_to("/v1/jobs/{}", job_id))

    def retry(self, job_id: str) -> Job:
        """Queue a failed or cancelled job again."""
        return self._job("POST", path_to("/v1/jobs/{}/retry", job_id))

    def events(self, job_id: str, *, after: int = 0) -> list[Event]:
        """The job's history after `after`."""
        return [
            Event.from_json(raw) for raw in self._http.pages(path_to("/v1/jobs/{}/events", job_id), {"after": after})
        ]

    def follow(self, job_id: str, *, after: int = 0) -> Iterator[Event]:
        """Every event after `after` as it happens, until the job has ended; a torn stream goes on without a gap."""
        heard = time.monotonic()
        while True:
            try:
                for event in self._stream(job_id, after):
                    heard, after = time.monotonic(), event.seq
                    yield event
            except httpx.ReadTimeout:
                heard = time.monotonic()  # connected, and nothing to say
            except httpx.TransportError as error:
                if time.monotonic() - heard > self._http.patience:
                    raise self._http.lost(error) from error
            if self.job(job_id).ended:
                yield from self.events(job_id, after=after)
                return

    def wait(self, job_id: str, *, timeout: float | None = None, watch: Watch | None = None) -> Job:
        """The job when it has succeeded; until then `watch` sees it about once a second.

        Raises:
            JobFailed, JobCancelled: how else it may end.
            WaitTimeout: `timeout` seconds, or the client's `limit`, are over; the job goes on.
        """
        try:
            return ended(self.job, job_id, timeout, watch)
        except OutOfTime as error:
            raise WaitTimeout(job_id, self._http.limit or 0.0) from error

    # --- results

    def files(self, job_id: str) -> list[File]:
        """The artifact's files. A job that has not succeeded has none: `Problem`."""
        return [File.from_json(raw) for raw in self._http.pages(path_to("/v1/jobs/{}/files", job_id))]

    def manifest(self, job_id: str) -> dict[str, Any]:
        """The artifact's manifest: its files, and the request and the seeds that it comes from."""
        return dict(self._http.json("GET", path_to("/v1/jobs/{}/files/manifest.json", job_id)))

    def report(self, job_id: str) -> dict[str, Any]:
        """The artifact's report: what it is worth, under which protocol."""
        return dict(self._http.json("GET", path_to("/v1/jobs/{}/report", job_id)))

    def sections(self, job_id: str) -> list[dict[str, Any]]:
        """The report as people read it: sections of measures and words, its warnings first."""
        return list(self._http.json("GET", path_to("/v1/jobs/{}/sections", job_id), has=("items",))["items"])

    def artifact(self, digest: str) -> dict[str, Any]:
        """The artifact of a digest, `sha256:` and that of its manifest.json: the job that published it, its files."""
        return dict(self._http.json("GET", path_to("/v1/artifacts/{}", digest)))

    def link(self, job_id: str, name: str | None = None, *, expires_in: str = "24h") -> str:
        """A URL by which anybody has a file of a job, or all as one zip, for so long ("24h", "7d"), without a key."""
        asked = {"name": name, "expires_in": expires_in}
        made = self._http.json("POST", path_to("/v1/jobs/{}/links", job_id), body=asked, has=("url",))
        return f"{self.url.rstrip('/')}{made['url']}"

    def download(
        self, job_id: str, folder: Path, received: Received | None = None, *, digest: str | None = None
    ) -> int:
        """Bring the artifact into `folder` and verify it there; returns the bytes that crossed the wire.

        Raises:
            HashMismatch: bytes are not as published, or it is another artifact than that of `digest`.
            UsageError: files that no artifact has put into `folder` have names of this one's; nothing is changed.
        """
        fetched = download(self._http, job_id, self.files(job_id), folder, received, digest)
        if problems := verify(folder, digest):
            raise HashMismatch("\n".join(["The downloaded artifact is not as published:", *problems]))
        return fetched

    def webdataset(self, job_id: str, folder: Path) -> Path:
        """Bring a finished job's set as one WebDataset shard into `folder`; returns the file, every byte verified."""
        return download_shard(self._http, job_id, folder)

    # --- inside

    def _job(self, method: str, path: str, **asked: Any) -> Job:
        return Job.from_json(self._http.json(method, path, has=("id", "status"), **asked))

    def _stream(self, job_id: str, after: int) -> Iterator[Event]:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
        with self._http.stream(path_to("/v1/jobs/{}/events", job_id), headers=headers) as response:
            for message in messages(response.iter_lines()):
                if message.id:
                    yield Event.from_json(json.loads(message.data))
