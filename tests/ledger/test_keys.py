"""Keys and owners in the ledger."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.ledger import Ledger, QuotaExceeded, Reach, UnknownJob
from tests.ledger.orders import LONG, order, queued, running

ALICE, BOB = Reach("alice", everything=False), Reach("bob", everything=False)


def test_a_job_is_its_owners_and_nobody_elses(ledger: Ledger) -> None:
    alice, bob = ledger.within(ALICE), ledger.within(BOB)
    job, old = queued(alice), queued(ledger)
    assert (job.owner, old.owner) == ("alice", "")
    assert [found.id for found in alice.jobs()] == [job.id]
    assert bob.jobs() == []
    assert len(ledger.jobs()) == 2
    for ask in (bob.job, bob.events, bob.files, bob.request_cancel, bob.retry, ledger.within(Reach("", False)).job):
        with pytest.raises(UnknownJob):
            ask(job.id)
    with pytest.raises(UnknownJob):
        alice.job(old.id)
    assert (bob.counts()["queued"], alice.counts()["queued"], ledger.counts()["queued"]) == (0, 1, 2)


def test_equal_orders_meet_within_an_owner(ledger: Ledger) -> None:
    alice, bob = ledger.within(ALICE), ledger.within(BOB)
    first = order(alice, fingerprint="same")
    assert order(alice, fingerprint="same").job.id == first.job.id
    assert order(bob, fingerprint="same").outcome == "created"
    assert order(ledger, fingerprint="same").outcome == "created"


def test_an_owner_with_enough_running_lets_others_pass(ledger: Ledger) -> None:
    alice, bob = ledger.within(ALICE), ledger.within(BOB)
    running(alice)
    waiting, other = queued(alice), queued(bob)
    claim = ledger.claim("worker", LONG, max_running=1)
    assert claim is not None
    assert claim.job.id == other.id
    assert ledger.claim("worker", LONG, max_running=1) is None
    unbounded = ledger.claim("worker", LONG)
    assert unbounded is not None
    assert unbounded.job.id == waiting.id


def test_a_quota_counts_what_is_open(ledger: Ledger) -> None:
    alice = ledger.within(ALICE)
    job = order(alice, max_open=2, fingerprint="one").job
    order(alice, max_open=2)
    with pytest.raises(QuotaExceeded, match="2 jobs"):
        order(alice, max_open=2)
    assert order(alice, max_open=2, fingerprint="one").job.id == job.id
    assert order(ledger, max_open=0).outcome == "created"
    alice.request_cancel(job.id)
    assert order(alice, max_open=2).outcome == "created"


def test_keys_expire_and_sessions_end_with_them(ledger: Ledger) -> None:
    key, secret = ledger.keys.create("alice", "laptop")
    token = ledger.keys.open_session(key, timedelta(hours=1))
    for found in (ledger.keys.holder(secret), ledger.keys.session(token)):
        assert found is not None
        assert (found.id, found.owner) == (key.id, "alice")
    assert ledger.keys.all()[0].last_used_at is not None
    over = ledger.keys.open_session(key, timedelta(0))
    assert ledger.keys.session(over) is None
    _, expired = ledger.keys.create("alice", "old", lifetime=timedelta(0))
    assert ledger.keys.holder(expired) is None
    ledger.keys.revoke(key.id)
    assert ledger.keys.holder(secret) is None
    assert ledger.keys.session(token) is None
    ledger.sweep()


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"owner": " "}, "owner"),
        ({"name": "a\nb"}, "name"),
        ({"scopes": ["root"]}, "admin"),
        ({"scopes": []}, "scopes"),
    ],
)
def test_a_key_that_says_nothing_is_not_made(ledger: Ledger, fields: dict[str, str], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        ledger.keys.create(**({"owner": "alice", "name": "x"} | fields))  # type: ignore[arg-type]
