"""Identifiers: their shape, their order, their moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ids import is_id, new_id

moments = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 1, 1), timezones=st.just(UTC))


@given(moments, moments)
def test_ids_sort_as_their_moments_do(one: datetime, other: datetime) -> None:
    if one != other:
        assert (new_id("job", one) < new_id("job", other)) == (one < other)


@given(moments)
def test_ids_of_one_moment_differ(moment: datetime) -> None:
    assert len({new_id("job", moment) for _ in range(20)}) == 20


@given(moments)
def test_an_id_is_a_version_7_uuid(moment: datetime) -> None:
    number = 0
    for character in new_id("job", moment).removeprefix("job_"):
        number = number << 5 | "0123456789ABCDEFGHJKMNPQRSTVWXYZ".index(character)
    assert number >> 76 & 0xF == 7
    assert number >> 62 & 0b11 == 0b10
    milliseconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert number >> 80 == milliseconds


def test_ids_are_recognised_by_their_prefix_and_shape() -> None:
    made = new_id("job")
    assert is_id("job", made)
    assert not is_id("ds", made)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "job",
        "job_",
        "job_0",
        "job_" + "8" + "0" * 25,
        "job_" + "I" * 26,
        "job_" + "0" * 27,
        "job_" + "0" * 26 + "\n",
    ],
)
def test_other_texts_are_not_ids(text: str) -> None:
    assert not is_id("job", text)
