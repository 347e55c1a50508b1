"""Uploads by their titles: everywhere, an owner's once each, numbered if need be, and equal files one dataset."""

from __future__ import annotations

import hashlib
import re
from zipfile import ZIP_STORED

import pytest
from sqlalchemy import update

from api.services import Services
from core.ledger.models import UploadRow
from core.settings import Settings
from tests.api.test_auth import key
from tests.api.test_uploads import send, settled
from tests.api.workshop import ON_SQLITE, Workshop, request
from tests.data.archives import classes, packed, photographs


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"auth": "keys"})


@ON_SQLITE
def test_a_title_with_a_slash_is_found_and_hides_no_route(workshop: Workshop) -> None:
    client, alice = workshop.client, key(workshop.ledger, "alice")
    client.headers.update(alice)
    sent = send(client, packed(classes(5)), alice, name="views/2024")
    name = settled(client, sent.headers["Location"], alice)["name"]
    assert client.get("/v1/datasets/views%2F2024").json()["name"] == name
    assert client.get("/v1/datasets/views%2F2025").json()["title"] == "There is no such dataset"
    assert client.get(f"/v1/datasets/arrivals/{'0' * 64}").json() == {"received": 0}
    assert client.get("/v1/datasets/").json()["title"] != "There is no such dataset", "there is no title to it"


@ON_SQLITE
def test_an_upload_is_called_by_its_title(workshop: Workshop) -> None:
    client, alice, bob = workshop.client, key(workshop.ledger, "alice"), key(workshop.ledger, "bob")
    client.headers.update(alice)

    def called(data: bytes, name: str = "my <things>") -> str:
        return str(settled(client, send(client, data, alice, name=name).headers["Location"], alice)["name"])

    first = called(packed(classes(5)))
    assert client.get("/v1/datasets/my <things>").json()["name"] == first
    assert client.get("/v1/methods/random", params={"dataset": "my <things>"}).status_code == 200
    asked = request(dataset="my <things>", ipc=2)
    assert client.post("/v1/forecasts", json=asked).status_code == 200
    job = client.post("/v1/jobs", json=asked).json()
    assert (job["dataset"], job["dataset_title"], job["request"]["dataset"]) == (first, "my <things>", first)
    assert client.post("/v1/jobs", json=asked | {"dataset": first}).json()["id"] == job["id"], "the same request"
    for query in ({"dataset": "my <things>"}, {"dataset": first}, {"q": "MY <TH"}):
        assert [each["id"] for each in client.get("/v1/jobs", params=query).json()["items"]] == [job["id"]]
    other = client.post("/v1/jobs", json=asked | {"ipc": 1}).json()
    for page in ("/", f"/jobs/{job['id']}", "/new", f"/compare?job={job['id']}&job={other['id']}"):
        assert "my &lt;things&gt;" in client.get(page).text, page
    assert f"<h1>{first}" not in client.get(f"/jobs/{job['id']}").text
    refused = client.post("/v1/jobs", json=asked | {"ipc": 50}).json()["errors"][0]
    assert "The smallest class of 'my <things>' has 3 training images" in refused["message"]
    generated = request(method="mgdd", overrides={"init.source": "my <things>"})
    meta = client.post("/v1/jobs", json=generated).json()
    assert meta["recipe"]["init"]["source"] == first
    named = generated | {"overrides": {"init.source": first}}
    assert client.post("/v1/jobs", json=named).json()["id"] == meta["id"], "the same request"
    by_bob = client.post("/v1/jobs", json=asked, headers=bob)
    assert by_bob.status_code == 422, "another owner's title is nobody's"
    assert client.get("/v1/datasets/my <things>", headers=bob).status_code == 404

    invalid = called(b"no zip", "your things")
    second = called(packed(classes(6)), "your things")
    assert client.post("/v1/forecasts", json=asked | {"dataset": "your things"}).status_code == 200, "what can be used"
    theirs = send(client, packed(classes(6)), bob, name="my <things>").json()["name"]
    settled(client, f"/v1/datasets/{theirs}", bob)
    root = key(workshop.ledger, "root", "admin", "jobs:read", "jobs:write")
    for path, body, field in (
        ("/v1/jobs", asked, "dataset"),
        ("/v1/forecasts", asked, "dataset"),
        ("/v1/jobs", generated, "overrides.init.source"),
    ):
        answer = client.post(path, json=body, headers=root)
        assert answer.status_code == 422
        (error,) = answer.json()["errors"]
        assert error["field"] == field
        assert first in error["message"]
        assert theirs in error["message"]
        assert not {invalid, second} & set(re.findall(r"ds_\w+", error["message"]))
    for each in (job, other, meta):
        client.post(f"/v1/jobs/{each['id']}/cancel")
    assert client.delete(f"/v1/datasets/{first}").status_code == 204
    assert client.get(f"/v1/jobs/{job['id']}").json()["dataset_title"] == "my <things>", "a job outlives its dataset"


def test_names_are_an_owners_once_each_and_equal_files_one_dataset(workshop: Workshop, services: Services) -> None:
    client, alice, bob = workshop.client, key(workshop.ledger, "alice"), key(workshop.ledger, "bob")
    data, other = packed(classes(5)), packed(classes(6))
    assert settled(client, send(client, b"no zip", alice).headers["Location"], alice)["state"] == "invalid"
    sent = send(client, data, alice)
    first = settled(client, sent.headers["Location"], alice)
    again = send(client, data, alice)
    assert (sent.status_code, again.status_code, again.json()) == (202, 200, first | {"evidence": None})
    assert again.headers["Location"] == sent.headers["Location"]
    assert first["sent"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert settled(client, send(client, other, alice, name="pets-2").headers["Location"], alice)["state"] == "ready"
    others: list[tuple[bytes, dict[str, str]]] = [(other, {}), (data, {"mirror": "no"}), (data, {"order": "dog,cat"})]
    for number, (content, words) in enumerate(others, 3):
        taken = send(client, content, alice, **words)
        said = f"Another dataset was called 'pets' already: this one is called 'pets-{number}'."
        assert (taken.status_code, taken.json()["title"], taken.json()["remarks"]) == (202, f"pets-{number}", [said])
        numbered = settled(client, taken.headers["Location"], alice)
        assert (numbered["state"], numbered["sent"]["name"], numbered["remarks"][0]) == ("ready", "pets", said)
        for name in ("pets", f"pets-{number}"):
            again = send(client, content, alice, name=name, **words)
            assert (again.status_code, again.json()["name"]) == (200, numbered["name"]), name
    theirs = send(client, other, bob)
    assert (theirs.status_code, theirs.json()["title"], theirs.json()["remarks"]) == (202, "pets", [])
    listed = client.get("/v1/datasets", headers=alice).json()["items"]
    titles = sorted(each["title"] for each in listed if each["owner"] == "alice")
    assert titles == ["pets", "pets", "pets-2", "pets-3", "pets-4", "pets-5"], "what cannot be used takes no name"
    assert client.delete(f"/v1/datasets/{first['name']}", headers=alice).status_code == 204
    anew = send(client, packed(classes(7)), alice).json()
    assert (anew["title"], anew["remarks"]) == ("pets", []), "a name is free once its dataset is gone"
    assert services.ledger.uploads.arriving() == []
    assert not (services.settings.uploads / first["name"]).exists()


@ON_SQLITE
def test_no_size_and_auto_are_one_dataset_where_nothing_is_scaled(workshop: Workshop) -> None:
    client, alice = workshop.client, key(workshop.ledger, "alice")
    large = packed(photographs(5, sides=(80, 80)))
    rows: list[tuple[str, bytes, dict[str, str], dict[str, str], int]] = [
        ("pets", packed(classes(5)), {}, {"size": "auto"}, 200),
        ("cats", packed(classes(6)), {"size": "auto"}, {}, 200),
        ("dogs", packed(classes(7)), {}, {"size": "8"}, 202),
        ("views", large, {}, {"size": "auto"}, 202),
        ("sights", large, {"size": "auto"}, {}, 202),
    ]
    for name, data, first, then, status in rows:
        sent = send(client, data, alice, name=name, **first)
        assert settled(client, sent.headers["Location"], alice)["state"] == "ready"
        again = send(client, data, alice, name=name, **then)
        same = again.headers["Location"] == sent.headers["Location"]
        assert (again.status_code, same) == (status, status == 200), name
        settled(client, again.headers["Location"], alice)


def test_the_same_data_packed_anew_is_said_to_be_so(workshop: Workshop) -> None:
    client, alice, bob = workshop.client, key(workshop.ledger, "alice"), key(workshop.ledger, "bob")
    data = classes(5)
    first = settled(client, send(client, packed(data), alice).headers["Location"], alice)
    for who, told in ((alice, True), (bob, False)):
        anew = settled(client, send(client, packed(data, method=ZIP_STORED), who, name="anew").headers["Location"], who)
        said = f"It holds the very same data as 'pets' ({first['name']})."
        assert (anew["digest"] == first["digest"], said in anew["remarks"]) == (True, told)


@ON_SQLITE
@pytest.mark.parametrize("name", ["digits", "mnist", "ds_01KB7C00000000000000000000"])
def test_a_title_takes_no_name_of_the_catalogue(workshop: Workshop, name: str) -> None:
    client, alice = workshop.client, key(workshop.ledger, "alice")
    data = packed(classes(5))
    sent = send(client, data, alice, name=name)
    upload = settled(client, sent.headers["Location"], alice)
    said = f"Another dataset was called '{name}' already: this one is called '{name}-2'."
    assert (upload["title"], upload["sent"]["name"], upload["remarks"][0]) == (f"{name}-2", name, said)
    again = send(client, data, alice, name=name)
    assert (again.status_code, again.json()["name"]) == (200, upload["name"])
    job = client.post("/v1/jobs", json=request(dataset=f"{name}-2"), headers=alice).json()
    assert (job["dataset"], job["dataset_title"]) == (upload["name"], f"{name}-2")


@ON_SQLITE
def test_a_title_is_no_formula(workshop: Workshop) -> None:
    refused = send(workshop.client, packed(classes(5)), key(workshop.ledger, "alice"), name="multi-index:d=3")
    (error,) = refused.json()["errors"]
    assert (refused.status_code, error["field"], error["fix"]) == (422, "name", "Use another name.")


@ON_SQLITE
def test_an_older_title_that_is_a_name_of_the_catalogue_is_not_guessed_at(workshop: Workshop) -> None:
    client, alice, bob = workshop.client, key(workshop.ledger, "alice"), key(workshop.ledger, "bob")
    upload = settled(client, send(client, packed(classes(5)), alice).headers["Location"], alice)["name"]
    with workshop.ledger.database.write() as session:
        session.execute(update(UploadRow).values(name="digits", sent_as="digits"))
    for word in ("/v1/jobs", "/v1/forecasts"):
        refused = client.post(word, json=request(dataset="digits"), headers=alice)
        (error,) = refused.json()["errors"]
        assert (refused.status_code, error["field"]) == (422, "dataset")
        assert f"your upload {upload} are both called 'digits'" in error["message"]
    assert client.get("/v1/datasets/digits", headers=alice).status_code == 409
    root = key(workshop.ledger, "root", "admin", "jobs:read", "jobs:write")
    for other in (bob, root):
        assert client.post("/v1/jobs", json=request(dataset="digits"), headers=other).json()["dataset"] == "digits"
    job = client.post("/v1/jobs", json=request(dataset=upload), headers=alice).json()
    assert job["dataset"] == upload, "by its id"
    client.post(f"/v1/jobs/{job['id']}/cancel", headers=alice)
    assert client.delete(f"/v1/datasets/{upload}", headers=alice).status_code == 204
    assert client.post("/v1/jobs", json=request(dataset="digits"), headers=alice).json()["dataset"] == "digits"
