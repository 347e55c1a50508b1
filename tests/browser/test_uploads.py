"""The page of uploads."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.browsing import Watched, keep
from tests.data.archives import classes, packed


def test_a_bad_zip_is_told_of_beside_the_form(watched: Watched) -> None:
    page = watched.page
    page.goto("/uploads")
    bad = packed(classes() | {"cat/model.pkl": b"\x80\x04."})
    page.get_by_label("File").set_input_files({"name": "pets.zip", "mimeType": "application/zip", "buffer": bad})
    expect(page.get_by_label("Name")).to_have_value("pets")
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.locator("#told h2")).to_have_text("pets cannot be used")
    expect(page.locator("#told p")).to_contain_text("no picture that is read")
    keep(page, "uploads")
