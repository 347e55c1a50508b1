"""The time of a large upload whose line breaks half-way, and the memory that it takes of the API.

`python -m benchmarks.upload [--pictures 2600] [--side 512]`: packs so many pictures of noise as PNG into class folders
of a zip (2,600 of 512 x 512: 2.05 GB), sends half of it to a real API in a home of its own, breaks off, and has the
client send the rest. Seconds are those of the clock; memory is the API's largest resident set (`VmHWM`) less what it
held before.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import io
import tempfile
import time
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from benchmarks.machine import describe
from benchmarks.rows import table
from benchmarks.service import served
from stillhouse.http import Http
from stillhouse.upload import send

_PIECE = 1 << 20
_PATIENCE = 600.0
_NAME = "noise"


def noise(pictures: int, side: int, target: Path) -> None:
    """Write a zip of two classes of pictures that no compression makes smaller."""
    draw = np.random.default_rng(0)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for place in range(pictures):
            file = io.BytesIO()
            Image.fromarray(draw.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(file, "PNG", compress_level=0)
            archive.writestr(f"{'ab'[place % 2]}/{place:06}.png", file.getvalue())


def largest(pid: int) -> float:
    """MB of memory that a process has held at most."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def break_off(url: str, path: Path, length: int, digest: str) -> None:
    """Send so many bytes of a file, and close the connection."""
    at = urlsplit(url)
    wire = http.client.HTTPConnection(at.hostname or "", at.port, timeout=_PATIENCE)
    wire.putrequest("POST", f"/v1/datasets?name={_NAME}&size=32")
    head = {"Content-Type": "application/zip", "Content-Length": str(path.stat().st_size), "Upload-Key": digest}
    for name, word in head.items():
        wire.putheader(name, word)
    wire.endheaders()
    with path.open("rb") as file:
        while length:
            piece = file.read(min(_PIECE, length))
            wire.send(piece)
            length -= len(piece)
    wire.close()


def main() -> None:
    """Measure, and print the row."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.upload", description=__doc__)
    parser.add_argument("--pictures", type=int, default=2600)
    parser.add_argument("--side", type=int, default=512)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stillhouse-upload-") as folder:
        file, variables = Path(folder, "noise.zip"), {"STILLHOUSE_HOME": f"{folder}/home", "STILLHOUSE_PORT": "0"}
        noise(asked.pictures, asked.side, file)
        length, began = file.stat().st_size, time.monotonic()
        with file.open("rb") as whole:
            digest = hashlib.file_digest(whole, "sha256").hexdigest()
        hashed = time.monotonic() - began
        with served(["api"], variables) as (url, pid):
            service, before, began = Http(url, timeout=_PATIENCE), largest(pid), time.monotonic()
            break_off(url, file, length // 2, digest)
            broken, received = time.monotonic(), 0
            while not received:
                assert time.monotonic() - broken < _PATIENCE
                received = service.json("GET", f"/v1/datasets/arrivals/{digest}")["received"]
            went_on = time.monotonic()
            dataset = send(service, file, _NAME, {"size": 32})
            taken, held = time.monotonic(), largest(pid) - before
            while dataset["state"] == "inspecting":
                assert time.monotonic() - taken < _PATIENCE
                time.sleep(0.2)
                dataset = service.json("GET", f"/v1/datasets/{dataset['name']}")
            inspected, held_then = time.monotonic() - taken, largest(pid) - before
        assert (dataset["state"], dataset["sent"]["sha256"]) == ("ready", digest)
    heads = ["GB", "first half, s", "kept at the break", "the rest, s", "of these SHA-256, s", "API's memory, MB"]
    heads += ["inspection, s", "API's memory then, MB"]
    row = [f"{length / 1e9:.2f}", f"{broken - began:.1f}", f"{received / (length // 2):.2%}", f"{taken - went_on:.1f}"]
    row += [f"{hashed:.1f}", f"{held:.1f}", f"{inspected:.1f}", f"{held_then:.1f}"]
    print(table(heads, [row]))
    print(f"\n{describe()}")


if __name__ == "__main__":
    main()
