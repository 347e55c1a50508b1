"""Parts of a running job: each is made once, by whoever comes first, and nobody waits for one who is gone."""

from __future__ import annotations

import pytest

from core.ledger import Claim, Ledger, Part, Reach, Stored, Turn
from core.ledger.parts import LOSSES
from tests.ledger.orders import ERROR, FILES, LONG, running

PARTS = [Part(name, "here", {"files": [name]}) for name in ("a", "b", "c")]


def offered(ledger: Ledger) -> Claim:
    """A running job with three parts."""
    claim = running(ledger)
    assert ledger.sharing.offer(claim, PARTS)
    return claim


def test_a_part_is_made_by_whoever_comes_first(ledger: Ledger) -> None:
    job = offered(ledger)
    assert ledger.sharing.turn(job, "own") == Turn("a", waits=False, made=())
    ledger.register_worker("helper", "cpu", "here")
    theirs = ledger.sharing.claim("helper", LONG)
    assert theirs is not None
    (seen,) = ledger.workers()
    assert ledger.sharing.beat(theirs, LONG)
    assert ledger.workers()[0].last_seen > seen.last_seen, "who helps is alive"
    assert (theirs.part, theirs.job.id) == (PARTS[1], job.job.id)
    assert ledger.sharing.own_made(job, "a")
    assert ledger.sharing.turn(job, "own") == Turn("c", waits=False, made=()), "its own is not what others made"
    assert ledger.sharing.own_made(job, "c")
    assert ledger.sharing.turn(job, "own") == Turn(None, waits=True, made=())
    assert ledger.sharing.claim("another", LONG) is None
    assert ledger.sharing.made(theirs)
    assert ledger.sharing.turn(job, "own") == Turn(None, waits=False, made=("b",))


def test_a_part_that_others_make_in_vain_is_left_to_the_own_worker(ledger: Ledger) -> None:
    job = running(ledger)
    assert ledger.sharing.offer(job, PARTS[:1])
    for _ in range(LOSSES):
        theirs = ledger.sharing.claim("helper", LONG)
        assert theirs is not None
        assert ledger.sharing.made(theirs)
        ledger.sharing.again(job, "a")
    assert ledger.sharing.claim("helper", LONG) is None
    assert ledger.sharing.turn(job, "own") == Turn("a", waits=False, made=())


def test_what_its_own_worker_has_made_is_asked_of_nobody_even_while_another_is_at_it(ledger: Ledger) -> None:
    job = offered(ledger)
    theirs = ledger.sharing.claim("helper", LONG)
    assert theirs is not None
    assert ledger.sharing.own_made(job, theirs.part.name), "it did not wait"
    assert not ledger.sharing.beat(theirs, LONG)
    assert not ledger.sharing.made(theirs)
    ledger.sharing.again(job, theirs.part.name)
    turns = [ledger.sharing.turn(job, "own") for _ in range(3)]
    assert [turn and turn.part for turn in turns] == ["b", "c", None]


def test_a_part_whose_worker_is_gone_is_made_again_and_its_late_word_is_refused(ledger: Ledger) -> None:
    job = offered(ledger)
    late = ledger.sharing.claim("helper", 0.0)
    assert late is not None
    again = ledger.sharing.claim("another", 0.0)
    assert again is not None
    assert again.part == late.part
    assert not ledger.sharing.beat(late, LONG)
    assert not ledger.sharing.made(late)
    assert ledger.sharing.turn(job, "own") == Turn("a", waits=False, made=()), "its own worker waits for no lease"
    assert not ledger.sharing.made(again)
    for _ in range(LOSSES):
        found = ledger.sharing.claim("helper", LONG)
        assert found is not None
        assert found.part == PARTS[1]
        assert ledger.sharing.give_back(found, lost=True)
    found = ledger.sharing.claim("helper", LONG)
    assert found is not None
    assert found.part == PARTS[2], "what others lose again and again is left to the job's own worker"


@pytest.mark.parametrize("asked", ["cancel", "pause", "finish", "fail", "succeed", "withdraw"])
def test_nobody_goes_on_with_a_part_that_is_not_wanted(ledger: Ledger, asked: str) -> None:
    job = offered(ledger)
    part = ledger.sharing.claim("helper", LONG)
    assert part is not None
    assert ledger.sharing.beat(part, LONG)
    match asked:
        case "cancel":
            ledger.request_cancel(job.job.id)
        case "pause":
            ledger.request_pause(job.job.id)
        case "finish":
            ledger.request_finish(job.job.id)
        case "fail":
            assert ledger.fail(job, ERROR)
        case "succeed":
            assert ledger.succeed(job, FILES)
        case "withdraw":
            ledger.sharing.withdraw(job)
    assert not ledger.sharing.beat(part, LONG)
    assert ledger.sharing.claim("another", LONG) is None


def test_what_was_made_for_a_job_that_lost_its_worker_serves_the_next_attempt(ledger: Ledger) -> None:
    job = running(ledger, ttl=0.0)
    assert ledger.sharing.offer(job, PARTS)
    assert ledger.heartbeat(job, LONG).held
    part = ledger.sharing.claim("helper", LONG)
    assert part is not None
    assert ledger.sharing.turn(job, "own") == Turn("b", waits=False, made=())
    assert ledger.release(job, "drained")
    assert ledger.sharing.claim("another", LONG) is None, "first somebody goes on with the job"
    assert ledger.sharing.beat(part, LONG)
    assert ledger.sharing.made(part)
    next_one = ledger.claim("another", LONG)
    assert next_one is not None
    assert not ledger.sharing.offer(job, PARTS), "the attempt that is over offers nothing"
    assert ledger.sharing.turn(job, "own") is None
    assert ledger.sharing.offer(next_one, PARTS)
    assert ledger.sharing.turn(next_one, "another") == Turn("b", waits=False, made=("a",))


def test_parts_go_round_between_owners_and_to_those_who_make_the_same_bits(ledger: Ledger) -> None:
    owners = ["alice", "alice", "bob"]
    for owner in owners:
        claim = running(ledger.within(Reach(owner, everything=False)))
        assert ledger.sharing.offer(claim, PARTS)
    assert ledger.sharing.claim("helper", LONG, declined=["here"]) is None
    found = [ledger.sharing.claim("helper", LONG) for _ in range(4)]
    assert [part and part.job.owner for part in found] == ["bob", "alice", "bob", "alice"]


def test_results_are_found_by_name_until_there_are_too_many(ledger: Ledger) -> None:
    removed: list[str] = []
    for name in ("one", "two"):
        ledger.sharing.keep_result(name, Stored(name[0] * 64, 10))
    assert ledger.sharing.result("one") == Stored("o" * 64, 10)
    assert ledger.keeping.needed() >= {"o" * 64, "t" * 64}
    assert ledger.sharing.trim_results(20, removed.append) == 0
    assert ledger.sharing.trim_results(10, removed.append) == 1
    assert removed == ["t" * 64], "the one used longest ago"
    assert ledger.sharing.result("two") is None


def test_a_checkpoint_is_one_attempts_and_goes_with_its_job(ledger: Ledger) -> None:
    removed: list[str] = []
    job = running(ledger)
    files = {"state": Stored("a" * 64, 1), "rows": Stored("b" * 64, 1)}
    assert ledger.sharing.keep_checkpoint(job, files, removed.append)
    later = files | {"state": Stored("c" * 64, 2)}
    assert ledger.sharing.keep_checkpoint(job, later, removed.append)
    assert removed == ["a" * 64]
    assert ledger.sharing.checkpoint(job.job.id) == (1, later)
    assert ledger.release(job, "drained")
    assert not ledger.sharing.keep_checkpoint(job, files, removed.append)
    again = ledger.claim("worker", LONG)
    assert again is not None
    assert ledger.succeed(again, FILES)
    ledger.sharing.forget_ended(30, removed.append)
    assert ledger.sharing.checkpoint(job.job.id) == (0, {})
    assert sorted(removed) == ["a" * 64, "c" * 64], "an object that an artifact has, too, stays"
