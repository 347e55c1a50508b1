"""Datasets that are a formula: their names, their samples, and the parts that link functions have."""

from __future__ import annotations

import numpy as np
import pytest

from core.data import UnknownDataset
from core.data.multi_index import CHUNK, LINKS, parse


def test_a_name_says_all_of_it_once_it_is_read() -> None:
    task = parse("multi-index: d=32")
    assert task.name == "multi-index:d=32,r=2,link=he2-he3,n=40960,seed=0"
    assert parse(task.name) == task
    assert parse("Multi-Index:seed=0,n=40960,link=HE2+HE3,d=32") == task
    assert parse("multi-index:d=32,seed=1").digest != task.digest == parse(task.name).digest


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("multi-index", "says no dimension d"),
        ("multi-index:r=2", "says no dimension d"),
        ("multi-index:d=1", "from 2 to 512"),
        ("multi-index:d=many", "from 2 to 512"),
        ("multi-index:d=-4", "from 2 to 512"),
        ("multi-index:d=16,r=0", "from 1 to 16"),
        ("multi-index:d=4,r=5", "at most 4"),
        ("multi-index:d=16,n=10", "from 256 to"),
        ("multi-index:d=16,links=he2", "did you mean link"),
        ("multi-index:d=16,link=he4", "one of he2, he2-he3, he3, relu, product"),
        ("multi-index:d=16,link=relu", "Set r=1"),
        ("multi-index:d=16,r=3,link=product", "Set r=2"),
        ("multi-index:d=16,d=17", "twice"),
        ("multi-index:d=16,seed", "says nothing"),
    ],
)
def test_a_name_that_says_no_dataset_is_refused_with_a_fix(name: str, fix: str) -> None:
    with pytest.raises(UnknownDataset, match=fix):
        parse(name)


@pytest.mark.parametrize("link", LINKS)
def test_a_link_is_centred_of_unit_variance_and_of_the_degree_it_says(link: str) -> None:
    r = 1 if link == "relu" else 2
    task = parse(f"multi-index:d=6,r={r},link={link},n=65536")
    parts = list(task.chunks("train"))
    x, y = (np.concatenate(each).astype(np.float64) for each in zip(*parts, strict=True))
    assert abs(y.mean()) < 0.02
    assert abs(y.var() - 1) < 0.08
    hessian = (x * y[:, None]).T @ x / len(x) - y.mean() * np.eye(6)
    inside = task.subspace().astype(np.float64)
    strength = np.abs(np.linalg.eigvalsh(inside @ hessian @ inside.T))
    assert bool(strength.min() > 0.3) is (LINKS[link].degree == 2), "second degree in every direction, or in none"


def test_chunks_can_be_made_again_one_by_one() -> None:
    task = parse("multi-index:d=5,n=40000")
    whole = list(task.chunks("train"))
    assert [len(y) for _, y in whole] == [CHUNK, CHUNK, 40000 - 2 * CHUNK]
    x, y = next(task.chunks("train", 2))
    assert np.array_equal(x, whole[2][0])
    assert np.array_equal(y, whole[2][1])
    assert not np.array_equal(next(task.chunks("test"))[0], whole[0][0])
    directions = task.subspace()
    assert np.allclose(directions @ directions.T, np.eye(2), atol=1e-6)
