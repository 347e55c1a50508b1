"""A folder of one's own pictures goes in, a distilled dataset comes out: through the real service."""

from __future__ import annotations

from pathlib import Path

import pytest

from stillhouse import InvalidDataset, UsageError
from tests.data.archives import classes, packed
from tests.stillhouse.running import CHEAP, Running


def test_an_uploaded_folder_is_distilled(running: Running, tmp_path: Path) -> None:
    for name, data in classes(12).items():
        path = tmp_path / "pets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
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
        assert client.dataset(dataset)["title"] == "my pets"
        assert "my pets" in running.command("datasets").out
        client.delete_dataset(dataset)
        assert dataset not in [each["name"] for each in client.datasets()]


def test_the_uploader_says_whether_pictures_may_be_mirrored(running: Running, tmp_path: Path) -> None:
    (tmp_path / "pets.zip").write_bytes(packed(classes(4)))
    with running.client() as client:
        found = client.upload(tmp_path / "pets.zip", "pets", mirror="yes")
        assert found["mirroring"]["allowed"]
        answer = running.command("upload", tmp_path / "pets.zip", "--name", "pets", "--mirror", "no")
        assert "No picture is mirrored in training: whoever gave the dataset said so." in answer.err
        assert client.dataset(answer.out.strip())["mirroring"]["by"] == "uploader"
        assert running.command("upload", tmp_path / "pets.zip", "--name", "pets", "--mirror", "maybe").code == 2
        for dataset in (found["name"], answer.out.strip()):
            client.delete_dataset(dataset)


def test_what_cannot_be_used_is_told(running: Running, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"no zip")
    with running.client() as client:
        with pytest.raises(InvalidDataset, match=r"^'x' \(ds_\w+\) cannot be used: .*not a whole zip"):
            client.upload(tmp_path / "x.zip", "x")
        with pytest.raises(UsageError, match="There is no file"):
            client.upload(tmp_path / "y.zip", "y")
    assert running.command("upload", tmp_path / "x.zip", "--name", "x").code == 2
    (tmp_path / "pets/eel").mkdir(parents=True)
    empty = running.command("upload", tmp_path / "pets", "--name", "x")
    assert (empty.code, "pets/eel is empty" in empty.err) == (2, True)
