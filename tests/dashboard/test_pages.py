"""The pages as a browser gets them, without a script and without another host."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from fastapi.testclient import TestClient

from core.ledger import Status
from tests.api.workshop import ON_SQLITE, Workshop

pytestmark = ON_SQLITE

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """Collects a page's elements, and complains of one that is closed by another."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def pages(workshop: Workshop) -> list[str]:
    """A page of every sort, with a job in every status."""
    jobs = [workshop.job(status) for status in Status]
    several = "&".join(f"job={job_id}" for job_id in jobs)
    others = (
        "/new",
        "/datasets",
        "/advice",
        "/methods",
        "/system",
        "/webhooks",
        "/compare",
        f"/compare?{several}",
        "/docs",
    )
    return ["/", "/problems", *others, *(f"/jobs/{job_id}" for job_id in jobs)]


def test_pages_are_sound_accessible_and_self_contained(client: TestClient, pages: list[str]) -> None:
    for path in pages:
        response = client.get(path)
        assert response.status_code == 200, path
        assert response.headers["Content-Type"].startswith("text/html")
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        page = Page(response.text)
        tags = [tag for tag, _ in page.elements]
        assert not {"style", "iframe", "object"} & set(tags)
        assert all(attributes.get("src") for tag, attributes in page.elements if tag == "script"), "no inline script"
        assert tags.count("h1") == tags.count("main") == tags[: tags.index("body")].count("title") == 1
        ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
        assert len(ids) == len(set(ids))
        for tag, attributes in page.elements:
            assert not any(name.startswith("on") or name == "style" for name in attributes)
            assert tag != "html" or attributes["lang"] == "en"
            assert tag != "img" or attributes["alt"] is not None
            assert tag != "th" or attributes["scope"] in ("col", "row")
            assert tag != "progress" or attributes["aria-label"]
            for name in ("href", "src"):
                assert not (attributes.get(name) or "/").startswith(("http:", "https:", "//"))


def test_every_link_leads_somewhere(client: TestClient, pages: list[str]) -> None:
    seen, priced = dict[str, str](), dict[str, str]()
    for path in pages:
        for _, attributes in Page(client.get(path).text).elements:
            link = attributes.get("href") or attributes.get("src")
            if not link:
                continue
            target, _, fragment = link.partition("#")
            target = target or path
            if target.startswith("/new?"):  # which prices a job: one of each sort of link is enough
                target = priced.setdefault(re.sub("=[^&]*", "", target), target)
            if target not in seen:
                response = client.get(target)
                assert response.status_code == 200, f"{path} links to {target}"
                seen[target] = response.text if "html" in response.headers["Content-Type"] else ""
            assert not fragment or f'id="{fragment}"' in seen[target], f"{path} links to {link}"


def test_an_empty_service_says_how_to_begin(client: TestClient) -> None:
    assert "stillhouse distill digits" in client.get("/").text


def test_what_users_write_is_text(workshop: Workshop) -> None:
    job_id = workshop.submit()
    claim = workshop.start(job_id)
    script = "<script>alert(1)</script>"
    assert workshop.ledger.fail(claim, {"code": "engine_error", "message": script, "hint": script})
    page = workshop.client.get(f"/jobs/{job_id}").text
    assert script not in page
    assert "&lt;script&gt;" in page


def test_the_reference_holds_every_operation_and_object(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    page = client.get("/docs").text
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert f'<h3 id="{operation["operationId"]}"><code>{method.upper()} {path}</code></h3>' in page
    for name in ("Job", "Event", "File", "Problem"):
        assert re.search(rf"<caption>{name}</caption>", page)
