"""Keys and owners in the ledger."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from core.ledger import Ledger, QuotaExceeded, Reach, UnknownJob, UnknownKey
from core.ledger.models import ApiKeyRow
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


def test_a_key_opens_although_its_use_cannot_be_noted(ledger: Ledger, ledger_url: str) -> None:
    made, secret = ledger.keys.create("alice", "laptop")
    token = ledger.keys.open_session(made, timedelta(hours=1))
    impatient = Ledger(ledger_url, lock_wait=0.1)
    with ledger.database.write() as session:
        session.execute(select(ApiKeyRow).with_for_update())
        for found in (impatient.keys.holder(secret), impatient.keys.session(token)):
            assert found is not None
            assert found.id == made.id
    impatient.close()
    assert ledger.keys.get(made.id).last_used_at is None


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


def test_a_key_ends_with_the_one_it_was_made_with(ledger: Ledger) -> None:
    keys = ledger.keys
    root, _ = keys.create("root", "root", ["admin"], timedelta(days=1))
    child, secret = keys.create("alice", "child", parent_id=root.id)
    brief, _ = keys.create("alice", "brief", lifetime=timedelta(hours=1), parent_id=child.id)
    grown, leaf = keys.create("alice", "long", lifetime=timedelta(days=900), parent_id=child.id)
    beside, other = keys.create("alice", "beside")
    assert child.expires_at == grown.expires_at == root.expires_at
    assert brief.expires_at is not None
    assert root.expires_at is not None
    assert brief.expires_at < root.expires_at
    assert (root.parent_id, child.parent_id, brief.parent_id) == (None, root.id, child.id)
    token = keys.open_session(grown, timedelta(days=1))
    assert keys.session(token) is not None
    keys.revoke(root.id)
    assert {key.id for key in keys.all() if key.revoked_at is None} == {beside.id}
    assert [keys.holder(each) for each in (secret, leaf)] == [None, None]
    assert keys.session(token) is None
    assert keys.holder(other) is not None
    for dead in (root, child):
        with pytest.raises(UnknownKey, match="revoked or expired"):
            keys.create("alice", "late", parent_id=dead.id)


def test_a_key_may_be_replaced_by_one_that_it_made(ledger: Ledger) -> None:
    keys = ledger.keys
    root, _ = keys.create("root", "root", ["admin"])
    old, _ = keys.create("alice", "old", parent_id=root.id)
    new, secret = keys.create("alice", "new", parent_id=old.id)
    keys.revoke(old.id, alone=True)
    found = keys.holder(secret)
    assert found is not None
    assert (found.id, found.parent_id) == (new.id, root.id)
    keys.revoke(root.id)
    assert keys.holder(secret) is None


def test_a_key_made_while_its_parent_is_revoked_does_not_outlive_it(ledger: Ledger) -> None:
    keys = ledger.keys
    for _ in range(5):
        parent, _ = keys.create("alice", "parent")
        with ThreadPoolExecutor(5) as people:
            made = [people.submit(keys.create, "alice", "child", parent_id=parent.id) for _ in range(4)]
            people.submit(keys.revoke, parent.id).result()
        secrets = [each.result()[1] for each in made if each.exception() is None]
        assert [keys.holder(secret) for secret in secrets] == [None] * len(secrets)


@pytest.mark.parametrize(
    ("mine", "yours", "may"),
    [
        (("jobs:read",), ("jobs:read",), False),
        (("jobs:read",), ("admin",), False),
        (("jobs:read", "jobs:write"), ("jobs:read", "jobs:write"), True),
        (("jobs:write",), ("jobs:read",), False),
        (("admin",), ("jobs:read", "admin"), True),
    ],
)
def test_a_key_ends_itself_its_own_and_what_may_do_no_more(
    ledger: Ledger, mine: tuple[str, ...], yours: tuple[str, ...], may: bool
) -> None:
    key, _ = ledger.keys.create("alice", "mine", mine)
    other, _ = ledger.keys.create("alice", "yours", yours)
    child, _ = ledger.keys.create("alice", "child", ["jobs:read"], parent_id=key.id)
    assert (key.may_end(key), key.may_end(child), key.may_end(other)) == (True, True, may)


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
