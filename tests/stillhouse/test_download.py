"""Downloads: continued where they stopped, checked to the last byte, never half there under a final name."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from core.artifacts import zip_bytes
from core.artifacts.archive import Entry
from stillhouse import Client, File, HashMismatch, Job, Unreachable, verify
from stillhouse.archive import members
from stillhouse.checksums import sha256
from stillhouse.download import download
from stillhouse.errors import OutOfTime
from stillhouse.http import Http
from tests.stillhouse.cutting import Line, line_to
from tests.stillhouse.running import CHEAP, Running

BIG = "preview.png"


@pytest.fixture
def line(running: Running) -> Iterator[Line]:
    """A line to the service that can be cut."""
    with line_to(running.url) as line:
        yield line


@pytest.fixture
def http(line: Line) -> Iterator[Http]:
    """A connection over that line."""
    http = Http(line.url, patience=5)
    yield http
    http.close()


@pytest.fixture
def file(running: Running, finished: Job) -> File:
    """A file of some size."""
    with running.client() as client:
        return next(file for file in client.files(finished.id) if file.name == BIG)


def test_everything_arrives_and_only_once(running: Running, finished: Job, tmp_path: Path) -> None:
    seen: dict[str, int] = {}
    with running.client() as client:
        files = client.files(finished.id)
        total = client.download(finished.id, tmp_path / "a", lambda file, arrived: seen.update({file.name: arrived}))
        assert total == sum(file.bytes for file in files)
        assert seen == {file.name: file.bytes for file in files}
        assert client.download(finished.id, tmp_path / "a") == 0
    assert not list(tmp_path.rglob("*.part"))
    assert verify(tmp_path / "a") == []


def test_a_download_that_stalls_ends_with_the_time_that_was_given(
    line: Line, running: Running, finished: Job, tmp_path: Path
) -> None:
    with running.client() as client:
        everything = sum(file.bytes for file in client.files(finished.id))
    line.mute_beyond = everything // 2
    with Client(line.url, patience=60, limit=1) as client, pytest.raises(OutOfTime, match="1 s that were given"):
        client.download(finished.id, tmp_path / "a")
    arrived = sum(path.stat().st_size for path in (tmp_path / "a").rglob("*") if path.is_file())
    with running.client() as client:
        assert client.download(finished.id, tmp_path / "a") == everything - arrived
    assert verify(tmp_path / "a") == [], "what had arrived is kept and completed"


def test_a_download_goes_on_where_it_stopped(
    http: Http, finished: Job, file: File, artifact: Path, tmp_path: Path
) -> None:
    (tmp_path / f"{BIG}.part").write_bytes((artifact / BIG).read_bytes()[:1000])
    assert download(http, finished.id, [file], tmp_path) == file.bytes - 1000
    assert (tmp_path / BIG).read_bytes() == (artifact / BIG).read_bytes()


@pytest.mark.parametrize("rubbish", [10, 10**6], ids=["short", "long"])
def test_a_wrong_beginning_is_thrown_away(http: Http, finished: Job, file: File, tmp_path: Path, rubbish: int) -> None:
    (tmp_path / f"{BIG}.part").write_bytes(b"?" * rubbish)
    download(http, finished.id, [file], tmp_path)
    assert (tmp_path / BIG).stat().st_size == file.bytes
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [BIG]


def test_a_cut_line_is_taken_up_again(http: Http, line: Line, finished: Job, file: File, tmp_path: Path) -> None:
    line.cuts, line.length = 3, 3000
    assert download(http, finished.id, [file], tmp_path) == file.bytes
    assert line.cuts == 0
    assert (tmp_path / BIG).stat().st_size == file.bytes


def test_a_dead_line_is_unreachable_and_keeps_what_came(
    line: Line, finished: Job, file: File, artifact: Path, tmp_path: Path
) -> None:
    part = tmp_path / f"{BIG}.part"
    part.write_bytes((artifact / BIG).read_bytes()[:1000])
    line.cuts, line.length = 1, 0
    with pytest.raises(Unreachable):
        download(Http(line.url), finished.id, [file], tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [part.name]
    assert part.stat().st_size == 1000


def test_many_files_are_one_answer_and_what_a_cut_leaves_out_comes_by_itself(
    line: Line, running: Running, finished: Job, tmp_path: Path
) -> None:
    with Client(line.url, patience=5) as client:
        files = client.files(finished.id)
        half = sum(file.bytes for file in files) // 2
        line.cuts, line.length = 1, half
        fetched = client.download(finished.id, tmp_path)
        assert line.cuts == 0
    assert verify(tmp_path) == []
    assert not list(tmp_path.rglob("*.part"))
    assert fetched < half + sum(file.bytes for file in files), "what had arrived was not sent again"


def entries(contents: dict[str, bytes]) -> list[Entry]:
    return [(name, partial(io.BytesIO, content)) for name, content in contents.items()]


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_an_archive_is_read_as_it_comes(piece: int) -> None:
    contents = {"a/b.png": b"x" * 100, "empty": b"", "z": bytes(range(256)) * 30}
    zipped = zip_bytes(entries(contents))
    pieces = (zipped[start : start + piece] for start in range(0, len(zipped), piece))
    assert {name: b"".join(content) for name, content in members(pieces)} == contents
    assert [name for name, _ in members(iter([zipped]))] == list(contents), "what is not read is passed over"


@pytest.mark.parametrize("form", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_archive_that_is_torn_or_of_another_form_is_none(form: int) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", form) as archive:
        archive.writestr("a", b"x" * 100)
    with pytest.raises(ValueError, match="archive"):
        dict(members(iter([file.getvalue()[:60]])))
    with pytest.raises(ValueError, match="archive"):
        list(members(iter([b"<html>"])))


def test_a_shard_arrives_whole_over_a_line_that_is_cut(
    line: Line, running: Running, finished: Job, artifact: Path, tmp_path: Path
) -> None:
    with Client(line.url, patience=5) as client:
        line.cuts, line.length = 1, 9000  # beyond the headers of the answer that says how much there is
        shard = client.webdataset(finished.id, tmp_path / "cut")
        assert line.cuts == 0
    with tarfile.open(shard) as archive:
        picture = archive.extractfile("000003.png")
        assert picture is not None
        assert picture.read() == (artifact / "images/3/0.png").read_bytes()
    answer = running.command("get", finished.id, "--format", "webdataset", "--out", tmp_path / "whole")
    assert answer.out.strip() == str(tmp_path / "whole/train-000000.tar")
    assert Path(answer.out.strip()).read_bytes() == shard.read_bytes()


def test_a_damaged_store_is_noticed(running: Running, finished: Job, file: File, tmp_path: Path) -> None:
    blob = running.home / "store" / "sha256" / file.sha256[:2] / file.sha256
    sound = blob.read_bytes()
    blob.chmod(0o644)
    blob.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    try:
        answer = running.command("get", finished.id, "--out", tmp_path)
        assert answer.code == 8
        assert BIG in answer.err
        assert not list(tmp_path.glob(f"{BIG}*")), "nothing under its name, nothing to continue"
    finally:
        blob.write_bytes(sound)
    assert running.command("get", finished.id, "--out", tmp_path).code == 0


def test_another_artifact_in_the_same_folder_makes_way(
    running: Running, finished: Job, second: object, artifact: Path
) -> None:
    (artifact / "notes.txt").write_text("mine")
    with running.client() as client:
        job = client.submit("digits", ipc=2, method="random", seed=7, evaluation=CHEAP)
        client.download(job.id, artifact)
        assert len(list(artifact.rglob("*.png"))) == 21
        client.download(finished.id, artifact)
        assert len(list(artifact.rglob("*.png"))) == 11, "ten images and their preview"
    assert (artifact / "notes.txt").read_text() == "mine", "what nobody published is nobody's to remove"


def sums_of(folder: Path) -> None:
    """Write the checksums of all files, as `sha256sum * > SHA256SUMS` does."""
    lines = [f"{sha256(path)}  {path.name}\n" for path in sorted(folder.iterdir())]
    (folder / "SHA256SUMS").write_text("".join(lines))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("manifest", [None, '{"manifest_version": 3, "files": []}', "[]", "no JSON"])
def test_files_of_somebody_else_are_neither_removed_nor_replaced(
    running: Running, finished: Job, tmp_path: Path, manifest: str | None
) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    (tmp_path / "README.md").write_text("mine")
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)
    sums_of(tmp_path)
    before = contents(tmp_path)
    answer = running.command("get", finished.id, "--out", tmp_path)
    assert answer.code == 2
    assert "README.md" in answer.err
    assert f"stillhouse get {finished.id} --out FOLDER" in answer.err
    assert contents(tmp_path) == before


def test_files_of_other_names_stay_beside_an_artifact(running: Running, finished: Job, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    assert running.command("get", finished.id, "--out", tmp_path).code == 0
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize("name", ["README.md", "images"])
def test_what_is_no_file_or_no_folder_is_in_the_way(running: Running, finished: Job, tmp_path: Path, name: str) -> None:
    if name == "images":
        (tmp_path / name).write_text("mine")
    else:
        (tmp_path / name).mkdir()
    answer = running.command("get", finished.id, "--out", tmp_path)
    assert answer.code == 2
    assert f"would take: {name}." in answer.err
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_shard_of_somebody_else_stays(running: Running, finished: Job, tmp_path: Path) -> None:
    (tmp_path / "train-000000.tar").write_bytes(b"mine")
    answer = running.command("get", finished.id, "--format", "webdataset", "--out", tmp_path)
    assert answer.code == 2
    assert "--format webdataset --out FOLDER" in answer.err
    assert contents(tmp_path) == {"train-000000.tar": b"mine"}


def test_a_file_of_an_artifact_that_was_changed_is_mended_and_not_lost_to_another(
    running: Running, finished: Job, second: object, artifact: Path
) -> None:
    (other,) = running.kept.jobs(metadata={"set": "second"})
    (artifact / "README.md").write_text("mine by now")
    refused = running.command("get", other.id, "--out", artifact)
    assert (refused.code, "README.md" in refused.err) == (2, True), refused.err
    assert (artifact / "README.md").read_text() == "mine by now"
    assert running.command("get", finished.id, "--out", artifact).code == 0
    assert verify(artifact) == []
    (artifact / "images/3/0.png").write_bytes(b"mine by now")
    running.kept.download(finished.id, artifact)
    assert verify(artifact) == []


def test_a_picture_that_was_changed_is_not_removed(running: Running, finished: Job, artifact: Path) -> None:
    """A set of one image a class takes the place of one of two, whose second images are in no list any more."""
    job = running.kept.submit("digits", ipc=2, method="random", seed=7, evaluation=CHEAP)
    running.kept.download(job.id, artifact)
    (artifact / "images/3/1.png").write_bytes(b"mine by now")
    running.kept.download(finished.id, artifact)
    assert [path.read_bytes() for path in artifact.rglob("1.png")] == [b"mine by now"]


def interrupted(line: Line, running: Running, job: Job, folder: Path) -> None:
    """Bring half of a job's artifact into the folder."""
    line.mute_beyond = sum(file.bytes for file in running.kept.files(job.id)) // 2
    with Client(line.url, patience=60, limit=1) as client, pytest.raises(OutOfTime):
        client.download(job.id, folder)


def test_an_interrupted_download_makes_way_and_so_does_what_it_was_to_replace(
    line: Line, running: Running, finished: Job, second: object, artifact: Path
) -> None:
    (other,) = running.kept.jobs(metadata={"set": "second"})
    interrupted(line, running, other, artifact)
    assert list(artifact.rglob("1.png")), "pictures of the other artifact have arrived"
    running.kept.download(finished.id, artifact)
    assert len(list(artifact.rglob("*.png"))) == 11, "ten images and their preview"
    interrupted(line, running, other, artifact)
    running.kept.download(other.id, artifact)
    assert len(list(artifact.rglob("*.png"))) == 21
    running.kept.download(finished.id, artifact)
    assert verify(artifact) == []
    assert len(list(artifact.rglob("*.png"))) == 11


def test_an_interrupted_download_alone_in_its_folder_makes_way(
    line: Line, running: Running, finished: Job, second: object, tmp_path: Path
) -> None:
    (other,) = running.kept.jobs(metadata={"set": "second"})
    interrupted(line, running, other, tmp_path)
    running.kept.download(finished.id, tmp_path)
    assert verify(tmp_path) == []
    assert len(list(tmp_path.rglob("*.png"))) == 11


@pytest.mark.parametrize("name", ["../escape", "/etc/passwd", "a/../../b", "C:\\x", ""])
def test_a_name_that_leads_out_is_refused(http: Http, finished: Job, file: File, tmp_path: Path, name: str) -> None:
    with pytest.raises(HashMismatch, match="leads out"):
        download(http, finished.id, [replace(file, name=name)], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_events_have_no_gap_when_the_line_is_cut(line: Line, finished: Job) -> None:
    with Client(line.url, patience=5) as client:
        expected = [event.seq for event in client.events(finished.id)]
        line.cuts, line.length = 2, 900  # the headers, and a part of the story
        assert [event.seq for event in client.follow(finished.id)] == expected
        assert line.cuts == 0
