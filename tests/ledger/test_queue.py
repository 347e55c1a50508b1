"""The queue: whose job is next, which of an owner's own, and which workers may have it."""

from __future__ import annotations

import pytest

from core.ledger import Ability, Ledger, Needs, Part, Reach
from tests.ledger.orders import LONG, order, queued

GIB = 2**30


def of(ledger: Ledger, owner: str) -> Ledger:
    return ledger.within(Reach(owner, everything=False))


def test_a_priority_counts_among_an_owners_own_jobs_alone(ledger: Ledger) -> None:
    slow = queued(of(ledger, "alice"))
    urgent = queued(of(ledger, "alice"), needs=Needs(priority=5))
    patient = queued(of(ledger, "bob"), needs=Needs(priority=-5))
    claimed = [ledger.claim("worker", LONG) for _ in range(4)]
    assert [claim and claim.job.id for claim in claimed] == [urgent.id, patient.id, slow.id, None]
    assert claimed[0] is not None
    assert claimed[0].job.priority == 5


def test_without_owners_priorities_order_the_queue(ledger: Ledger) -> None:
    jobs = [queued(ledger, needs=Needs(priority=priority)) for priority in (0, -1, 3, 3)]
    expected = [jobs[place].id for place in (2, 3, 0, 1)]
    places = {job.id: job.queue_position for job in ledger.jobs()}
    assert [places[job_id] for job_id in expected] == [1, 2, 3, 4]
    assert [claim.job.id for _ in jobs if (claim := ledger.claim("worker", LONG))] == expected


def test_the_first_place_is_that_of_the_job_that_is_claimed_next(ledger: Ledger) -> None:
    wanted = [("alice", 0), ("bob", -1), ("alice", 7), ("", 2), ("carol", 1), ("bob", 3), ("", 0), ("alice", 7)]
    for owner, priority in wanted:
        queued(of(ledger, owner) if owner else ledger, needs=Needs(priority=priority))
    for _ in wanted:
        (first,) = [job.id for job in ledger.jobs(status="queued") if job.queue_position == 1]
        claim = ledger.claim("worker", LONG)
        assert claim is not None
        assert claim.job.id == first


@pytest.mark.parametrize("owner", ["", "alice"])
def test_a_worker_leaves_a_job_that_is_too_large_for_it_to_another(ledger: Ledger, owner: str) -> None:
    reach = of(ledger, owner) if owner else ledger
    large = queued(reach, needs=Needs(memory_bytes=8 * GIB))
    small = queued(reach, needs=Needs(memory_bytes=GIB))
    unknown = queued(reach)
    little = Ability(memory_bytes=GIB)
    found = [ledger.claim("little", LONG, ability=little) for _ in range(3)]
    assert [claim and claim.job.id for claim in found] == [small.id, unknown.id, None]
    claim = ledger.claim("large", LONG, ability=Ability(memory_bytes=16 * GIB))
    assert claim is not None
    assert claim.job.id == large.id


def test_a_job_for_a_gpu_is_for_workers_that_have_one(ledger: Ledger) -> None:
    gpu, cpu = (queued(ledger, needs=Needs(device=device)) for device in ("gpu", "cpu"))
    without, having = Ability(gpu=False), Ability(gpu=True)
    assert (claim := ledger.claim("without", LONG, ability=without))
    assert claim.job.id == cpu.id
    assert ledger.claim("without", LONG, ability=without) is None
    assert (claim := ledger.claim("having", LONG, ability=having))
    assert claim.job.id == gpu.id
    either = queued(ledger, needs=Needs(device="gpu"))
    assert (claim := ledger.claim("unknown", LONG))
    assert claim.job.id == either.id


def test_a_job_that_no_worker_can_take_says_what_it_needs(ledger: Ledger) -> None:
    large = queued(ledger, needs=Needs(memory_bytes=8 * GIB))
    gpu = queued(ledger, needs=Needs(device="gpu"))
    plain = queued(ledger)
    assert ledger.job(large.id).waits_for is None, "nobody is there, which says nothing of it"
    ledger.register_worker("little", "cpu", "here", ability=Ability(gpu=False, memory_bytes=GIB))
    told = ledger.job(large.id).waits_for
    assert told is not None
    assert "8.0 GiB" in told
    assert "more than 1.0 GiB" in told
    assert "with a GPU" in str(ledger.job(gpu.id).waits_for)
    assert ledger.job(plain.id).waits_for is None
    ledger.register_worker("large", "cuda", "there", ability=Ability(gpu=True, memory_bytes=16 * GIB))
    assert [ledger.job(job.id).waits_for for job in (large, gpu)] == [None, None]


def test_a_helper_too_small_for_a_job_makes_no_part_of_it(ledger: Ledger) -> None:
    queued(ledger, needs=Needs(memory_bytes=8 * GIB))
    claim = ledger.claim("own", LONG)
    assert claim is not None
    assert ledger.sharing.offer(claim, [Part("a", "here", {"files": ["a"]})])
    assert ledger.sharing.claim("little", LONG, ability=Ability(memory_bytes=GIB)) is None
    assert ledger.sharing.claim("large", LONG, ability=Ability(memory_bytes=8 * GIB)) is not None


def test_an_equal_order_moves_the_queued_job_of_its_own_owner_alone(ledger: Ledger) -> None:
    alice, bob = of(ledger, "alice"), of(ledger, "bob")
    first = queued(alice, fingerprint="same", needs=Needs(1, "gpu", GIB))
    theirs = order(bob, fingerprint="same", needs=Needs(9, "any", GIB, frozenset({"priority", "device"})))
    assert theirs.outcome == "created", "another owner's is another job"
    assert alice.job(first.id).updated_at == first.updated_at
    for said, expected in ((frozenset({"device"}), (1, "any")), (frozenset({"priority"}), (7, "any"))):
        moved = order(alice, fingerprint="same", needs=Needs(7, "any", 2 * GIB, said))
        assert (moved.outcome, moved.job.id) == ("twin", first.id)
        assert (moved.job.priority, moved.job.runs_on) == expected
        assert moved.job.memory_bytes == GIB
    assert alice.job(first.id).updated_at > first.updated_at
