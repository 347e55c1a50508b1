"""A small reference implementation to measure, and no trace of it afterwards."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.checkout import write


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder like a checkout of the reference; its modules are forgotten at the end."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield write(tmp_path / "reference")
    for name in set(sys.modules) - before:
        if name in ("networks", "reparam_module", "utils") or name.startswith("a_library"):
            del sys.modules[name]
