"""The page of uploads."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser.browsing import Service, Watched, keep, visit
from tests.data.archives import classes, packed


def test_a_bad_zip_is_told_of_beside_the_form(watched: Watched) -> None:
    page = watched.page
    page.goto("/uploads")
    bad = packed(classes() | {"cat/model.pkl": b"\x80\x04."})
    page.get_by_label("File", exact=True).set_input_files(
        {"name": "pets.zip", "mimeType": "application/zip", "buffer": bad}
    )
    expect(page.get_by_label("Name")).to_have_value("pets")
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.locator("#told h2")).to_have_text("pets cannot be used")
    expect(page.locator("#told p")).to_contain_text("no picture that is read")
    keep(page, "uploads")


def test_a_folder_that_is_dragged_here_is_told_to_be_packed(
    chromium: Browser, service: Service, tmp_path: Path
) -> None:
    (tmp_path / "flowers" / "rose").mkdir(parents=True)
    zipped = tmp_path / "tulips.zip"
    zipped.write_bytes(packed(classes()))
    with visit(chromium, service.server.url) as found:
        page = found.page
        page.goto("/uploads")
        mouse = page.context.new_cdp_session(page)
        for dragged in (tmp_path / "flowers", zipped):
            place = page.get_by_label("File", exact=True).bounding_box()  # what the page tells moves it
            assert place
            there = {"x": place["x"] + 5, "y": place["y"] + 5}
            data = {"items": [], "files": [str(dragged)], "dragOperationsMask": 1}
            for kind in ("dragEnter", "dragOver", "drop"):
                mouse.send("Input.dispatchDragEvent", {"type": kind, "data": data, **there})
            if dragged.is_dir():
                expect(page.locator("#told")).to_contain_text("Pack it as a zip")
                expect(page.get_by_label("Name")).to_have_value("")
        expect(page.get_by_label("Name")).to_have_value("tulips")
        expect(page.locator("#told")).to_be_empty()


def test_deleting_asks_first(watched: Watched, service: Service) -> None:
    """Without a script, too: the button is in a fold."""
    client, page = service.client, watched.page
    sent = client.post(
        "/v1/datasets",
        content=packed(classes(6)),
        params={"name": "short-lived"},
        headers={"Content-Type": "application/zip"},
    ).json()
    page.goto("/uploads")
    card = page.locator(f"#{sent['name']}")
    expect(card.get_by_text("Largest ipc")).to_be_visible()
    sure = card.get_by_role("button", name="Delete short-lived for good")
    expect(sure).to_be_hidden()
    card.locator("summary", has_text="Delete").click()
    expect(card).to_contain_text("What was distilled from it stays")
    expect(sure).to_be_visible()
    keep(page, "delete")
    assert client.get(f"/v1/datasets/{sent['name']}").status_code == 200
    sure.click()
    expect(card).to_have_count(0)
    assert client.get(f"/v1/datasets/{sent['name']}").status_code == 404
