"""The loss traces of every method are the stored ones."""

from __future__ import annotations

import pytest

from core.engine.real import Real
from tests.engine import traces


@pytest.mark.parametrize("name", traces.stored())
def test_a_method_computes_what_it_did(name: str, real: Real) -> None:
    found = traces.trace(name, real)
    assert found == pytest.approx(traces.stored()[name], rel=traces.WITHIN), (
        "numbers changed: where that is the point, python -m tests.engine.traces --write, and say so"
    )


def test_every_two_traces_differ() -> None:
    """One that equals another would not notice that its method became that one."""
    losses = [tuple(trace) for trace in traces.stored().values()]
    assert len(set(losses)) == len(losses)
