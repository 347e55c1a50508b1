"""The command line against the real service: every command, and every exit code a script may meet."""

from __future__ import annotations

import http.server
import json
import re
import signal
import socket
import socketserver
import statistics
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from stillhouse import Client, Job
from stillhouse.checksums import digest_of
from stillhouse.errors import Problem
from tests.data.bundles import place, sound
from tests.services import free_port
from tests.stillhouse.conftest import EVALUATION, SECOND, WORDS
from tests.stillhouse.running import ENDLESS, Answer, Running, command, spawn, until

ENDLESSLY = [word for path, value in ENDLESS.items() for word in ("--set", f"{path}={value}")]
SMALL = ("submit", "digits", "--ipc", 1, "--method", "dm", "--set", "network.width=4", *EVALUATION)
ORDER = ("digits", "--ipc", 1, "--method", "random")


def test_distil_ends_with_a_verified_artifact(running: Running, second: tuple[Path, Answer]) -> None:
    out, answer = second
    assert answer.code == 0, answer.err
    assert answer.out == f"{out}\n", "the folder, and nothing else"
    assert "every byte verified" in answer.err
    assert (out / "dataset.safetensors").exists()
    assert command("verify", out).code == 0
    request = json.loads((out / "recipe.json").read_text())["request"]
    assert (request["dataset"], request["ipc"], request["seed"]) == ("digits", 2, 7)

    again = running.command(*SECOND, "--out", out, "--json")
    assert again.json["cached"], "the same request is the same job"
    assert "(0 bytes fetched)" in again.err, "what is here is not fetched again"


def test_a_folder_that_is_not_named_is_never_another_results(
    running: Running, finished: Job, second: tuple[Path, Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("distill", "digits", "--ipc", 1, "--method", "random", *EVALUATION)
    first = running.command(*words)
    assert first.out == "digits-random-1\n"
    assert running.command(*words).out == first.out, "the same result belongs there"
    digest = digest_of(tmp_path / "digits-random-1")
    other = running.command(*words, "--seed", 1)
    folder = other.out.strip()
    assert re.fullmatch("digits-random-1-job_[0-9A-Z]+", folder)
    assert folder in other.err
    assert running.command(*words, "--seed", 1).out.strip() == folder
    assert digest_of(tmp_path / "digits-random-1") == digest
    assert command("verify", tmp_path / folder).code == 0
    again = remade(tmp_path / "digits-random-1")
    assert running.command(*words).out == first.out, "an older result of the same request gives way"
    assert digest_of(tmp_path / "digits-random-1") == digest != again
    (tmp_path / "digits-random-2").mkdir()
    (tmp_path / "digits-random-2/README.md").write_text("mine")
    (job,) = running.kept.jobs(metadata={"set": "second"})
    assert running.command(*SECOND).out.strip() == f"digits-random-2-{job.id}"
    assert (tmp_path / "digits-random-2/README.md").read_text() == "mine"


def remade(folder: Path) -> str:
    """Turn an artifact into one that another engine made of the same request; returns its digest."""
    manifest, sums = folder / "manifest.json", folder / "SHA256SUMS"
    before = digest_of(folder)
    content = json.loads(manifest.read_text())
    content["fingerprint"] = "older"
    manifest.write_text(json.dumps(content))
    after = digest_of(folder)
    sums.write_text(sums.read_text().replace(before.removeprefix("sha256:"), after.removeprefix("sha256:")))
    return after


def test_submit_prints_the_id_alone(running: Running, finished: Job) -> None:
    answer = running.command("submit", "digits", "--ipc", 1, "--method", "random", *EVALUATION)
    assert answer.out == f"{finished.id}\n", "an equal request is that job, however it was put"
    assert "(finished before)" in answer.err
    assert running.command("wait", finished.id, "--timeout", "1m").out == "succeeded\n"


def test_the_catalogues(running: Running) -> None:
    assert {"dm", "mtt", "random"} <= {method["name"] for method in running.command("methods", "--json").json}
    assert "Matching training trajectories" in running.command("methods").out
    rows = {dataset["name"]: dataset for dataset in running.command("datasets", "--json").json}
    assert rows["digits"]["train_count"] == 1438
    assert "digits" in running.command("datasets").out


def test_what_is_known_of_a_job(running: Running, finished: Job) -> None:
    assert running.command("show", finished.id, "--json").json["status"] == "succeeded"
    shown = running.command("show", finished.id).out.splitlines()
    told = {line.split("  ")[0]: line.split("  ", 1)[1].strip() for line in shown}
    assert [told[name] for name in ("status", "dataset", "method")] == ["succeeded", "digits", "random"]
    assert re.search(r"^accuracy +\d+\.\d% ± \d+\.\d%, distilled$", "\n".join(shown), re.MULTILINE)
    assert [line for line in shown if line.endswith(" ")] == [], "a pipe gets no padding"
    listed = running.command("list", "--status", "succeeded", "--method", "random", "--json").json
    assert finished.id in [job["id"] for job in listed]
    assert {job["status"] for job in listed} == {"succeeded"}
    assert len(running.command("list", "--limit", 1, "--json").json) == 1
    assert finished.id in running.command("list").out, "no id is cut"
    events = [json.loads(line) for line in running.command("events", finished.id, "--json").out.splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["type"], events[-1]["type"]) == ("job.created", "job.succeeded")
    followed = running.command("events", finished.id, "--follow", "--after", 2).out.splitlines()
    assert len(followed) == len(events) - 2


def test_jobs_are_found_by_their_words_and_sorted(running: Running, finished: Job, second: object) -> None:
    (job,) = running.command("list", *WORDS, "--json").json
    assert job["metadata"] == {"set": "second", "name": "my run"}
    assert "name=my run set=second" in running.command("list", "--metadata", "set=second").out
    assert running.command("list", "--metadata", "set=first", "--json").json == []
    with running.client() as client:
        assert [found.id for found in client.jobs(metadata={"set": "second"})] == [job["id"]]
        assert [found.metadata["name"] for found in client.jobs(metadata={"set": "second"}, sort="ipc")] == ["my run"]
        best = client.jobs(status="succeeded", sort="accuracy")
    assert {job["id"], finished.id} <= {found.id for found in best}
    jobs = [found.raw for found in best if found.raw["kind"] == "distillation"]
    accuracies = [job["metrics"]["results"]["distilled"]["accuracy_mean"] for job in jobs]
    assert accuracies == sorted(accuracies, reverse=True)
    by_size = running.command("list", "--sort", "ipc", "--json").json
    assert next(job for job in by_size if job["kind"] == "distillation")["ipc"] == 1


def test_a_pipe_gets_no_colours(running: Running, finished: Job) -> None:
    for words in (("list",), ("show", finished.id), ("show", "job_0"), ("--help",)):
        answer = running.command(*words)
        assert "\x1b" not in answer.out + answer.err


def test_the_ends_a_wait_can_have(running: Running, tmp_path: Path) -> None:
    """5 timed out, 130 interrupted (both leave the job running), 4 cancelled, 3 failed, 2 cancelled too late."""
    job = running.command("submit", "digits", "--ipc", 1, "--method", "mtt", *ENDLESSLY).out.strip()
    answer = running.command("wait", job, "--timeout", "0.5s")
    assert answer.code == 5
    assert f"stillhouse wait {job}" in answer.err

    waiting = spawn("wait", job, environment={"STILLHOUSE_URL": running.url}, stderr=subprocess.PIPE)
    assert waiting.stderr is not None
    waiting.stderr.readline()  # it shows the job: it waits
    waiting.send_signal(signal.SIGINT)
    _, said = waiting.communicate(timeout=60)
    assert waiting.returncode == 130
    assert job.encode() in said
    with running.client() as client:
        assert client.job(job).status in ("queued", "running")

        # A dataset that vanishes between the submission and the work: the worker is still busy with the first job.
        bundle = place(running.home / "datasets", "vanishing", sound())
        doomed = running.command("submit", "vanishing", "--ipc", 1, "--method", "random", *EVALUATION).out.strip()
        bundle.unlink()
        until(lambda: client.job(job).status == "running", "the first job runs")
        assert running.command("cancel", job).out in ("cancelling\n", "cancelled\n")
        assert running.command("wait", job).code == 4
        answer = running.command("wait", doomed)
    assert answer.code == 3
    assert "dataset_unavailable" in answer.err
    assert running.command("cancel", doomed).code == 2, "it is over"
    assert running.command("retry", doomed).out == "queued\n"
    assert running.command("wait", doomed).code == 3
    assert running.command("get", doomed, "--out", tmp_path).code == 2, "it has no result"


def begun(client: Client, job_id: str) -> None:
    """Wait until a job has distilled."""
    until(lambda: any(event.type == "metric" for event in client.events(job_id)), "outer steps are done")


def test_a_job_that_was_paused_gives_what_it_would_have_given_anyway(running: Running, tmp_path: Path) -> None:
    words = (*SMALL, "--set", "schedule.steps=600")
    paused = running.command(*words).out.strip()
    begun(running.kept, paused)
    assert running.command("pause", paused).out in ("pausing\n", "paused\n")
    until(lambda: running.kept.job(paused).status == "paused", "the worker has saved it")
    whole = running.command(*words).out.strip()
    assert whole != paused, "nobody waits for a job that waits"
    assert running.command("wait", whole).code == 0, "the worker is free"
    running.kept.download(whole, tmp_path / whole)
    refused = running.command("resume", paused)
    assert (refused.code, whole in refused.err) == (2, True), "the result is there"
    running.kept.delete(whole)
    assert running.command("resume", paused).out == "queued\n"
    assert running.command("wait", paused).code == 0
    running.kept.download(paused, tmp_path / paused)
    names = ("dataset.safetensors", "dataset.npz", "preview.png")
    assert all((tmp_path / paused / name).read_bytes() == (tmp_path / whole / name).read_bytes() for name in names)
    assert running.kept.job(paused).raw["attempt"] == 2


def test_a_job_is_ended_early_with_a_whole_artifact(running: Running, tmp_path: Path) -> None:
    words = (*SMALL, "--set", "schedule.steps=100000", "--set", 'evaluation.coverage={"epochs": 1}')
    words += ("--set", "evaluation.look_every=100", "--set", "evaluation.select=best_validation")
    job = running.command(*words).out.strip()
    begun(running.kept, job)
    assert running.command("finish", job).out == "running\n"
    assert running.command("wait", job).code == 0
    assert running.command("get", job, "--out", tmp_path / "early").code == 0, "every byte is verified"
    report = json.loads((tmp_path / "early" / "report.json").read_text())
    ended = report["ended"]
    assert 0 < ended["step"] < ended["steps"] == 100_000
    assert report["selection"].startswith("best of the looks on the validation split: step ")
    assert ended["left_out"] == ["the coverage of the test images", "the nearest real images"]
    told = running.command("report", job)
    assert "Ended early" in told.out + told.err
    assert running.command("finish", job).code == 2, "it is over"
    again = running.command(*words).out.strip()
    assert again != job, "a result that was cut short answers nobody who asks for the whole"
    assert running.command("delete", again).code == 2, "it is not over"
    deleted = running.command("delete", job, "--json")
    assert deleted.json == {"id": job, "title": "digits, 1 per class, dm", "deleted": True}
    assert running.command("show", job).code == 7


def test_the_smallest_set_that_reaches_a_target_is_found(running: Running, tmp_path: Path) -> None:
    words = ("digits", "--target", "30%", "--within", "25s", "--method", "dm", "--set", "network.width=4")
    words += ("--set", "evaluation.seeds=2", "--set", "evaluation.epochs=50")
    job = running.command("submit", *words).out.strip()
    waiting = running.kept.job(job)
    assert waiting.title == "digits, as few per class as reach the target, dm"
    assert waiting.raw["request"]["target"] == {"accuracy": 0.3}
    done = running.command("distill", *words, "--out", tmp_path / "found")
    assert done.code == 0, done.err
    report = json.loads((tmp_path / "found" / "report.json").read_text())
    aim, found = report["aim"], running.kept.job(job)
    assert aim["reached"] == found.raw["metrics"]["reached"] == (aim["validation"] >= 0.3)
    assert found.ipc == aim["ipc"] == json.loads((tmp_path / "found" / "recipe.json").read_text())["request"]["ipc"]
    assert len(aim["sizes"]) > 1, "there is time for it"
    sizes = {size["ipc"]: statistics.fmean(size["validation"]) for size in aim["sizes"]}
    reached = [ipc for ipc, accuracy in sizes.items() if accuracy >= 0.3]
    assert aim["ipc"] == (min(reached) if reached else max(sizes, key=lambda ipc: sizes[ipc]))
    with np.load(tmp_path / "found" / "dataset.npz") as arrays:
        assert len(arrays["y_train"]) == 10 * aim["ipc"]
    (tested,) = (row["accuracy_mean"] for row in report["results"] if row["name"] == "distilled")
    answer = running.command("report", job)
    told = " ".join((answer.out + answer.err).split())
    assert f"On it the result reaches {100 * tested:.1f} %" in told


def test_a_job_goes_on_from_the_images_of_a_finished_one(running: Running, finished: Job, tmp_path: Path) -> None:
    words = ("submit", "digits", "--method", "dm", "--set", "network.width=4", "--set", "schedule.steps=2", *EVALUATION)
    further = ("--ipc", 2, "--continue-from", finished.id)
    job = running.command(*words, *further).out.strip()
    assert running.command("submit", "digits", "--method", "dm", *further).out.strip() != job
    assert running.command(*words, *further).out.strip() == job, "the same again is the same job"
    assert running.command("delete", finished.id).code == 2, "it is needed"
    assert running.command("wait", job).code == 0
    running.kept.download(job, tmp_path / "further")
    report = json.loads((tmp_path / "further" / "report.json").read_text())
    assert f"The images go on from those of {finished.id}." in report["warnings"]
    request = json.loads((tmp_path / "further" / "recipe.json").read_text())["request"]
    (digest,) = (file.sha256 for file in running.kept.files(finished.id) if file.name == "dataset.safetensors")
    assert (request["continue_from"], request["continues"]) == (finished.id, digest)
    for refused, told in (
        (("--ipc", 1, "--continue-from", job), "Set ipc to at least 2"),
        (("--ipc", 2, "--share", "proportional", "--continue-from", job), "Set share to 'equal'"),
        (("--ipc", 2, "--continue-from", "job_0"), "No job of yours has this id"),
        (("--ipc", 2, "--continue-from", job, "--set", "preprocess.kind=zca"), "Set preprocess.kind to"),
    ):
        answer = running.command(*words, *refused)
        assert answer.code == 2
        assert told in answer.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--ipc", 0, "--method", "mtt"), ["ipc", "greater than or equal to 1"]),
        (("--ipc", 1000, "--method", "mtt"), ["Set ipc to at most"]),
        (("--ipc", 1, "--method", "mmt"), ["Did you mean 'mtt'?"]),
        (("--ipc", 1, "--method", "mtt", "--set", "objective.syn_step=3"), ["Did you mean 'syn_steps'?"]),
        (("--ipc", 1, "--method", "mtt", "--set", "objective.syn_steps"), ["write PATH=VALUE"]),
        (("--ipc", 1, "--method", "mtt", "--metadata", "commit"), ["write KEY=VALUE"]),
        (("--ipc", 1, "--method", "mtt", "--metadata", "a b=c"), ["metadata"]),
        (("--ipc", 1, "--ratio", 0.1, "--method", "mtt"), ["Leave one of them out"]),
        (("--method", "mtt"), ["Add 'ipc'", "'ratio'"]),
        (("--ratio", 2, "--method", "mtt"), ["ratio", "at most 1"]),
        (("--target", "eighty"), ["target", "Write '80%' for an accuracy, 'gap:50%' for half of the gap"]),
        (("--target", "80%", "--ipc", 1), ["Leave one of them out"]),
        (("--target", "10%"), ["Set target.accuracy to at least 0.12"]),
        (("--ipc", 1, "--set", "schedule.steps=3"), ["name a method"]),
        (("--ipc", "one", "--method", "mtt"), ["--ipc", "integer"]),
    ],
    ids=str,
)
def test_a_request_that_cannot_be_is_a_usage_error(running: Running, words: tuple[object], expected: list[str]) -> None:
    answer = running.command("submit", "digits", *words)
    assert answer.code == 2
    assert answer.out == ""
    for part in expected:
        assert part in answer.err


def test_a_time_that_is_none_is_a_usage_error(running: Running, finished: Job) -> None:
    assert running.command("wait", finished.id, "--timeout", "soon").code == 2


def test_an_unknown_job_is_not_found(running: Running, tmp_path: Path) -> None:
    names = ("show", "wait", "cancel", "finish", "pause", "resume", "delete", "retry", "events")
    for words in (*((name,) for name in names), ("get", "--out", tmp_path)):
        assert running.command(*words, "job_01AAAAAAAAAAAAAAAAAAAAAAAA").code == 7, words


def test_an_error_is_json_too(running: Running) -> None:
    answer = running.command("submit", "digits", "--ipc", 1000, "--method", "mtt", "--json")
    problem = answer.json_error
    assert (problem["exit_code"], problem["status"]) == (2, 422)
    assert problem["errors"][0]["field"] == "ipc"


@pytest.mark.parametrize(
    "words", [("distill",), ("distill", "digits", "--ipc", "x"), ("nothing",), ("show", "--nope"), ("key", "--nope")]
)
def test_a_command_that_is_none_is_json_where_that_is_asked_for(words: tuple[str, ...]) -> None:
    told, asked = command(*words), command(*words, "--json")
    assert (told.code, asked.code, asked.json_error["exit_code"]) == (2, 2, 2)
    assert "Usage: " in told.err
    assert "Usage: " not in asked.json_error["message"]


@pytest.mark.parametrize(("status", "code"), [(401, 6), (403, 6), (429, 6), (404, 7), (409, 2), (500, 1), (503, 9)])
def test_refusals_have_exit_codes(status: int, code: int) -> None:
    assert Problem(status, {"title": "No"}).exit_code == code


def test_nobody_there() -> None:
    answer = command("list", STILLHOUSE_URL=f"http://127.0.0.1:{free_port()}")
    assert answer.code == 9
    assert "stillhouse serve" in answer.err
    assert command("list", STILLHOUSE_URL="localhost:8000").code == 2, "an address without a scheme"


@pytest.mark.parametrize("words", [("distill", *ORDER), ("forecast", *ORDER), ("wait", "job_1")], ids=str)
def test_the_time_that_is_given_bounds_the_whole_command(words: tuple[object, ...], artifact: Path) -> None:
    """With nobody there it is 9, as without a time; with somebody who says nothing it is 5."""
    out = ("--out", artifact) if words[0] == "distill" else ()
    before = time.monotonic()
    answer = command(*words, *out, "--timeout", "1s", STILLHOUSE_URL=f"http://127.0.0.1:{free_port()}")
    assert answer.code == 9, answer.err
    assert ("recipe.json says what was asked for" in answer.err) is (words[0] == "distill"), "what is there stays"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        answer = command(*words, *out, "--timeout", "1s", STILLHOUSE_URL=f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert answer.code == 5, answer.err
    assert time.monotonic() - before < 30, "the patience with a service that restarts is 60 s"


def test_somebody_else_there() -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), Stranger) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        answer = command("list", STILLHOUSE_URL=f"http://127.0.0.1:{server.server_address[1]}")
        server.shutdown()
    assert answer.code == 9
    assert "is not Stillhouse" in answer.err


class Stranger(http.server.BaseHTTPRequestHandler):
    """Some other web server."""

    def do_GET(self) -> None:
        """Be friendly."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<h1>Welcome</h1>")
