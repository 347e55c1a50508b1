"""Advice end to end: measured by the worker, cancelled and resumed on the way, then answered from the store."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest

from stillhouse import Advice, verify
from stillhouse.errors import ClientError
from stillhouse.jobs import Job
from tests.stillhouse.running import Running, until


def ask(running: Running, **asked: object) -> httpx.Response:
    return httpx.post(f"{running.url}/v1/advice", json={"dataset": "digits", **asked}, timeout=60)


def test_advice_is_measured_once_and_then_answered_at_once(running: Running, tmp_path: Path) -> None:
    first, client = ask(running, ipc=5), running.kept
    assert first.status_code == 202, first.text
    job = client.job(first.json()["id"])
    assert (job.kind, job.method, job.ipc, job.title) == ("advice", "advice", None, "advice for digits")
    assert first.headers["location"] == f"/v1/jobs/{job.id}"
    row = next(line for line in running.command("list").out.splitlines() if line.startswith(job.id))
    assert row.split()[1:4] == [row.split()[1], "digits", "advice"]
    assert " 0 " not in row
    assert ask(running, target={"accuracy": 0.6}).json()["id"] == job.id, "whatever is asked, it is measured once"

    until(lambda: measured(running, job.id) >= 4, "two sizes are measured")
    client.cancel(job.id)
    until(lambda: client.job(job.id).ended, "measuring has stopped")
    assert client.job(job.id).status == "cancelled"
    client.retry(job.id)
    advice = client.advise("digits", ipc=5, timeout=120)
    assert isinstance(advice, Advice)
    assert advice.job == job.id
    assert client.job(job.id).raw["progress"]["phases"]["evaluating"]["skipped"] >= 2, "it went on where it was"
    assert advice.random is not None, advice.sentence
    assert 0.1 < advice.random.low < advice.random.expected < advice.random.high < 1
    assert "of the validation split" in " ".join(advice.reasons)

    questions = [{"ipc": 2}, {"target": {"accuracy": 0.4}}, {"bytes": "3 kB", "within": "10m"}]
    took = []
    for question in questions:
        began = time.monotonic()
        answer = ask(running, **question)
        took.append(time.monotonic() - began)
        assert answer.status_code == 200, answer.text
        assert answer.json()["job"] == job.id
    assert min(took) < 1, "at most a second"

    names = {file.name for file in client.files(job.id)}
    assert names == {"advice.json", "curves.png", "manifest.json", "SHA256SUMS"}
    client.download(job.id, tmp_path / "advice")
    assert verify(tmp_path / "advice") == []

    told = running.command("advise", "digits", "--ipc", 5)
    assert told.code == 0, told.err
    assert told.out.startswith(f"{advice.sentence}\n")
    assert "5 random real a class" in told.out
    assert running.command("advise", "digits", "--accuracy", 0.4, "--json").json["object"] == "advice"


def test_measuring_that_is_asked_to_finish_is_not_begun_anew(running: Running) -> None:
    client, asked = running.kept, list[Job]()
    with pytest.raises(ClientError, match="asked to finish"):
        client.advise("digits", ipc=5, labels="soft", watch=lambda job: asked or asked.append(client.finish(job.id)))
    soft = [job for job in client.jobs(method="advice") if job.raw["request"]["labels"] == "soft"]
    assert [(job.status, job.raw["metrics"]["ended"] is None) for job in soft] == [("succeeded", False)]


def test_a_question_that_is_none_is_refused(running: Running) -> None:
    assert running.command("advise", "digits").code == 2
    assert running.command("advise", "digits", "--ipc", 1, "--accuracy", 0.5).code == 2
    beyond = running.command("advise", "digits", "--ipc", 1000)
    assert beyond.code == 2
    assert "Set ipc to at most 125" in beyond.err


def measured(running: Running, job_id: str) -> float:
    progress = running.kept.job(job_id).raw["progress"] or {}
    return float(progress["done"]) if progress.get("phase") == "evaluating" else 0
