"""The headers of a download that no request provokes."""

from __future__ import annotations

import pytest

from api.downloads import content_disposition


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("report.json", 'attachment; filename="report.json"'),
        ('a"b\r\n.png', "attachment; filename=\"a_b__.png\"; filename*=UTF-8''a%22b%0D%0A.png"),
        ("größe.png", "attachment; filename=\"gr__e.png\"; filename*=UTF-8''gr%C3%B6%C3%9Fe.png"),
    ],
)
def test_a_file_name_cannot_break_its_header(name: str, header: str) -> None:
    assert content_disposition("attachment", name) == header
