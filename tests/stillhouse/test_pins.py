"""`stillhouse distill --lock`: the artifact that was pinned comes again, whatever the service would make by now."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from stillhouse import Client, Job, results
from stillhouse.checksums import digest_of, verify
from tests.data.archives import classes, spread
from tests.stillhouse.conftest import EVALUATION
from tests.stillhouse.running import Answer, Running, command

ORDER = ("distill", "digits", "--ipc", 1, "--method", "random", *EVALUATION)
"""The command that `finished` answers."""


@pytest.fixture
def lock(running: Running, finished: Job, tmp_path: Path) -> Path:
    """A lock file that pins the finished job's artifact in the folder `set` beside it."""
    path = tmp_path / "stillhouse.lock"
    done = running.command(*ORDER, "--out", tmp_path / "set", "--lock", path, "--json")
    assert done.code == 0, done.err
    assert done.json["cached"]
    assert done.json["job"]["id"] == finished.id
    return path


def pins(lock: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(lock.read_text())
    assert content["version"] == 1
    return dict(content["artifacts"])


def ask(running: Running, lock: Path, *words: object, order: tuple[object, ...] = ORDER) -> Answer:
    return running.command(*order, "--out", lock.parent / "set", "--lock", lock, *words)


def forge(folder: Path) -> None:
    """Change the report, and the lists of files with it: the artifact's own checksums are right again."""
    report, manifest, sums = (folder / name for name in ("report.json", "manifest.json", "SHA256SUMS"))
    before = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (report, manifest)}
    text = report.read_text()
    report.write_text(text.replace('"accuracy"', '"Accuracy"') + "\n")
    content = json.loads(manifest.read_text())
    for entry in content["files"]:
        if entry["name"] == "report.json":
            entry |= {"bytes": report.stat().st_size, "sha256": hashlib.sha256(report.read_bytes()).hexdigest()}
    manifest.write_text(json.dumps(content))
    lines = sums.read_text()
    for path in (report, manifest):
        lines = lines.replace(before[path.name], hashlib.sha256(path.read_bytes()).hexdigest())
    sums.write_text(lines)
    assert verify(folder) == [], "it is as good as any by its own word"


def test_a_lock_says_what_was_asked_for_and_which_artifact_came(lock: Path, finished: Job) -> None:
    (folder, pin), *others = pins(lock).items()
    assert (folder, others) == ("set", [])
    assert pin["digest"] == digest_of(lock.parent / "set")
    assert (pin["request"]["dataset"], pin["request"]["ipc"], pin["request"]["method"]) == ("digits", 1, "random")
    assert (pin["source"], pin["fingerprint"]) == (None, finished.raw["fingerprint"])


def test_the_pinned_artifact_comes_although_the_service_would_make_another(
    running: Running, lock: Path, finished: Job
) -> None:
    """After an upgrade of the engine no earlier job answers a request: its fingerprint is another one."""
    shutil.rmtree(lock.parent / "set")
    count = len(running.kept.jobs(limit=1000))
    with sqlite3.connect(running.home / "stillhouse.db", timeout=30) as ledger:
        ledger.execute("UPDATE jobs SET fingerprint = 'older' WHERE id = ?", (finished.id,))
    try:
        done = ask(running, lock, "--json")
        assert done.code == 0, done.err
        assert done.json["digest"] == pins(lock)["set"]["digest"]
        assert verify(lock.parent / "set", done.json["digest"]) == []
    finally:
        with sqlite3.connect(running.home / "stillhouse.db", timeout=30) as ledger:
            ledger.execute("UPDATE jobs SET fingerprint = ? WHERE id = ?", (finished.raw["fingerprint"], finished.id))
    assert len(running.kept.jobs(limit=1000)) == count


def test_a_folder_that_is_as_pinned_needs_no_service(lock: Path) -> None:
    words = (*ORDER, "--out", lock.parent / "set", "--lock", lock)
    for more in ((), ("--offline",)):
        done = command(*words, *more, STILLHOUSE_URL="http://127.0.0.1:9")
        assert (done.code, done.out.strip()) == (0, str(lock.parent / "set")), done.err


def test_a_forged_artifact_is_told_and_replaced(running: Running, lock: Path) -> None:
    folder, digest = lock.parent / "set", pins(lock)["set"]["digest"]
    forge(folder)
    for words in (("verify", folder, "--digest", digest), (*ORDER, "--out", folder, "--lock", lock, "--offline")):
        told = command(*words)
        assert told.code == 8
        assert digest in told.err
    assert ask(running, lock).code == 0
    assert command("verify", folder, "--digest", digest, "--json").json["digest"] == digest


def test_a_service_that_publishes_something_else_is_told(running: Running, lock: Path, second: object) -> None:
    """The pin of one artifact, given the place of another's job, as a service that lies would."""
    other = next(job for job in running.kept.jobs(metadata={"set": "second"}))
    digest = pins(lock)["set"]["digest"]
    folder = lock.parent / "other"
    with pytest.raises(Exception, match="publishes the artifact sha256:") as fault:
        running.kept.download(other.id, folder, digest=digest)
    assert getattr(fault.value, "exit_code", None) == 8
    assert not folder.exists()


def test_another_order_is_refused_until_it_is_said(running: Running, lock: Path, tmp_path: Path) -> None:
    before, other = lock.read_text(), (*ORDER[:3], 2, *ORDER[4:], "--seed", 7)
    told = ask(running, lock, order=other)
    assert told.code == 2
    assert "ipc: 1 is pinned, 2 asked for" in told.err
    assert "seed: null is pinned, 7 asked for" in told.err
    assert "--relock" in told.err
    assert lock.read_text() == before
    assert ask(running, lock, "--relock", order=other).code == 0
    assert pins(lock)["set"]["request"]["ipc"] == 2
    assert digest_of(tmp_path / "set") == pins(lock)["set"]["digest"]
    assert ask(running, lock, "--metadata", "commit=3f2c1a9", order=other).code == 0, "words change no result"


def test_an_artifact_that_is_gone_is_told_with_what_to_do(running: Running, lock: Path) -> None:
    shutil.rmtree(lock.parent / "set")
    content = json.loads(lock.read_text())
    content["artifacts"]["set"]["digest"] = f"sha256:{'0' * 64}"
    lock.write_text(json.dumps(content))
    told = ask(running, lock)
    assert told.code == 7
    assert "--relock" in told.err
    assert ask(running, lock, "--relock").code == 0


def test_a_folder_of_pictures_is_pinned_with_its_files(running: Running, tmp_path: Path) -> None:
    pictures, lock = spread(classes(12), tmp_path / "flowers"), tmp_path / "stillhouse.lock"
    order = ("distill", pictures, "--ipc", 1, "--method", "random", *EVALUATION)
    assert ask(running, lock, order=order).code == 0
    assert len(pins(lock)["set"]["source"]) == 64
    assert pins(lock)["set"]["request"]["dataset"] == "flowers", "wherever the repository lies"
    assert ask(running, lock, "--offline", order=order).code == 0
    other = ask(running, lock, "--size", 8, order=order)
    assert (other.code, 'size: null is pinned, "8" asked for' in other.err) == (2, True), other.err
    next(pictures.rglob("*.png")).unlink()
    told = ask(running, lock, "--offline", order=order)
    assert told.code == 2
    assert "holds other files" in told.err


def test_a_folder_that_changes_while_the_job_runs_is_pinned_as_it_was_sent(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures, lock, wait = spread(classes(12), tmp_path / "flowers"), tmp_path / "stillhouse.lock", results._wait
    order = ("distill", pictures, "--ipc", 1, "--method", "random", *EVALUATION)
    picture = next(pictures.rglob("*.png"))

    def changed(client: Client, job_id: str) -> Job:
        shutil.copy(picture, picture.with_name("later.png"))
        return wait(client, job_id)

    monkeypatch.setattr(results, "_wait", changed)
    assert ask(running, lock, order=order).code == 0
    told = ask(running, lock, "--offline", order=order)
    assert told.code == 2
    assert "holds other files than those that were uploaded" in told.err
    picture.with_name("later.png").unlink()
    assert ask(running, lock, "--offline", order=order).code == 0


def test_a_checkout_without_the_pictures_has_what_is_pinned(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spread(classes(12), tmp_path / "flowers")
    lock, words = Path("locks/s.lock"), ("--ipc", 1, "--method", "random", *EVALUATION, "--out", "set")
    lock.parent.mkdir()
    order = ("distill", "flowers/", *words, "--lock", lock)
    assert running.command(*order).code == 0
    shutil.rmtree("flowers")
    for name in ("flowers/", "flowers", "./flowers", tmp_path / "flowers", "set/../flowers"):
        done = command("distill", name, *words, "--lock", lock, "--offline")
        assert done.code == 0, done.err
    shutil.rmtree("set")
    assert running.command(*order).code == 0, "the service has it"
    other = command("distill", "trees/", *words, "--lock", lock, "--offline")
    assert (other.code, '"../flowers" is pinned, "../trees" asked for' in other.err) == (2, True), other.err


@pytest.mark.parametrize(
    ("content", "expected"),
    [("", "no lock file"), ("[]", "no lock file"), ('{"version": 2}', "version 2"), ('{"version": 1}', "no lock file")],
)
def test_a_lock_that_is_none_is_told(running: Running, tmp_path: Path, content: str, expected: str) -> None:
    lock = tmp_path / "stillhouse.lock"
    lock.write_text(content)
    told = ask(running, lock)
    assert (told.code, expected in told.err) == (2, True), told.err
    assert lock.read_text() == content


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--offline",), "add --lock"),
        (("--relock",), "add --lock"),
        (("--lock", "stillhouse.lock"), "add --out"),
        (("--lock", "stillhouse.lock", "--out", "set", "--offline"), "pins nothing"),
        (("--lock", "stillhouse.lock", "--out", "set", "--offline", "--relock"), "leave one of them out"),
    ],
)
def test_options_that_make_no_sense_together(
    words: tuple[str, ...], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = command(*ORDER, *words, STILLHOUSE_URL="http://127.0.0.1:9")
    assert (told.code, expected in told.err) == (2, True), told.err


def test_sums_that_list_more_than_the_manifest_are_a_problem(artifact: Path) -> None:
    (artifact / "extra.py").write_text("print()\n")
    sums = artifact / "SHA256SUMS"
    sums.write_text(sums.read_text() + f"{hashlib.sha256(b'print()' + bytes([10])).hexdigest()}  extra.py\n")
    assert verify(artifact) == ["extra.py: SHA256SUMS lists it, manifest.json does not."]
