"""Coverage in a job: in report, card and picture; learned once for all jobs, and of no consequence for the result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.worker.test_selecting import SMALL, attempt, cached

ASKED = SMALL | {"evaluation.coverage": {"epochs": 2}, "evaluation.seeds": 2}


def report(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "staging" / "1" / "report.json").read_text())
    return found


def test_what_random_images_cover_is_in_the_report_and_costs_the_result_nothing(tmp_path: Path) -> None:
    attempt(tmp_path / "without", method="random", ipc=3, overrides=ASKED | {"evaluation.coverage": None})
    said = attempt(tmp_path / "with", method="random", ipc=3, overrides=ASKED)
    before, after = report(tmp_path / "without"), report(tmp_path / "with")
    assert before["coverage"] is None
    assert before["neighbours"] is None, "they are real images, and lie near themselves"
    for old, new in zip(before["results"], after["results"], strict=True):
        assert old["accuracies"] == new["accuracies"]
    found = after["coverage"]
    own, random, full = found["sets"]
    assert (own["name"], random["name"], full["name"]) == ("distilled", "random", "full")
    assert (own["images"], random["images"], full["images"], random["draws"]) == (30, 30, 1293, 2)
    assert sum(found["test_images"].values()) == 359
    for half in ("easy", "hard"):
        assert 0 <= own[half] <= full[half], "a part covers no more than the whole"
        assert 0 < full[half] <= 1
    told = [m for m in said if m["type"] == "progress" and m["phase"] == "evaluating"]
    assert (told[-1]["done"], told[-1]["total"]) == (7, 7), "two networks for each of three lines, and the analysis"

    folder = tmp_path / "with" / "staging" / "1"
    card = (folder / "README.md").read_text()
    assert f"| these images | 30 | {100 * own['easy']:.1f} % | {100 * own['hard']:.1f} % |" in card
    assert "![What it covers](coverage.png)" in card
    pixels = np.asarray(Image.open(folder / "coverage.png"))
    for colour in ((31, 111, 139), (196, 84, 38)):
        assert (pixels == colour).all(-1).sum() > 100, "a curve of each half"
    assert not (tmp_path / "without" / "staging" / "1" / "coverage.png").exists()

    again = attempt(tmp_path / "other", method="random", ipc=2, seed=4, overrides=ASKED)
    assert any("what is covered was in the cache" in line for line in cached(again))
    assert report(tmp_path / "other")["coverage"]["radius"] == found["radius"]
