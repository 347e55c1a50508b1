"""`stillhouse report`: doubts first, then numbers; reports of old too."""

from __future__ import annotations

from typing import Any

import pytest

from stillhouse import Job
from stillhouse.report import tell
from tests.stillhouse.running import Running


def test_what_a_result_is_worth(running: Running, finished: Job) -> None:
    answer = running.command("report", finished.id)
    assert answer.code == 0
    assert "Mind: " in answer.err
    lines = answer.out.splitlines()
    assert lines[0].split()[:2] == ["TRAINED", "ON"]
    assert {line.split()[0] for line in lines[1:]} >= {"distilled", "random"}
    assert running.command("report", finished.id, "--json").json["schema_version"] == 1
    assert running.command("report", "job_0").code == 7


LINES = [{"name": "distilled", "images": 2, "accuracy_mean": 0.455, "accuracy_std": 0.1, "n_seeds": 3}]


@pytest.mark.parametrize(
    ("told", "out", "err"),
    [
        ({"gap_closed": 1.5}, "45.5 ± 10.0 %", ""),
        (
            {"gap_closed": 0.8, "gap_reason": None},
            "distilled",
            "80% of the gap between random and full data is closed.",
        ),
        ({"gap_closed": None, "gap_reason": "Not measured."}, "distilled", "Not measured."),
        (
            {
                "majority": {"class": "cat", "share": 0.903, "unequal": True},
                "results": [LINES[0] | {"balanced_accuracy_mean": 0.608}],
            },
            "60.8 %",
            "The largest class, 'cat', has 90.3% of the test images",
        ),
    ],
    ids=["of old", "a share", "no share", "unequal classes"],
)
def test_a_share_and_a_balance_where_there_is_one(
    capsys: pytest.CaptureFixture[str], told: dict[str, Any], out: str, err: str
) -> None:
    tell({"results": LINES} | told)
    said = capsys.readouterr()
    assert out in said.out
    assert err in said.err
    assert ("gap" in said.err) is ("80%" in err)
