"""Values that are kept for the next who asks."""

from __future__ import annotations

from core.recent import Recent


def test_the_least_lately_used_is_forgotten() -> None:
    recent = Recent[str, int](2)
    recent.keep("a", 1)
    recent.keep("b", 2)
    assert recent.get("a") == 1
    recent.keep("c", 3)
    assert [recent.get(key) for key in "abc"] == [1, None, 3]
    recent.keep("a", 4)
    assert [recent.get(key) for key in "abc"] == [4, None, 3]
