"""torchvision's downloads, turned into bundles; the only place in core/data that ever sees torch.

The work is done in a process of its own: torchvision opens its connections without a timeout, and no call that may
wait for ever belongs into a worker. Run as `python -m core.data.download NAME FOLDER [--probe]`.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.data.bundle import write_bundle
from core.data.facts import DatasetUnavailable
from core.data.known import KNOWN
from core.data.rules import FORMAT

SOURCES = {
    "mnist": "https://ossci-datasets.s3.amazonaws.com/mnist/t10k-labels-idx1-ubyte.gz",
    "fashion-mnist": "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/t10k-labels-idx1-ubyte.gz",
    "cifar10": "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    "cifar100": "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
    "svhn": "http://ufldl.stanford.edu/housenumbers/test_32x32.mat",
}
"""Datasets torchvision can fetch, each with an address that shows whether its server can be reached."""
PROBE_SECONDS = 15
DOWNLOAD_SECONDS = 1800
_SILENCE_SECONDS = 20


def download(name: str, data_dir: Path) -> None:
    """Fetch dataset `name` (a key of SOURCES) into `data_dir/<name>.npz`, within half an hour or not at all.

    Raises DatasetUnavailable within about fifteen seconds when there is no network, and later if the
    transfer fails; it says which file to put where instead.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=data_dir) as folder:
            _run([name, folder, "--probe"], PROBE_SECONDS)
            _run([name, folder], DOWNLOAD_SECONDS)
            Path(folder, f"{name}.npz").replace(data_dir / f"{name}.npz")
    except subprocess.TimeoutExpired as fault:
        raise unavailable(name, data_dir, f"no answer within {fault.timeout:.0f} seconds") from None
    except subprocess.CalledProcessError as fault:
        last = (fault.stderr.strip().splitlines() or [f"exit status {fault.returncode}"])[-1]
        raise unavailable(name, data_dir, last) from None
    except OSError as fault:
        raise unavailable(name, data_dir, str(fault)) from None


def unavailable(name: str, data_dir: Path, reason: str) -> DatasetUnavailable:
    """The error that tells what to do when `name` cannot be fetched."""
    return DatasetUnavailable(
        f"{name} is not on disk and could not be fetched ({reason}). "
        f"Put it there by hand as {data_dir / f'{name}.npz'}: {FORMAT}."
    )


def fetch(name: str, root: Path) -> dict[str, NDArray[Any]]:
    """Download dataset `name` below `root` with torchvision and return the arrays of its bundle."""
    from torchvision import datasets

    arrays: dict[str, NDArray[Any]] = {"class_names": np.array(KNOWN[name].class_names)}
    for split, train in (("train", True), ("test", False)):
        match name:
            case "mnist" | "fashion-mnist":
                source = {"mnist": datasets.MNIST, "fashion-mnist": datasets.FashionMNIST}[name]
                part = source(root, train=train, download=True)
                images, labels = part.data.numpy(), part.targets.numpy()
            case "cifar10" | "cifar100":
                source = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[name]
                part = source(root, train=train, download=True)
                images, labels = part.data, np.array(part.targets)
            case _:
                assert name == "svhn", f"{name} is not among SOURCES"
                part = datasets.SVHN(root, split=split, download=True)
                images, labels = part.data.transpose(0, 2, 3, 1), part.labels
        arrays |= {f"x_{split}": images, f"y_{split}": labels.astype(np.int64)}
    return arrays


def _run(arguments: list[str], seconds: float) -> None:
    command = [sys.executable, "-m", "core.data.download", *arguments]
    subprocess.run(command, timeout=seconds, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def _probe(url: str) -> None:
    try:
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=PROBE_SECONDS / 2).close()
    except urllib.error.HTTPError:
        return  # A server that answers, even with a refusal, is reachable; the download itself will tell.
    except OSError as fault:
        sys.exit(f"cannot reach {url}: {getattr(fault, 'reason', fault)}")


def main(name: str, folder: str, probe: bool) -> None:
    """Entry point of the child process."""
    socket.setdefaulttimeout(_SILENCE_SECONDS)
    if probe:
        _probe(SOURCES[name])
    else:
        write_bundle(Path(folder, f"{name}.npz"), fetch(name, Path(folder)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], "--probe" in sys.argv[3:])
