"""Archives as people pack them, drawn at random, are taken rightly or refused with a fix that, followed, works."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from core.data import DatasetInvalid
from core.data.archive import read_archive
from core.data.folders import Folders
from tests.data.archives import packed
from tests.data.misplaced import MISPLACED
from tests.data.spoiled import FAULTS, Spoiled

EACH = 12
"""Archives of every kind of fault."""


def read(tmp_path: Path, data: bytes, size: int | None = None) -> Folders:
    (tmp_path / "upload").write_bytes(data)
    return read_archive(tmp_path / "upload", size)


def spoiled() -> Iterator[tuple[str, int, Callable[[np.random.Generator], Spoiled]]]:
    for place, kind in enumerate([*FAULTS, *MISPLACED]):
        yield f"{kind.__name__} {place}", place, kind


@pytest.mark.parametrize(("place", "kind"), [each[1:] for each in spoiled()], ids=[each[0] for each in spoiled()])
def test_an_archive_is_taken_rightly_or_refused_with_a_fix_that_works(
    tmp_path: Path, place: int, kind: Callable[[np.random.Generator], Spoiled]
) -> None:
    for seed in range(EACH):
        one = kind(np.random.default_rng([place, seed]))
        sending, pack = one.sent, one.pack
        links: Mapping[str, str] = one.links
        size = None
        for _ in range(one.rounds if one.words else 0):
            with pytest.raises(DatasetInvalid) as refused:
                read(tmp_path, packed(sending.members(), links) if links else pack(sending.members()), size)
            told = str(refused.value)
            assert sending is not one.sent or re.search(one.words, told), (seed, told)
            sending, pack, links, size = one.fix(sending, told), packed, {}, one.size
        try:
            found = read(tmp_path, pack(sending.members()), size)
        except DatasetInvalid as fault:
            raise AssertionError(f"{kind.__name__}, seed {seed}: {fault}; {sorted(sending.members())}") from None
        sending.check(found)
        assert one.said in " ".join(found.remarks), (seed, found.remarks)


def test_there_are_three_hundred_neighbours() -> None:
    assert len(FAULTS) * EACH >= 300
