"""The artifacts of a finished job, over HTTP: listing, ranges, conditions, digests, archive."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import jsonschema_rs
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.services import Services
from core.artifacts import inventory, verify
from core.ledger import Status
from tests.api.workshop import ON_SQLITE, Workshop

pytestmark = ON_SQLITE

PARQUET = "data/train-00000-of-00001.parquet"


@pytest.fixture
def job_id(workshop: Workshop) -> str:
    return workshop.job(Status.SUCCEEDED)


@pytest.fixture
def base(job_id: str) -> str:
    return f"/v1/jobs/{job_id}"


def pages(client: TestClient, url: str, limit: int) -> Iterator[list[dict[str, str]]]:
    after: str | None = None
    while True:
        page = client.get(url, params={"limit": limit} | ({"after": after} if after else {})).json()
        yield page["items"]
        after = page["next"]
        if after is None:
            return


def test_the_listing_is_the_artifact(client: TestClient, base: str, artifact: Path) -> None:
    files = client.get(f"{base}/files").json()["items"]
    entries = inventory(artifact)
    assert [file["name"] for file in files] == [entry.name for entry in entries]
    for file, entry in zip(files, entries, strict=True):
        assert (file["bytes"], file["sha256"], file["media_type"]) == (entry.bytes, entry.sha256, entry.media_type)
    paged = [file for page in pages(client, f"{base}/files", 4) for file in page]
    assert paged == files


def test_an_artifact_is_found_by_the_digest_of_its_manifest(workshop: Workshop, client: TestClient) -> None:
    first, other = workshop.job(Status.SUCCEEDED), workshop.job(Status.SUCCEEDED)
    held = {file["name"]: file["sha256"] for file in client.get(f"/v1/jobs/{first}/files").json()["items"]}
    found = client.get(f"/v1/artifacts/sha256:{held['manifest.json']}").json()
    assert found["digest"] == f"sha256:{held['manifest.json']}"
    assert found["job"] in (first, other), "both have the same files"
    assert {file["name"]: file["sha256"] for file in client.get(found["files_url"]).json()["items"]} == held
    assert client.get(found["archive_url"]).headers["Content-Type"] == "application/zip"
    for name in ("report.json", "SHA256SUMS"):
        assert client.get(f"/v1/artifacts/sha256:{held[name]}").status_code == 404, "the digest of one file of it"


def test_a_file_of_json_is_what_the_document_says_of_it(app: FastAPI, client: TestClient, base: str) -> None:
    """A client that checks answers against the document reads a JSON file as the value that it holds."""
    content = app.openapi()["paths"]["/v1/jobs/{id}/files/{name}"]["get"]["responses"]["200"]["content"]
    assert set(content) == {"*/*"}
    files = [file for file in client.get(f"{base}/files").json()["items"] if "json" in file["media_type"]]
    assert {file["name"] for file in files} >= {"manifest.json", "recipe.json", "report.json"}
    for file in files:
        jsonschema_rs.validate(content["*/*"]["schema"], client.get(file["url"]).json())


def test_every_file_arrives_as_it_was_published(client: TestClient, base: str, tmp_path: Path) -> None:
    folder = tmp_path / "download"
    for file in client.get(f"{base}/files").json()["items"]:
        response = client.get(file["url"])
        assert response.status_code == 200
        assert hashlib.sha256(response.content).hexdigest() == file["sha256"]
        assert response.headers["ETag"] == f'"{file["sha256"]}"'
        digest = base64.b64encode(bytes.fromhex(file["sha256"])).decode()
        assert response.headers["Repr-Digest"] == f"sha-256=:{digest}:"
        assert response.headers["Content-Length"] == str(file["bytes"])
        assert response.headers["Content-Type"].startswith(file["media_type"].partition(";")[0])
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Content-Disposition"].startswith("attachment; filename=")
        path = folder / file["name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(response.content)
    assert verify(folder) == []


def test_head_says_what_get_would_send(client: TestClient, base: str) -> None:
    for path in (
        "/files/report.json",
        f"/files/{PARQUET}",
        "/preview.png",
        "/report",
        "/archive.zip",
        "/webdataset.tar",
    ):
        got, head = client.get(base + path), client.head(base + path)
        assert (head.status_code, head.content) == (200, b"")
        kept = {name: value for name, value in got.headers.items() if name != "x-request-id"}
        assert {name: head.headers.get(name) for name in kept} == kept


@pytest.mark.parametrize(
    ("asked", "span"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=4-9", slice(4, 10)),
        ("bytes=10-", slice(10, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=-10000000", slice(0, None)),
        ("bytes=3-10000000", slice(3, None)),
    ],
)
def test_a_range_is_that_part(client: TestClient, base: str, asked: str, span: slice) -> None:
    whole = client.get(f"{base}/files/{PARQUET}")
    part = client.get(f"{base}/files/{PARQUET}", headers={"Range": asked})
    assert part.status_code == 206
    assert part.content == whole.content[span]
    first, last, _ = span.indices(len(whole.content))
    assert part.headers["Content-Range"] == f"bytes {first}-{last - 1}/{len(whole.content)}"
    assert part.headers["Content-Length"] == str(len(part.content))
    assert part.headers["Repr-Digest"] == whole.headers["Repr-Digest"]


@pytest.mark.parametrize("asked", ["bytes=9-4", "bytes=0-1,4-5", "bytes=-", "bytes=x-", "lines=0-1", "0-1"])
def test_what_is_no_single_range_gets_everything(client: TestClient, base: str, asked: str) -> None:
    response = client.get(f"{base}/files/{PARQUET}", headers={"Range": asked})
    assert response.status_code == 200
    assert hashlib.sha256(response.content).hexdigest() == response.headers["ETag"].strip('"')


@pytest.mark.parametrize("asked", ["bytes=10000000-", "bytes=-0"])
def test_a_range_outside_the_file_is_416_with_its_length(client: TestClient, base: str, asked: str) -> None:
    whole = client.get(f"{base}/files/{PARQUET}")
    response = client.get(f"{base}/files/{PARQUET}", headers={"Range": asked})
    assert response.status_code == 416
    assert response.headers["Content-Range"] == f"bytes */{len(whole.content)}"


def test_a_range_of_another_version_gets_everything(client: TestClient, base: str) -> None:
    url = f"{base}/files/report.json"
    etag = client.head(url).headers["ETag"]
    assert client.get(url, headers={"Range": "bytes=0-3", "If-Range": etag}).status_code == 206
    assert client.get(url, headers={"Range": "bytes=0-3", "If-Range": '"old"'}).status_code == 200


@pytest.mark.parametrize("path", ["/files/report.json", "/preview.png", "/report", "/archive.zip", "/webdataset.tar"])
def test_what_the_client_has_is_not_sent_again(client: TestClient, base: str, path: str) -> None:
    etag = client.get(base + path).headers["ETag"]
    for condition in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        for send in (client.get, client.head):
            response = send(base + path, headers={"If-None-Match": condition})
            assert (response.status_code, response.content) == (304, b"")
            assert response.headers["ETag"] == etag
    assert client.get(base + path, headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        *("../manifest.json", "..%2fmanifest.json", "%2e%2e/%2e%2e/etc/passwd", "/etc/passwd", "//etc/passwd"),
        *("manifest.json%00", "manifest.json/", "%5c..%5cmanifest.json", "x" * 5000, "%ff", "MANIFEST.JSON", ""),
    ],
)
def test_a_name_is_a_key_and_never_a_path(client: TestClient, base: str, name: str) -> None:
    response = client.get(f"{base}/files/{name}")
    assert (response.status_code, response.headers["Content-Type"]) == (404, "application/problem+json")


def test_files_belong_to_their_job(workshop: Workshop, base: str) -> None:
    other = workshop.submit()
    assert workshop.client.get(f"/v1/jobs/{other}/files/report.json").status_code == 409


def test_the_archive_is_everything_and_always_the_same(client: TestClient, base: str, tmp_path: Path) -> None:
    response = client.get(f"{base}/archive.zip")
    assert response.headers["Content-Type"] == "application/zip"
    assert response.headers["Content-Disposition"] == 'attachment; filename="digits-random-ipc1.zip"'
    assert client.get(f"{base}/archive.zip").content == response.content
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        archive.extractall(tmp_path / "unpacked")
    assert verify(tmp_path / "unpacked") == []


def test_a_shard_is_the_set_and_always_the_same(client: TestClient, base: str, artifact: Path) -> None:
    response = client.get(f"{base}/webdataset.tar")
    assert response.headers["Content-Disposition"] == 'attachment; filename="digits-random-ipc1.tar"'
    assert response.headers["ETag"] == f'"{hashlib.sha256(response.content).hexdigest()}"'
    again = client.get(f"{base}/webdataset.tar", headers={"Range": "bytes=1000-"})
    assert (again.status_code, again.content) == (206, response.content[1000:]), "a download goes on"
    assert client.head(f"{base}/webdataset.tar").headers["Content-Length"] == str(len(response.content))
    with tarfile.open(fileobj=io.BytesIO(response.content)) as archive:
        assert archive.extractfile("000007.png").read() == (artifact / "images/7/0.png").read_bytes()  # type: ignore[union-attr]
        assert archive.extractfile("000007.cls").read() == b"7"  # type: ignore[union-attr]


def test_no_shard_is_made_of_a_spoiled_set(services: Services, workshop: Workshop, client: TestClient) -> None:
    job_id = workshop.job(Status.SUCCEEDED)
    file = services.ledger.file(job_id, PARQUET)
    assert file is not None
    blob = services.settings.home / "store/sha256" / file.sha256[:2] / file.sha256
    content = blob.read_bytes()
    blob.write_bytes(content[: len(content) // 2].ljust(len(content), b"?"))
    try:
        response = client.get(f"/v1/jobs/{job_id}/webdataset.tar")
    finally:
        blob.write_bytes(content)
    assert (response.status_code, response.json()["type"].rpartition("#")[2]) == (503, "not-ready")


@pytest.mark.parametrize("harm", ["gone", "torn"])
@pytest.mark.parametrize("path", ["/files/report.json", "/report", "/sections", "/archive.zip"])
def test_what_the_store_does_not_have_whole_is_refused_before_the_first_byte(
    client: TestClient, services: Services, workshop: Workshop, path: str, harm: str
) -> None:
    job_id = workshop.job(Status.SUCCEEDED)
    file = services.ledger.file(job_id, "report.json")
    assert file is not None
    blob = services.settings.home / "store/sha256" / file.sha256[:2] / file.sha256
    content = blob.read_bytes()
    blob.unlink() if harm == "gone" else blob.write_bytes(content[:-1])
    try:
        for ask in (client.get, *([] if path == "/sections" else [client.head])):
            response = ask(f"/v1/jobs/{job_id}{path}")
            assert (response.status_code, response.headers["Retry-After"]) == (503, "10")
        assert "'report.json'" in client.get(f"/v1/jobs/{job_id}{path}").json()["detail"]
    finally:
        blob.write_bytes(content)


def test_the_picture_and_the_report_are_shown_not_saved(client: TestClient, base: str) -> None:
    preview, report = client.get(f"{base}/preview.png"), client.get(f"{base}/report")
    assert preview.headers["Content-Type"] == "image/png"
    assert preview.content.startswith(b"\x89PNG")
    assert report.json()["results"][0]["name"] == "distilled"
    sections = {each["name"]: each for each in client.get(f"{base}/sections").json()["items"]}
    accuracy = sections["results"]["measures"]["lines"][0]["cells"][1]
    assert accuracy == {"value": 0.64, "deviation": 0.02, "n": 2, "unit": "share", "text": "64.0 ± 2.0 %"}
    for response in (preview, report):
        assert response.headers["Content-Disposition"].startswith("inline")
