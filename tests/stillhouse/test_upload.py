"""A folder of one's own pictures goes in, a distilled dataset comes out: through the real service."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from stillhouse import Client, InvalidDataset, UsageError
from stillhouse.catalogue import located
from stillhouse.upload import as_options
from tests.data.archives import classes, packed, photographs, spread, tarred
from tests.stillhouse.conftest import EVALUATION
from tests.stillhouse.cutting import line_to
from tests.stillhouse.running import CHEAP, Running, until


def test_an_uploaded_folder_is_distilled(running: Running, tmp_path: Path) -> None:
    spread(classes(12), tmp_path / "pets")
    answer = running.command("upload", tmp_path / "pets", "--name", "my pets")
    assert answer.code == 0, answer.err
    assert "20 training and 4 test images, 2 classes" in answer.err
    assert "No picture is mirrored in training: it could not be told" in answer.err
    dataset = answer.out.strip()
    with running.client() as client:
        forecast = running.command("forecast", "my pets", "--ipc", 2, "--method", "random", "--timeout", "0s", "--json")
        assert forecast.code == 0, forecast.err
        job = client.submit("my pets", ipc=2, method="random", evaluation=CHEAP)
        assert (job.dataset, job.dataset_title) == (dataset, "my pets")
        done = client.wait(job.id, timeout=60)
        assert done.status == "succeeded"
        assert done.forecast is not None
        client.download(job.id, tmp_path / "out")
        assert len(list((tmp_path / "out" / "images").rglob("*.png"))) == 4
        card = (tmp_path / "out/README.md").read_text()
        assert "# my pets, distilled to" in card
        assert 'pretty_name: "my pets, distilled"' in card
        assert "my pets" in running.command("list").out
        shown = running.command("show", "my pets").out
        assert re.search(r"^class 1 +dog: 10 training, 2 test$", shown, re.MULTILINE)
        assert re.search(rf"^pictures +http://\S+/uploads/{dataset}$", shown, re.MULTILINE)
        assert re.search(rf"^dataset +my pets \({dataset}\)$", running.command("show", job.id).out, re.MULTILINE)
        assert "my pets" in running.command("datasets").out
        kept = running.command("delete", "digits")
        assert (kept.code, "digits is no upload" in kept.err) == (2, True)
        gone = running.command("delete", "my pets")
        assert (gone.code, gone.err) == (0, f"{dataset} (my pets) is deleted.\n")
        assert dataset not in [each["name"] for each in client.datasets()]


def test_a_title_is_one_word_of_an_address_whatever_is_in_it(running: Running, tmp_path: Path) -> None:
    spread(classes(12), tmp_path / "birds")
    titles = ("birds", "birds#2", "birds?kind=2", "birds%232", "birds/2", "birds/2/", "birds 2", "..")
    with running.client() as client:
        ids = {title: client.upload(tmp_path / "birds", title)["name"] for title in titles}
        assert len({*ids.values()}) == len(titles)
        assert {title: client.dataset(title)["name"] for title in titles} == ids
        for title in titles[1:]:
            gone = running.command("delete", title)
            assert (gone.code, gone.err) == (0, f"{ids[title]} ({title}) is deleted.\n")
        there = [each["name"] for each in client.datasets()]
        assert [title for title in titles if ids[title] in there] == ["birds"]
        client.delete_dataset(ids["birds"])
        with pytest.raises(UsageError, match="is empty"):
            client.dataset("")


def test_one_command_takes_a_folder_to_a_verified_artifact_and_sends_it_once(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spread(photographs(5), tmp_path / "views")
    words = ("--ipc", 1, "--method", "random", *EVALUATION)
    with running.client() as client:
        before = len(client.datasets())
        sizeless = running.command("distill", "views/", "--within", "1m")
        assert (sizeless.code, "add --ipc" in sizeless.err) == (2, True)
        (tmp_path / "file").touch()
        homeless = running.command("distill", "views/", *words, "--out", "file/views")
        assert (homeless.code, "name another folder" in homeless.err) == (2, True)
        assert len(client.datasets()) == before, "nothing is sent for nothing"
        first = running.command("distill", "views/", *words)
        assert first.code == 0, first.err
        assert "views: 8 training and 2 test images, 2 classes." in first.err
        assert "its middle 64 x 64 kept; say a size to have another side" in first.err
        assert first.out.strip() == "views-random-1"
        assert running.command("verify", "views-random-1").code == 0
        wrong = running.command("distill", "views", *words, "--size", "huge")
        assert (wrong.code, "--size huge: say a number of pixels" in wrong.err) == (2, True)
        again = running.command("distill", "views", *words, "--out", "again", "--json")
        assert again.code == 0, again.err
        assert "views was uploaded before: it is 'views' (ds_" in again.err
        assert again.json["cached"]
        lost = running.command("get", again.json["job"]["id"], "--out", "file/views")
        assert (lost.code, "file/views cannot be written: Not a directory." in lost.err) == (1, True)
        assert len(client.datasets()) == before + 1
        spread(photographs(6), tmp_path / "views")
        other = running.command("upload", "views", "--size", "auto")
        assert other.code == 0, "another content is another dataset"
        assert "Another dataset was called 'views' already: this one is called 'views-2'." in other.err
        for words in (("views",), ("views", "--name", "views"), ("views", "--name", "views-2")):
            known = running.command("upload", *words, "--size", "auto")
            assert (known.out, "it is 'views-2' (ds_" in known.err) == (other.out, True)
        made = [each["name"] for each in client.datasets() if each["title"] in ("views", "views-2")]
        assert len(made) == 2
        for name in made:
            client.delete_dataset(name)


def test_a_folder_is_one_dataset_by_whichever_command_it_comes(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spread(classes(7), tmp_path / "my flowers")  # which no other test sends: the answer would be under its title
    with running.client() as client:
        uploaded = running.command("upload", "my flowers").out.strip()
        distilled = running.command("distill", "my flowers", "--ipc", 1, "--method", "random", *EVALUATION)
        assert (distilled.code, distilled.out) == (0, "my-flowers-random-1\n"), distilled.err
        assert f"my flowers was uploaded before: it is 'my flowers' ({uploaded})." in distilled.err
        assert running.command("upload", "my flowers").out.strip() == uploaded
        for words in ({}, {"size": "auto"}, {"mirror": "auto", "skip_broken": False}):
            assert located(client, "my flowers/", **words) == uploaded, words  # type: ignore[arg-type]
        client.delete_dataset(uploaded)

        first = located(client, "my flowers")
        assert client.dataset(first)["sent"]["size"] == "auto"
        for words in ((), ("--size", "auto")):
            assert running.command("upload", "my flowers", *words).out.strip() == first, words
        client.delete_dataset(first)

        small = running.command("upload", "my flowers", "--size", 6, "--mirror", "no").out.strip()
        said = running.command("distill", "my flowers", "--ipc", 1, "--method", "random", *EVALUATION)
        assert f"was uploaded before, read with --size 6 --mirror no: it is 'my flowers' ({small})." in said.err
        plain = running.command("upload", "my flowers").out.strip()
        assert plain != small, "the command that says how a folder is read means what it says"
        assert located(client, "my flowers") == plain, "of several it is the one read as it is where nothing is said"
        assert located(client, "my flowers", size="6") == small
        other = located(client, "my flowers", size="7")
        assert client.dataset(other)["shape"][1:] == [7, 7]
        (tmp_path / "my flowers/cat").rename(tmp_path / "my flowers/cow")
        changed = located(client, "my flowers")
        assert client.dataset(changed)["class_names"] == ["cow", "dog"], "the folder as it is now"
        for name in (small, plain, other, changed):
            client.delete_dataset(name)


def test_pictures_that_auto_scales_are_another_dataset_than_those_that_stay(running: Running, tmp_path: Path) -> None:
    spread(photographs(5), tmp_path / "views")
    with running.client() as client:
        scaled = located(client, str(tmp_path / "views"))
        assert not client.dataset(scaled)["sent"]["either_size"]
        refused = running.command("upload", tmp_path / "views")
        assert (refused.code, "say `--size`" in refused.err) == (2, True), "without a size all have to have one"
        client.delete_dataset(scaled)


def test_a_word_is_a_dataset_before_it_is_a_folder_and_a_path_is_a_path(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    with running.client() as client:
        assert located(client, "digits") == "digits"
        assert located(client, "digts") == "digts", "the service has a word to say"
        with pytest.raises(UsageError, match="digits is empty"):
            located(client, "./digits")
        with pytest.raises(UsageError, match=r"There is no folder or file flowers/"):
            located(client, "flowers/")
        with pytest.raises(UsageError, match=r"--size and --mirror: said of what is uploaded.* is \./digits\."):
            located(client, "digits", size="8", mirror="no")


def test_the_uploader_says_whether_pictures_may_be_mirrored(running: Running, tmp_path: Path) -> None:
    (tmp_path / "pets.zip").write_bytes(packed(classes(4)))
    with running.client() as client:
        found = client.upload(tmp_path / "pets.zip", "mirrored pets", mirror="yes")
        assert found["mirroring"]["allowed"]
        words = ("--mirror", "no", "--order", "dog, cat", "--skip-broken")
        answer = running.command("upload", tmp_path / "pets.zip", "--name", "mirrored pets", *words)
        assert "Another dataset was called 'mirrored pets' already: this one is called 'mirrored pets-2'." in answer.err
        assert running.command("show", "mirrored pets-2", "--json").json["name"] == answer.out.strip()
        assert "No picture is mirrored in training: whoever gave the dataset said so." in answer.err
        said = client.dataset(answer.out.strip())
        assert (said["mirroring"]["by"], said["class_names"]) == ("uploader", ["dog", "cat"])
        assert (said["sent"]["order"], said["sent"]["skip_broken"]) == ("dog, cat", True)
        assert (
            running.command("upload", tmp_path / "pets.zip", "--name", "mirrored pets", "--mirror", "maybe").code == 2
        )
        (tmp_path / "small pets.tar.gz").write_bytes(tarred(classes(4)))
        distilled = located(client, str(tmp_path / "small pets.tar.gz"), size="6", mirror="yes")
        small = client.dataset(distilled)
        assert (small["title"], small["shape"][1:], small["mirroring"]["by"]) == ("small pets", [6, 6], "uploader")
        for dataset in (found["name"], answer.out.strip(), distilled):
            client.delete_dataset(dataset)


def test_a_large_file_goes_on_where_the_line_broke_and_where_an_earlier_call_was_ended(
    running: Running, tmp_path: Path
) -> None:
    body = packed(classes(4) | {"notes.txt": bytes(4 << 20)}, method=zipfile.ZIP_STORED)
    (tmp_path / "large.zip").write_bytes(body)
    digest, half = hashlib.sha256(body).hexdigest(), len(body) // 2
    head = {"Content-Type": "application/zip", "Content-Length": str(len(body)), "Upload-Key": digest}

    def ended() -> Iterator[bytes]:
        yield body[:half]
        raise EOFError

    with line_to(running.url) as line, Client(line.url) as client, httpx.Client(base_url=running.url) as direct:
        with pytest.raises(EOFError):
            direct.post("/v1/datasets?name=large", content=ended(), headers=head)
        until(lambda: direct.get(f"/v1/datasets/arrivals/{digest}").json()["received"], "the service knows the break")
        line.of_requests, line.cuts, line.length = True, 1, len(body) // 4
        found = client.upload(tmp_path / "large.zip", "large")
        assert (line.cuts, found["sent"]["sha256"]) == (0, digest)
        assert line.sent < 0.8 * len(body), "what had arrived is not sent again, but for what was under way"
        client.delete_dataset(found["name"])


def test_what_cannot_be_used_is_told(running: Running, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"no zip")
    with running.client() as client:
        with pytest.raises(InvalidDataset, match=r"^'x' \(ds_\w+\) cannot be used: .*not a whole zip"):
            client.upload(tmp_path / "x.zip", "x")
        with pytest.raises(UsageError, match="There is no file"):
            client.upload(tmp_path / "y.zip", "y")
    assert running.command("upload", tmp_path / "x.zip", "--name", "x").code == 2
    (tmp_path / "large.zip").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40 << 20))  # most of which is never sent
    told = running.command("upload", tmp_path / "large.zip")
    assert (told.code, "body: It is one picture. Send a zip or tar of class folders" in told.err) == (2, True)
    (tmp_path / "pets/eel").mkdir(parents=True)
    empty = running.command("upload", tmp_path / "pets", "--name", "x")
    assert (empty.code, "pets/eel is empty" in empty.err) == (2, True)


def test_the_command_line_speaks_of_its_options(running: Running, tmp_path: Path) -> None:
    rows = "".join(f"{n},{n % 7 / 4},{'ab'[n % 2]}\n" for n in range(24))
    (table := tmp_path / "ward.csv").write_text(f"size,weight,diagnosis\n{rows}")
    for command in (("upload", table), ("distill", table, "--ipc", 1)):
        refused = running.command(*command)
        assert (refused.code, "with --label-column, for instance --label-column " in refused.err) == (2, True)
        assert "label_column" not in refused.err
    with running.client() as client, pytest.raises(InvalidDataset, match="with label_column, for instance"):
        client.upload(table)  # in Python it is an argument
    assert running.command("upload", table, "--label-column", "diagnosis").code == 0


@pytest.mark.parametrize(
    ("said", "options"),
    [
        ("Upload with missing=median or missing=drop.", "Upload with --missing median or --missing drop."),
        ("say `size` (e.g. size=32)", "say `--size` (e.g. --size 32)"),
        ("Say it as train_folder", "Say it as --train-folder"),
        ("missing values of this kind, in order", "missing values of this kind, in order"),
    ],
)
def test_parameters_of_the_api_are_options(said: str, options: str) -> None:
    assert as_options(said) == options


def test_a_folder_whose_upload_was_lost_is_sent_again_as_it_was_read(running: Running, tmp_path: Path) -> None:
    folder, read = tmp_path / "lost views", ("--size", 16, "--mirror", "no")
    spread(photographs(5), folder)
    before = set((running.home / "store").rglob("sha256/*/*"))
    first = running.command("upload", folder, *read, "--name", "a loss")
    assert first.code == 0, first.err
    (bundle,) = set((running.home / "store").rglob("sha256/*/*")) - before
    bundle.unlink()
    again = running.command("upload", folder, *read)
    assert (again.code, again.out) == (0, first.out), again.err
    assert bundle.exists()
    bundle.unlink()
    with running.client() as client:
        assert located(client, str(folder)) == first.out.strip(), "a job has it as it was read"
        assert bundle.exists()
        assert [each["title"] for each in client.datasets() if each["name"] == first.out.strip()] == ["a loss"]
