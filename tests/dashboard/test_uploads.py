"""The page of uploads: a form that needs no script, messages that say what to do."""

from __future__ import annotations

import io
import re
import time

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from api.dashboard.upload_words import CHOICES, FIELDS
from tests.api.workshop import ON_SQLITE
from tests.dashboard.test_pages import Page
from tests.data.archives import classes, packed

pytestmark = ON_SQLITE
PATIENCE = 60.0


def sent(client: TestClient, data: bytes, **fields: str) -> str:
    """The page after the form was sent and what it sent was inspected."""
    fields = {"name": "my <pets>", "size": ""} | fields
    response = client.post("/uploads", data=fields, files={"file": ("pets.zip", data)})
    deadline = time.monotonic() + PATIENCE
    while "data-inspecting" in response.text:
        assert time.monotonic() < deadline
        time.sleep(0.02)
        response = client.get("/uploads")
    Page(response.text)
    return response.text


def test_the_form_takes_a_zip_and_the_page_tells_what_it_holds(client: TestClient) -> None:
    assert "Nothing uploaded yet" in client.get("/uploads").text
    page = sent(client, packed(classes(6, mode="RGB")))
    assert "my &lt;pets&gt;" in page
    assert "colour" in page
    assert "drawn with seed 0" in page
    assert "could not be told whether a mirrored picture stays what it is" in page
    assert "whoever gave the dataset said so" in sent(client, packed(classes(6)), mirror="yes", name="other")
    assert "in the order that was said: &#39;dog&#39;, &#39;cat&#39;" in sent(
        client, packed(classes(6)), order="dog, cat", name="third"
    )
    client.post(f"/uploads/{re.findall(r'ds_[0-9a-zA-Z]{26}', client.get('/uploads').text)[0]}/delete")
    client.post(f"/uploads/{re.findall(r'ds_[0-9a-zA-Z]{26}', client.get('/uploads').text)[0]}/delete")
    name = re.search(r"ds_\w{26}", page)
    assert name is not None
    assert f'href="/new?dataset={name[0]}"' in page
    assert name[0] in client.get("/datasets").text
    assert client.get(f"/datasets/{name[0]}/sample.png").headers["Content-Type"] == "image/png"
    assert name[0] in client.get(f"/new?dataset={name[0]}&method=random&ipc=1").text
    assert "Nothing uploaded yet" in client.post(f"/uploads/{name[0]}/delete").text


def test_a_name_that_is_taken_gets_a_number_and_the_page_says_so(client: TestClient) -> None:
    first, other = packed(classes(6)), packed(classes(7))
    assert "this one is called" not in sent(client, first)
    page = sent(client, other)
    said = "dataset was called &#39;my &lt;pets&gt;&#39; already: this one is called &#39;my &lt;pets&gt;-2&#39;."
    assert page.count(said) == 1
    assert sent(client, other).count("Training images") == page.count("Training images") == 2


def test_pages_call_the_examples_of_a_table_rows_and_those_of_series_series(client: TestClient) -> None:
    lines = [f"{place % 11},{place % 5},{place % 7},{'ab'[place % 2]}" for place in range(60)]
    table = "\n".join(["u,v,w,label", *lines]).encode()
    page = sent(client, table, name="rows")
    assert "Training rows" in page, re.findall(r"notice bad.*", page)
    assert "Training series" in sent(client, table, name="runs", kind="series")
    name = re.findall(r"ds_[0-9a-zA-Z]{26}", page)[0]
    shown = re.sub(r"<datalist.*?</datalist>", "", client.get(f"/new?dataset={name}&ipc=2").text, flags=re.DOTALL)
    assert "<h2>Rows per class</h2>" in shown
    assert re.search(r"4 rows in place of \d+: 48 B of numbers in place of", shown)
    assert "rows a class, percent, or bytes" in client.get(f"/advice?dataset={name}").text.lower()
    refused = client.post("/uploads", data={"name": "x", "kind": "cubes"}, files={"file": ("x.csv", table)})
    assert "one of auto, vectors, series" in refused.text


def test_remarks_are_shown_with_the_pictures_that_led_to_them(client: TestClient) -> None:
    members = {f"train/{name}": data for name, data in classes(6).items()}
    members |= {f"test/{name}": data for name, data in classes(4, size=(8, 8)).items()}
    grey = np.asarray(Image.open(io.BytesIO(members["train/dog/5.png"])))
    file = io.BytesIO()
    Image.fromarray((grey * 0.9).astype(np.uint8)).save(file, "PNG")
    page = sent(client, packed(members | {"test/cat/darker.png": file.getvalue()}))
    name = re.findall(r"ds_[0-9a-zA-Z]{26}", page)[0]
    assert "1 of 9 test images is nearly a training image" in page
    checks = client.get(f"/uploads/{name}").text
    Page(checks)
    assert "train/dog/5.png, dog and test/cat/darker.png, cat" in checks
    assert "train/cat/2.png, cat and test/cat/2.png, cat" in checks
    assert "Nearly one picture in several classes" in checks
    found = client.get(f"/v1/datasets/{name}").json()
    assert found["near"] == {"train": 0, "test": 0, "across": 1, "classes": 2, "complete": True}
    assert client.get("/v1/datasets").json()["items"][-1]["evidence"] is None
    places = {row["of"]: place for place, row in enumerate(found["evidence"])}
    for of, place in places.items():
        shown = client.get(f"/uploads/{name}/evidence/{place}.png")
        left, right = np.split(np.asarray(Image.open(io.BytesIO(shown.content)).convert("L")), [9], axis=1)
        if of == "near_across":
            np.testing.assert_array_equal(left[:, :8], grey)
        if of in ("copies_across", "mirrored"):
            np.testing.assert_array_equal(left[:, :8], right[:, ::-1] if of == "mirrored" else right)
    assert {"copies_across", "near_across", "near_classes", "mirrored", "classes"} <= places.keys()
    assert client.get(f"/uploads/{name}/evidence/999.png").status_code == 404
    assert client.get("/uploads/ds_nobody").status_code == 404


def test_a_bad_zip_says_how_to_mend_it(client: TestClient) -> None:
    page = sent(client, packed(classes() | {"cat/1.pkl": b"\x80\x04."}))
    assert "no picture that is read" in page
    assert "invalid" in page
    assert "Distil it" not in page


def test_what_is_wrong_is_told_in_the_words_of_the_form(client: TestClient) -> None:
    rows = "".join(f"{n},{n % 7 / 4 if n % 5 else ''},{'ab'[n % 2]}\n" for n in range(24)).encode()
    page = sent(client, b"size,weight,diagnosis\n" + rows, name="ward")
    assert "say which with “Column of the labels”, for instance “Column of the labels”: " in page
    page = sent(client, b"size,weight,diagnosis\n" + rows, name="ward 2", label_column="diagnosis")
    assert "Upload with “Missing values”: the column&#39;s median or" in page
    for name, called in FIELDS.items():
        assert re.search(rf'(<label for="{name}">|name="{name}" value="1"> ?){called}</label>', page), name
    for value, called in CHOICES.items():
        assert f'<option value="{value}">{called}</option>' in page


def test_a_single_table_called_emnist_is_set_upright(client: TestClient) -> None:
    data = b"".join(b"%d,%s\n" % (n % 2, b",".join(b"%d" % (n + place) for place in range(64))) for n in range(24))
    assert "EMNIST stores rows as columns" in sent(client, data, name="emnist-letters-train")
    assert "EMNIST stores rows as columns" not in sent(client, data, name="letters").split("emnist-letters-train")[0]


@pytest.mark.parametrize(
    ("fields", "files", "words"),
    [
        ({"name": "x"}, {}, "Choose a file"),
        ({}, {"file": ("x.zip", b"x")}, "give it a name"),
        ({"name": " "}, {"file": ("x.zip", b"x")}, "short plain name"),
        ({"name": "x", "size": "1"}, {"file": ("x.zip", b"x")}, "number from 4 to 512"),
        ({"name": "x", "mirror": "maybe"}, {"file": ("x.zip", b"x")}, "one of auto, yes, no"),
        ({"name": "x"}, {"file": ("x.zip", b"")}, "Send a zip"),
    ],
)
def test_a_form_half_filled_is_shown_again(
    client: TestClient, fields: dict[str, str], files: dict[str, tuple[str, bytes]], words: str
) -> None:
    response = client.post("/uploads", data=fields, files=files)
    assert response.status_code == 422
    assert words in response.text
    assert "Nothing uploaded yet" in response.text


def test_a_damaged_form_is_told_apart(client: TestClient) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    response = client.post("/uploads", content=b"--x\r\nnonsense", headers=headers)
    assert 400 <= response.status_code < 500
    assert "/uploads" in response.text
