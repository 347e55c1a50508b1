"""The catalogue: what is listed, what is refused, and what it remembers."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import numpy as np
import pytest

from core.data import Catalogue, DatasetInvalid, UnknownDataset
from core.data.facts import Copies
from core.data.known import KNOWN
from tests.data.bundles import place, sound


def test_the_famous_datasets_are_known_before_they_are_here(tmp_path: Path) -> None:
    listed = {facts.name: facts for facts in Catalogue(tmp_path / "not yet").list()}
    assert sorted(listed) == ["cifar10", "cifar100", "digits", "fashion-mnist", "mnist", "svhn"]
    absent = listed["cifar100"]
    assert (absent.shape, absent.classes, absent.train_count, absent.smallest_class) == ((3, 32, 32), 100, 50_000, 450)
    assert (absent.on_disk, absent.digest, absent.source) == (False, None, "torchvision")
    assert "cifar100.npz" in absent.where
    assert listed["digits"].on_disk
    assert listed["digits"].source == "embedded"
    assert all(len(known.class_names) == len(set(known.class_names)) for known in KNOWN.values())


def test_a_bundle_appears_under_its_name_and_loads(tmp_path: Path) -> None:
    place(tmp_path, "my-digits", sound(colour=True))
    catalogue = Catalogue(tmp_path)
    dataset = catalogue.load("my-digits")
    assert "my-digits" in catalogue.names()
    assert dataset.facts == catalogue.facts("my-digits")
    assert dataset.facts.shape == (3, 8, 8)
    assert (dataset.facts.train_count, dataset.facts.test_count, dataset.facts.smallest_class) == (120, 120, 11)
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [110, 10, 120]
    assert np.bincount(dataset.train.labels).min() == dataset.facts.smallest_class
    assert dataset.facts.source == "bundle"


def test_a_bundle_may_call_its_arrays_otherwise_and_tells_its_copies(tmp_path: Path) -> None:
    arrays = sound()
    arrays["x_test"][:3] = arrays["x_train"][:3]
    arrays["x_train"][4] = arrays["x_train"][3]
    other = {f"{split}_images": np.asfortranarray(arrays[f"x_{split}"]) for split in ("train", "test")}
    other |= {f"{split}_labels": arrays[f"y_{split}"][:, None].astype(np.uint8) for split in ("train", "test")}
    place(tmp_path, "plain", arrays)
    place(tmp_path, "other", other | {"val_images": other["test_images"], "classes": arrays["class_names"]})
    catalogue = Catalogue(tmp_path)
    assert catalogue.facts("other").digest == catalogue.facts("plain").digest
    assert catalogue.facts("other").copies == Copies(train=1, test=0, across=3, classes=0)
    assert Catalogue(tmp_path).facts("other").copies == catalogue.facts("other").copies, "it is remembered"
    plain, shown = catalogue.glimpse("plain"), catalogue.glimpse("other")
    assert plain is not None
    assert shown is not None
    assert np.array_equal(plain.images, shown.images)


def test_a_bundle_wins_over_a_download_of_its_name(tmp_path: Path) -> None:
    place(tmp_path, "mnist", sound())
    facts = Catalogue(tmp_path).facts("mnist")
    assert facts.on_disk
    assert facts.shape == (1, 8, 8)
    assert (facts.title, facts.licence) == ("mnist", "unknown"), "it is not MNIST, so it has not MNIST's licence"


def test_the_real_thing_keeps_its_title_and_licence(tmp_path: Path) -> None:
    arrays = sound()
    for split in ("train", "test"):
        arrays[f"x_{split}"] = np.pad(arrays[f"x_{split}"], ((0, 0), (10, 10), (10, 10)))
    place(tmp_path, "mnist", arrays | {"class_names": np.array(KNOWN["mnist"].class_names)})
    assert Catalogue(tmp_path).facts("mnist").licence == "CC BY-SA 3.0"


def test_the_digest_is_of_the_contents_not_of_the_file(tmp_path: Path) -> None:
    arrays = sound()
    place(tmp_path, "plain", arrays)
    np.savez_compressed(tmp_path / "packed.npz", **{k: arrays[k] for k in reversed(arrays)})  # type: ignore[arg-type]
    place(tmp_path, "bytes", arrays | {"y_train": arrays["y_train"].astype(np.int16)})
    arrays["x_train"][0, 0, 0] ^= 1
    place(tmp_path, "other", arrays)
    catalogue = Catalogue(tmp_path)
    digests = [catalogue.facts(name).digest for name in ("plain", "packed", "bytes", "other")]
    assert digests[0] == digests[1] == digests[2] != digests[3]


def test_a_broken_bundle_does_not_hide_the_good_ones(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    place(tmp_path, "good", sound())
    place(tmp_path, "bad", sound() | {"y_train": np.zeros(3)})
    (tmp_path / "torn.npz").write_bytes(b"PK\x03\x04 half a file")
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "notes.txt").write_text("no bundle")
    catalogue = Catalogue(tmp_path)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert [name for name in catalogue.names() if name not in KNOWN] == ["good"]
    assert len(caplog.records) == 2, "each broken bundle is reported once"
    assert sorted(catalogue.problems()) == ["bad", "torn"]
    for look in (catalogue.facts, catalogue.load):
        with pytest.raises(DatasetInvalid, match=r"bad\.npz: y_train has 3 labels for 120 images"):
            look("bad")


def test_a_mended_bundle_is_seen_at_once(tmp_path: Path) -> None:
    (tmp_path / "mine.npz").write_bytes(b"torn")
    catalogue = Catalogue(tmp_path)
    assert "mine" not in catalogue.names()
    place(tmp_path, "mine", sound())
    assert "mine" in catalogue.names()
    (tmp_path / "mine.npz").unlink()
    assert "mine" not in catalogue.names()


@pytest.mark.parametrize("name", ["Upper", "with space", "ümlaut", "-dash", "x" * 65, ".npz"])
def test_an_odd_file_name_is_refused_with_a_better_one(tmp_path: Path, name: str) -> None:
    place(tmp_path, "plain", sound()).rename(tmp_path / f"{name}.npz")
    catalogue = Catalogue(tmp_path)
    assert sorted(set(catalogue.names()) - set(KNOWN)) == []
    if not name.startswith("."):
        with pytest.raises(DatasetInvalid, match=r"rename the file, e\.g\. to [a-z0-9][a-z0-9._-]*\.npz"):
            catalogue.load(name)


def test_the_suffix_is_lower_case_and_digits_are_built_in(tmp_path: Path) -> None:
    place(tmp_path, "loud", sound()).rename(tmp_path / "loud.NPZ")
    place(tmp_path, "digits", sound())
    catalogue = Catalogue(tmp_path)
    assert "rename the file" in catalogue.problems()["loud"]
    assert "built in" in catalogue.problems()["digits"]
    assert catalogue.load("digits").facts.source == "embedded"


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/passwd", "..", "", "a/b", "a\\b", "secret\x00", "~", "secret.npz/..", "mnist/../mnist"]
)
def test_a_name_is_never_a_path(tmp_path: Path, name: str) -> None:
    place(tmp_path, "secret", sound())
    (tmp_path / "data").mkdir()
    for look in (Catalogue(tmp_path / "data").facts, Catalogue(tmp_path / "data").load):
        with pytest.raises(UnknownDataset):
            look(name)


@pytest.mark.parametrize(
    ("name", "near"),
    [("cifar-10", "cifar10"), ("MNIST", "mnist"), ("fashion_mnist", "fashion-mnist"), ("digit", "digits")],
)
def test_an_unknown_name_is_answered_with_near_ones(tmp_path: Path, name: str, near: str) -> None:
    with pytest.raises(UnknownDataset, match=f"did you mean .*'{near}'"):
        Catalogue(tmp_path).facts(name)


def test_a_measurement_is_remembered_and_distrusted_when_the_file_changes(tmp_path: Path) -> None:
    path = place(tmp_path, "mine", sound())
    digest = Catalogue(tmp_path).facts("mine").digest
    sidecar = tmp_path / ".facts" / "mine.json"
    entry = json.loads(sidecar.read_text())
    entry["measured"]["digest"] = "sha256:remembered"
    sidecar.write_text(json.dumps(entry))
    assert Catalogue(tmp_path).facts("mine").digest == "sha256:remembered"
    assert Catalogue(tmp_path).load("mine").facts.digest == digest, "what is loaded is measured anew"
    os.utime(path, ns=(0, 0))
    assert Catalogue(tmp_path).facts("mine").digest == digest


@pytest.mark.parametrize("sidecar", ["", "{", "[]", '{"version": 1}', "null", '{"version":1,"stamp":{},"measured":{}}'])
def test_an_illegible_sidecar_is_ignored(tmp_path: Path, sidecar: str) -> None:
    place(tmp_path, "mine", sound())
    Catalogue(tmp_path).facts("mine")
    (tmp_path / ".facts" / "mine.json").write_text(sidecar)
    assert Catalogue(tmp_path).facts("mine").on_disk


def test_a_folder_that_cannot_be_written_is_only_slower(tmp_path: Path) -> None:
    place(tmp_path, "mine", sound())
    (tmp_path / ".facts").write_text("in the way")
    assert Catalogue(tmp_path).facts("mine").on_disk
