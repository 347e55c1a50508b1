"""A file that is no dataset by its first bytes is refused before it is inspected, with a fix that works."""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from api.services import Services
from tests.api.test_uploads import send, settled
from tests.api.workshop import ON_SQLITE, Workshop
from tests.data.archives import classes, packed, picture, tarred

PAGE = "<!DOCTYPE html>\n<html><title>Grüße</title>"


def drawn(form: str) -> bytes:
    file = io.BytesIO()
    Image.open(io.BytesIO(picture(mode="RGB"))).save(file, form)
    return file.getvalue()


def one_array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8))
    return file.getvalue()


REFUSED: dict[str, tuple[bytes, str]] = {
    "7z": (b"7z\xbc\xaf\x27\x1c\0\4" + bytes(40), "a 7-Zip archive.*Unpack it, and send a zip"),
    "rar 4": (b"Rar!\x1a\x07\0" + bytes(40), "a RAR archive.*Unpack it"),
    "rar 5": (b"Rar!\x1a\x07\1\0" + bytes(40), "a RAR archive.*Unpack it"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(1000), "packed by zstd.*Unpack it"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(2000), "an HDF5 file.*np.savez.*h5py"),
    "npy": (one_array(), r"one array \(.npy\).*np.savez\('dataset.npz'"),
    "pickle": (pickle.dumps([1]), "a pickle, which could run code"),
    "idx": (b"\0\0\x08\x03" + bytes(3000), "one IDX file.*into a zip"),
    "html": (f"\r\n {PAGE}".encode(), "a page of the web.*the file that its link leads to"),
    "html with a mark": (PAGE.lower().encode("utf-8-sig"), "a page of the web"),
    "jpeg 2000": (drawn("JPEG2000"), "JPEG 2000, which is not read.*as PNG"),
    "avif": (b"\0\0\0\x20ftypavif" + bytes(600), "a format that is not read"),
    "pdf": (b"%PDF-1.7\n" + bytes(600), "a PDF document"),
    **{
        form: (drawn(form), "It is one picture.*class folders")
        for form in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")
    },
}


@ON_SQLITE
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_dataset_is_refused_at_once(workshop: Workshop, services: Services, name: str) -> None:
    data, told = REFUSED[name]
    answer = send(workshop.client, data, {})
    assert answer.status_code == 422, answer.json()
    (error,) = answer.json()["errors"]
    assert error["field"] == "body"
    assert re.search(told, f"{error['message']} {error['fix']}")
    assert services.ledger.uploads.all() == []
    assert services.ledger.uploads.arriving() == []
    assert list(services.settings.uploads.glob("*")) == []


@ON_SQLITE
def test_it_is_told_by_however_small_pieces_it_comes_in(workshop: Workshop) -> None:
    for pause in (1, 100, 511, 513):

        def pieces(step: int = pause) -> Iterator[bytes]:
            data = drawn("PNG") + bytes(4000)
            yield from (data[place : place + step] for place in range(0, len(data), step))

        answer = workshop.client.post(
            "/v1/datasets", content=pieces(), params={"name": "pets"}, headers={"Content-Type": "application/zip"}
        )
        assert (answer.status_code, answer.json()["errors"][0]["message"]) == (422, "It is one picture.")


@ON_SQLITE
def test_the_fix_of_one_array_works(workshop: Workshop, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.npy").write_bytes(one_array())
    fix = send(workshop.client, one_array(), {}).json()["errors"][0]["fix"]
    exec(re.search(r"np\.savez\(.*\)", fix)[0], {"np": np, "labels": np.arange(40) % 2})  # type: ignore[index]
    sent = send(workshop.client, (tmp_path / "dataset.npz").read_bytes(), {})
    assert settled(workshop.client, sent.headers["Location"], {})["state"] == "ready"


@ON_SQLITE
def test_what_may_be_a_dataset_is_inspected(workshop: Workshop) -> None:
    """A tar begins with a file's name and a table with that of a column, which may be like a format's sign."""
    named = {f"BM/%PDF-/{name}": data for name, data in classes(5).items()}
    rows = "".join(f"{n % 7},{n},{'ab'[n % 2]}\n" for n in range(40))
    for place, data in enumerate(
        (
            packed(classes(5)),
            tarred(classes(5)),
            tarred(named, "w", top="%PDF-1.7/"),
            f"BMI,Rar!,label\n{rows}".encode(),
            f"GIF8,BZh,label\n{rows}".encode(),
        )
    ):
        sent = send(workshop.client, data, {}, name=f"set {place}")
        assert sent.status_code == 202
        found = settled(workshop.client, sent.headers["Location"], {})
        assert place == 2 or found["state"] == "ready", found["problem"]
