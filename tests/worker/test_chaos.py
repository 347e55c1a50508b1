"""A piece of the chaos run: a whole service under a few faults, and an audit that would have seen what is wrong."""

from __future__ import annotations

from collections import Counter

from benchmarks.chaos.__main__ import options_of, strike
from benchmarks.chaos.audit import audit
from benchmarks.chaos.house import new_house
from benchmarks.chaos.undisturbed import differing


def test_a_service_under_faults_keeps_what_it_has_promised_and_the_audit_sees_what_is_wrong() -> None:
    options, struck = (
        options_of(["--jobs", "2", "--open", "2", "--faults", "4", "--seed", "955", "--pause", "0"]),
        Counter[str](),
    )
    with new_house() as house:
        customer, violations = strike(house, options, struck)
        found = audit(house, customer.memory)
        assert [*violations, *found.violations, *customer.ask_again()] == []
        assert found.statuses.total() >= 2
        done = house.rows("SELECT * FROM jobs WHERE status = 'succeeded' ORDER BY attempt DESC LIMIT 1")
        assert differing(house, done) == []
        (job,) = done

        def seen(statement: str) -> str:
            house.rows(statement.format(job["id"]))
            return "\n".join(audit(house, customer.memory).violations)

        assert "have gaps" in seen("DELETE FROM job_events WHERE job_id = '{}' AND seq = 1")
        address = house.published(job["id"], "dataset.safetensors")
        assert address is not None
        with (house.store / "sha256" / address[:2] / address).open("r+b") as stored:
            stored.write(b"x")
        assert "dataset.safetensors is damaged" in seen("SELECT 1")
        assert "has not ended" in seen("UPDATE jobs SET status = 'queued', finished_at = NULL WHERE id = '{}'")
        assert "is not there" in seen("DELETE FROM jobs WHERE id = '{}'")
        house.close()
        assert house.left() == []
