"""`stillhouse report`: doubts first, then numbers."""

from __future__ import annotations

import pytest

from core.report import Neighbours, Pair
from stillhouse import Job
from stillhouse.report import tell
from tests.stillhouse.running import Running


def test_what_a_result_is_worth(running: Running, finished: Job) -> None:
    answer = running.command("report", finished.id)
    assert answer.code == 0
    assert "Mind: " in answer.err
    lines = answer.out.splitlines()
    assert lines[0].split()[:2] == ["TRAINED", "ON"]
    assert {" ".join(line.split()[:2]) for line in lines[1:]} >= {"these images", "as many"}
    assert running.command("report", finished.id, "--json").json["schema_version"] == 1
    assert running.command("report", "job_0").code == 7


def test_details_are_shown_where_they_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    pair = Pair(image=7, class_name="cat", nearest=1041, nearest_class="dog", distance=0.25, spacing=0.5)
    section = Neighbours(pairs=(pair,), words="They are near.").section().model_dump(mode="json")
    tell([section])
    said = capsys.readouterr()
    assert (said.out, "With --all: the nearest pairs." in said.err) == ("", True)
    tell([section], more=True)
    said = capsys.readouterr()
    assert said.out.splitlines()[1].split("  ")[0] == "image 7 (cat)"
    assert "number 1,041 (dog)" in said.out
    assert "--all" not in said.err
