"""Downloads: refused at once without a network, bounded always, and turned into bundles."""

from __future__ import annotations

import socket
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.data import Catalogue, DatasetUnavailable
from core.data import download as downloads
from core.data.bundle import read_bundle, write_bundle
from core.data.known import KNOWN
from tests.data.bundles import sound


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request goes to a port where nothing listens."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{closed.getsockname()[1]}"
    for scheme in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(scheme, proxy)
        monkeypatch.setenv(scheme.upper(), proxy)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("name", sorted(downloads.SOURCES))
def test_without_a_network_the_error_names_the_file_and_its_format(tmp_path: Path, name: str) -> None:
    started = time.monotonic()
    with pytest.raises(DatasetUnavailable) as refusal:
        Catalogue(tmp_path / "data").load(name)
    assert time.monotonic() - started < 10
    text = str(refusal.value)
    assert str(tmp_path / "data" / f"{name}.npz") in text
    assert "x_train and x_test uint8 (N, H, W)" in text
    assert "refused" in text
    assert not list((tmp_path / "data").iterdir()), "nothing half done is left"


def test_a_server_that_never_answers_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()  # Accepts, and says nothing.
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(downloads, "PROBE_SECONDS", 1)
        with pytest.raises(DatasetUnavailable, match="no answer within 1 seconds"):
            downloads.download("cifar10", tmp_path)


def test_every_source_has_its_facts() -> None:
    assert set(downloads.SOURCES) == set(KNOWN) - {"digits"}


def idx(array: NDArray[Any]) -> bytes:
    """The format MNIST is published in."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def test_what_torchvision_reads_becomes_a_sound_bundle(tmp_path: Path) -> None:
    """Real digits, padded to 28x28, in MNIST's own files, where torchvision finds them instead of downloading."""
    pytest.importorskip("torchvision")
    arrays, raw = sound(), tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for split, name in (("train", "train"), ("test", "t10k")):
        pixels = np.pad(arrays[f"x_{split}"], ((0, 0), (10, 10), (10, 10)))
        (raw / f"{name}-images-idx3-ubyte").write_bytes(idx(pixels))
        (raw / f"{name}-labels-idx1-ubyte").write_bytes(idx(arrays[f"y_{split}"]))
    write_bundle(tmp_path / "mnist.npz", downloads.fetch("mnist", tmp_path))
    bundle = read_bundle(tmp_path / "mnist.npz")
    assert bundle.class_names == KNOWN["mnist"].class_names
    assert np.array_equal(bundle.train.images[:, 0, 10:18, 10:18], arrays["x_train"])
    assert np.array_equal(bundle.test.labels, arrays["y_test"])
