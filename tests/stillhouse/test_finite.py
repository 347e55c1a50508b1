"""Numbers that are none, or infinite: the client refuses them and names the field, before anything is sent."""

from __future__ import annotations

import pytest

from stillhouse import UsageError
from tests.services import free_port
from tests.stillhouse.running import Running, command


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("--ipc", 1, "--method", "mtt", "--set", "evaluation.lr=NaN"), "overrides.evaluation.lr: nan"),
        (("--ipc", 1, "--method", "mtt", "--set", "evaluation.lr=-1e999"), "overrides.evaluation.lr: -inf"),
        (("--ipc", 1, "--method", "mtt", "--set", 'evaluation.full={"lr": [Infinity]}'), "evaluation.full.lr.0: inf"),
        (("--ratio", "nan"), "ratio: nan"),
        (("--ratio", "inf"), "ratio: inf"),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["submit", "forecast", "distill"])
def test_a_number_that_is_none_is_a_usage_error(name: str, words: tuple[object, ...], field: str) -> None:
    answer = command(name, "digits", *words, STILLHOUSE_URL=f"http://127.0.0.1:{free_port()}")
    assert answer.code == 2
    assert f"{field} is no finite number" in answer.err
    assert answer.out == ""


def test_a_number_that_is_none_is_refused_of_a_program_too(running: Running) -> None:
    for call in (
        lambda: running.kept.submit("digits", ipc=1, evaluation={"lr": float("nan")}),
        lambda: running.kept.forecast("digits", ratio=float("inf")),
        lambda: running.kept.advise("digits", target={"gap": float("nan")}),
        lambda: running.kept.create_key("laptop", days=float("nan")),
    ):
        with pytest.raises(UsageError, match="is no finite number"):
            call()
