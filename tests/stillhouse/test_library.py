"""`stillhouse.distil`: a job in this process, with the words of a job that is submitted."""

from __future__ import annotations

import inspect
import time
from pathlib import Path

import pytest

from core.request import SIZES as KNOWN
from core.request import JobOrder
from stillhouse import Client, cli, distil
from stillhouse.order import SIZES, Order, body

TINY = {"seeds": 1, "epochs": 2, "full": None}


def test_it_takes_the_words_of_a_job_and_writes_nothing(tmp_path: Path) -> None:
    done = distil("digits", method="random", ratio=0.001, evaluation=TINY, data_dir=tmp_path)
    assert done.result.images.shape[:2] == (10, 1)
    assert [line["name"] for line in done.rows] == ["distilled", "distilled_8bit", "random"]
    assert done.context.recipe.evaluation.epochs == 2
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        ({"dataset": "digit", "method": "dm", "ipc": 1}, "digits"),
        ({"dataset": "digits", "method": "dmm", "ipc": 1}, "dm"),
        ({"dataset": "digits", "method": "dm", "ipc": 1, "overrides": {"schedule.step": 1}}, "Did you mean 'steps'"),
        ({"dataset": "digits", "method": "dm"}, "Add 'ipc'"),
        ({"dataset": "digits", "method": "dm", "ipc": 1, "continue_from": "job_1"}, "Leave continue_from out, or"),
    ],
    ids=["dataset", "method", "field", "size", "continued"],
)
def test_a_wrong_word_is_refused_with_its_fix(words: dict[str, object], fix: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=fix):
        distil(**words, data_dir=tmp_path)  # type: ignore[arg-type]


def test_a_misspelt_argument_is_told_with_its_near_word_and_an_unknown_field_goes_by_extra() -> None:
    with Client("http://127.0.0.1:1") as client:
        for ask in (client.submit, client.forecast, distil):
            with pytest.raises(TypeError, match=r"no argument 'wthin'. Did you mean 'within'\?.*extra={'wthin': ...}"):
                ask("digits", ipc=1, wthin="20m")  # type: ignore[call-arg]
            with pytest.raises(TypeError, match="Did you mean 'method'"):
                ask("digits", ipc=1, metod="dm")  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="Did you mean 'target'"):
            client.advise("digits", targets={"accuracy": 0.8})  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="There are bytes, "):
            client.advise("digits", x=1)  # type: ignore[call-arg]
    assert body("digits", "dm", {"ipc": 1, "within": None, "extra": {"wthin": 1}}) == {
        "dataset": "digits",
        "method": "dm",
        "ipc": 1,
        "wthin": 1,
    }


def test_every_field_of_a_request_can_be_given_in_python_and_on_the_command_line() -> None:
    """The recipe's changes are `--set` there, the evaluation's, too."""
    fields = set(JobOrder.model_fields)
    assert fields == {"dataset", "method", *Order.__annotations__} - {"extra"}
    assert SIZES == KNOWN
    options = set(inspect.signature(cli.distill).parameters)
    assert fields - {"overrides", "evaluation"} <= options | ({"metadata"} if "words" in options else set())


def test_a_time_is_kept_without_a_service(tmp_path: Path) -> None:
    began = time.monotonic()
    done = distil("digits", method="dm", ipc=1, within="20s", evaluation=TINY, data_dir=tmp_path)
    assert time.monotonic() - began < 2 * 20
    assert done.context.recipe.evaluation.epochs == 2, "what was asked for is left as it is"
    assert done.ended is None or done.ended.why == "It was to end within 20s."
    with pytest.raises(ValueError, match="Set within to at least"):
        distil("digits", method="dm", ipc=1, within="1s", data_dir=tmp_path)
