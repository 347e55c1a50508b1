"""A report warns of pictures that were mirrored and should not have been, and of those where nobody could tell."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.data import Mirroring
from tests.data.bundles import place
from tests.data.drawn import arrow_left, arrow_right, bundle
from tests.worker.test_engine import SMALL, here, run
from worker.engine.job import Job
from worker.engine.package import mirrored

UNDECIDED = Mirroring(False, "undecided", "9 different images are too few to tell")
COSTS = Mirroring(False, "probe", "'b' and 'd' are taken for each other")
ALLOWED = Mirroring(True, "probe", "copies cost nothing")
FLIP, UPRIGHT, NONE = ({"augment.transforms": transforms} for transforms in (["crop", "flip"], ["crop"], []))


@pytest.mark.parametrize(
    ("verdict", "overrides", "words"),
    [
        (ALLOWED, {}, None),
        (ALLOWED, FLIP, None),
        (COSTS, {}, None),
        (COSTS, FLIP, r"trained on mirrored .* 'b' and 'd' .* Leave 'flip' out of augment.transforms"),
        (
            UNDECIDED,
            {},
            r"No picture was mirrored .* too few to tell.* add 'flip' to augment.transforms, or .*mirror=yes",
        ),
        (UNDECIDED, UPRIGHT, None),
        (UNDECIDED, FLIP, None),
        (UNDECIDED, NONE, None),
    ],
)
def test_the_report_warns(tmp_path: Path, verdict: Mirroring, overrides: dict[str, Any], words: str | None) -> None:
    run(tmp_path, method="random", overrides=overrides)
    told = mirrored((job := Job.read(tmp_path)).request, job.recipe, verdict)
    assert len(told) == (words is not None)
    assert words is None or re.search(words, told[0])


def test_a_report_has_the_warning(tmp_path: Path) -> None:
    data = tmp_path / "data"
    place(data, "arrows", bundle((arrow_left, arrow_right), 8) | {"mirror": np.array(False)})
    few = {name: value for name, value in SMALL.items() if name.startswith(("network", "evaluation"))}
    made = here(tmp_path / "job", dataset="arrows", method="random", overrides=few | FLIP, data_dir=data)
    report = json.loads((made.folder.staging / "report.json").read_text())
    assert any("whoever gave the dataset said so. Leave 'flip' out" in warning for warning in report["warnings"])
