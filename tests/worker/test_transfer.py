"""Export and import: a service's whole state, taken while it works, on either database, and never a part of it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core.artifacts.store import Store
from core.ledger import File, Ledger, Reach, Status, Stored, new_upload_id, transfer
from tests.ledger.orders import FILES, queued, running, standing
from tests.worker.service import until
from worker.transfer import MANIFEST, ROWS, NoExport, export, fill

ALICE = Reach("alice", everything=False)
MOVED = {Status.RUNNING: Status.QUEUED, Status.PAUSING: Status.PAUSED, Status.CANCELLING: Status.CANCELLED}


def stored(store: Store, folder: Path, text: str) -> File:
    (folder / "file").write_text(text)
    sha256, length = store.put(folder / "file")
    return File("README.md", length, sha256, "text/markdown")


def finished(ledger: Ledger, store: Store, folder: Path, text: str, owner: str = "") -> str:
    claim = running(ledger.within(Reach(owner)), metadata={"commit": text[:9]})
    picture = stored(store, folder, f"a picture of {text}")
    ledger.record(claim, events=[("preview", {"step": 1, "sha256": picture.sha256})])
    assert ledger.succeed(claim, [stored(store, folder, text)], {"results": {"distilled": {"accuracy_mean": 0.5}}})
    return claim.job.id


def rows(ledger: Ledger) -> list[dict[str, Any]]:
    out = io.StringIO()
    transfer.dump(ledger.database, out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def exported(ledger: Ledger, store: Store, folder: Path) -> Path:
    export(ledger, store, folder)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"file://{tmp_path / 'store'}")


@pytest.fixture
def busy(ledger: Ledger, store: Store, tmp_path: Path) -> dict[str, str]:
    """A service with something in every table; the secrets of it."""
    job_id = finished(ledger, store, tmp_path, "kept")
    key, secret = ledger.keys.create("alice", "laptop")
    token = ledger.keys.open_session(key, timedelta(days=1))
    link, _ = ledger.links.create(job_id, None, timedelta(days=1), key.id)
    _, signs = ledger.within(ALICE).webhooks.create("https://example.org/", key_id=key.id)
    finished(ledger, store, tmp_path, "hers", "alice")
    uploads = ledger.uploads
    ready, inspected = (uploads.add(new_upload_id(), name, None, 9) for name in ("ready", "arriving"))
    bundle = stored(store, tmp_path, "a bundle")
    assert uploads.conclude(ready.id, found={"classes": 2}, sha256=bundle.sha256, length=bundle.bytes)
    gone = finished(ledger, store, tmp_path, "gone")
    ledger.delete(gone, store.delete)
    claims = {status: standing(ledger, status)[1] for status in reversed(Status)}
    queued(ledger, idempotency_key="once", body_hash="h")
    state = stored(store, tmp_path, "a checkpoint")
    held = next(claim for claim in claims.values() if claim and ledger.job(claim.job.id).status is Status.RUNNING)
    assert ledger.sharing.keep_checkpoint(held, {"state": Stored(state.sha256, state.bytes)}, store.delete)
    ledger.register_worker("worker", "cpu", "host", {"hardware": "here"})
    return {"key": secret, "session": token, "link": link, "webhook": signs, "inspected": inspected.id, "job": job_id}


@pytest.fixture
def new(request: pytest.FixtureRequest, ledger_url: str, tmp_path: Path) -> Iterator[Ledger]:
    """A bare ledger on the other database."""
    sqlite = f"sqlite:///{tmp_path / 'new' / 'ledger.db'}"
    other = request.getfixturevalue("bare_postgres_url") if ledger_url.startswith("sqlite") else sqlite
    ledger = Ledger(other)
    yield ledger
    ledger.close()


def test_all_comes_to_the_other_place_and_goes_on_there(
    ledger: Ledger, store: Store, busy: dict[str, str], new: Ledger, tmp_path: Path
) -> None:
    before = {job.id: job for job in ledger.jobs(limit=200)}
    manifest = export(ledger, store, tmp_path / "export")
    assert manifest["missing"] == sorted(file.sha256 for file in FILES), "which were never stored"
    assert {name for name, count in manifest["ledger"]["rows"].items() if not count} == set(), "every table is tried"
    other = Store(f"file://{tmp_path / 'other'}")
    fill(new, other, tmp_path / "export")
    after = {job.id: job for job in new.jobs(limit=200)}
    assert after.keys() == before.keys()
    for job_id, job in before.items():
        assert after[job_id].status is MOVED.get(job.status, job.status)
        assert after[job_id].losses == job.losses
        if job.status not in MOVED:
            assert new.events(job_id) == ledger.events(job_id)
            assert new.files(job_id) == ledger.files(job_id)
    held = next(job for job in before.values() if job.status is Status.RUNNING)
    assert new.events(held.id)[-1].data["reason"] == "The service was moved to another place."
    attempt, checkpoint = new.sharing.checkpoint(held.id)
    assert (attempt, other.intact(checkpoint["state"].sha256, checkpoint["state"].bytes)) == (1, True)
    # and from here it is carried on to the database where it was, row by row the same
    again = Ledger(f"sqlite:///{tmp_path / 'again.db'}")
    fill(again, other, exported(new, other, tmp_path / "second"))
    assert sorted(map(json.dumps, rows(again))) == sorted(map(json.dumps, rows(new)))
    again.close()
    claim = new.claim("worker", 60.0)
    assert claim is not None
    assert claim.job.id in before
    # keys, sessions, links and webhooks are what they were
    holder = new.keys.holder(busy["key"])
    assert holder is not None
    assert holder.owner == "alice"
    assert new.keys.session(busy["session"]) is not None
    assert new.links.find(busy["link"]) is not None
    (parcel,) = new.outbox.take(8, 60.0)
    assert parcel.secrets == (busy["webhook"],)
    assert "upload it again" in (new.uploads.get(busy["inspected"]).problem or "")
    for sha256, size in manifest["objects"].items():
        assert other.intact(sha256, size)
    assert len(list(other.objects())) == len(manifest["objects"])


def test_an_export_is_of_one_moment_while_jobs_come_and_go(ledger: Ledger, store: Store, tmp_path: Path) -> None:
    kept = finished(ledger, store, tmp_path, "kept")
    over = threading.Event()

    def work() -> None:
        folder = tmp_path / "elsewhere"
        folder.mkdir()
        number = 0
        while not over.is_set():
            number += 1
            ledger.delete(finished(ledger, store, folder, f"short-lived {number}"), store.delete)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for number in range(3):
            manifest = export(ledger, store, tmp_path / "export")
            assert manifest["missing"] == []
            new = Ledger(f"sqlite:///{tmp_path / f'{number}.db'}")
            fill(new, Store(f"file://{tmp_path / f'store-{number}'}"), tmp_path / "export")
            assert kept in {job.id for job in new.jobs()}
            for job in new.jobs():
                types = [event.seq for event in new.events(job.id)]
                assert types == list(range(1, len(types) + 1))
                assert len(new.files(job.id)) == (job.status == "succeeded")
            new.close()
    finally:
        over.set()
        thread.join()


def test_what_was_killed_is_no_export_and_goes_on(
    sqlite_url: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, folder = Ledger(sqlite_url), tmp_path / "export"
    claim = running(ledger)
    files = [stored(store, tmp_path, f"file {number}") for number in range(400)]
    files = [File(f"{number}.md", file.bytes, file.sha256, file.media_type) for number, file in enumerate(files)]
    assert ledger.succeed(claim, files)
    ours = {"STILLHOUSE_DATABASE_URL": sqlite_url, "STILLHOUSE_STORE_URL": f"file://{tmp_path / 'store'}"}
    environment = os.environ | ours | {"STILLHOUSE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "worker.transfer", "export", str(folder)]
    with subprocess.Popen(command, env=environment) as process:
        until(lambda: list((folder / "objects").glob("*/*")), "the first object is there")
        process.send_signal(signal.SIGKILL)
    assert not (folder / MANIFEST).exists()
    new = Ledger(f"sqlite:///{tmp_path / 'new.db'}")
    with pytest.raises(NoExport, match="run the export again"):
        fill(new, store, folder)
    there = {path: path.stat().st_ino for path in (folder / "objects").glob("*/*") if path.suffix == ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["objects"] == 400
    assert there.items() <= {path: path.stat().st_ino for path in (folder / "objects").glob("*/*")}.items()
    for ledger_ in (ledger, new):
        ledger_.close()


def test_what_is_not_as_it_was_is_refused_with_a_fix(sqlite_url: str, store: Store, tmp_path: Path) -> None:
    ledger, folder = Ledger(sqlite_url), tmp_path / "export"
    finished(ledger, store, tmp_path, "kept")
    (address, *_) = export(ledger, store, folder)["objects"]
    with pytest.raises(ValueError, match=r"not empty.*STILLHOUSE_HOME"):
        fill(ledger, store, folder)
    new = Ledger(f"sqlite:///{tmp_path / 'new.db'}")
    spoilt = folder / "objects" / address[:2] / address
    kept = spoilt.read_bytes()
    for change in (lambda: spoilt.write_bytes(b"x" * len(kept)), spoilt.unlink):
        change()
        with pytest.raises(NoExport, match="run the export again"):
            fill(new, store, folder)
        assert new.jobs() == []
        export(ledger, store, folder)  # the fix
        assert hashlib.sha256(spoilt.read_bytes()).hexdigest() == address
    text = (folder / ROWS).read_text()
    (folder / ROWS).write_text(text.replace("kept", "sent"))
    with pytest.raises(NoExport, match="changed since it was exported"):
        fill(new, store, folder)
    (folder / ROWS).write_text(text)
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | {"schema": "0015_links"}))
    with pytest.raises(NoExport, match=r"0015_links.*upgrade the old service"):
        fill(new, store, folder)
    (folder / MANIFEST).write_text(json.dumps(manifest))
    fill(new, Store(f"file://{tmp_path / 'other'}"), folder)
    assert len(new.jobs()) == 1
    assert (folder.stat().st_mode & 0o77, (folder / ROWS).stat().st_mode & 0o77) == (0, 0)
    for ledger_ in (ledger, new):
        ledger_.close()


def test_what_the_store_has_lost_is_named_and_the_rest_is_carried(
    sqlite_url: str, store: Store, tmp_path: Path
) -> None:
    ledger = Ledger(sqlite_url)
    job_id = finished(ledger, store, tmp_path, "kept")
    (file,) = ledger.files(job_id)
    store.delete(file.sha256)
    assert export(ledger, store, tmp_path / "export")["missing"] == [file.sha256]
    new = Ledger(f"sqlite:///{tmp_path / 'new.db'}")
    fill(new, store, tmp_path / "export")
    assert [job.id for job in new.jobs()] == [job_id]
    for ledger_ in (ledger, new):
        ledger_.close()
