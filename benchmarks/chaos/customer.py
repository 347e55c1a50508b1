"""The requests of a client that does not give up: jobs, some of them equal, and a change of mind now and then."""

from __future__ import annotations

import random
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Final, final

import httpx

from benchmarks.chaos.house import PATIENCE, House

_EVALUATION: Final = {"evaluation.epochs": 3, "evaluation.seeds": 1, "evaluation.full.epochs": 1}
_EXPERTS: Final = {"experts.count": 6, "network.width": 128, "network.depth": 2}
"""So wide that each is trained alone, and may be made by another worker."""
_KINDS: Final[dict[str, dict[str, Any]]] = {
    "random": {},
    "dm": {"network.width": 8, "schedule.steps": 30},
    "mtt": {
        **_EXPERTS,
        "objective.syn_steps": 3,
        "objective.max_start_epoch": 2,
        "objective.expert_epochs": 1,
        "schedule.steps": 30,
        "evaluation.baseline_lrs": [0.01],
    },
}
_DONE: Final = (
    "SELECT 1 FROM jobs JOIN jobs AS twin ON twin.fingerprint = jobs.fingerprint AND twin.id != jobs.id "
    "WHERE jobs.id = %s AND twin.status = 'succeeded'"
)
"""Whether an equal job has made the result, so that this one is not opened again."""


@dataclass(frozen=True)
class Accepted:
    """A request that was answered with a job, by the key that it came with."""

    key: str
    body: dict[str, Any]
    job_id: str


@dataclass
class Memory:
    """The things that a client knows at the end, to which the service is held."""

    accepted: list[Accepted] = field(default_factory=list)
    cancelled: set[str] = field(default_factory=set)
    """Jobs that were asked to be cancelled and not asked for again."""
    refused: list[str] = field(default_factory=list)
    """Answers that a client cannot do anything about."""

    @property
    def jobs(self) -> set[str]:
        """Ids of the jobs."""
        return {each.job_id for each in self.accepted}


@final
class Customer:
    """Sends requests until there are so many jobs and it is told that it is enough."""

    def __init__(self, house: House, draw: random.Random, jobs: int, at_once: int) -> None:
        """
        Args:
            at_once: jobs that wait or run at a time, at most.
        """
        self.memory = Memory()
        self.enough = threading.Event()
        self._house, self._draw, self._jobs, self._at_once = house, draw, jobs, at_once
        self._client = httpx.Client(base_url=house.url, timeout=30, trust_env=False)
        self._later: list[tuple[float, str, str]] = []
        """Changes of mind: the time, the job, and what is asked of it."""

    def work(self) -> None:
        """Submit and change minds; returns once all jobs are accepted and nothing is left to ask of them."""
        while not self.enough.is_set() or len(self.memory.jobs) < self._jobs:
            self._changes(time.monotonic())
            if self._open() < self._draw.randint(1, self._at_once):  # workers help each other when no job waits
                self._order()
            time.sleep(0.1)
        while self._later:
            self._changes(time.monotonic())
            time.sleep(0.1)
        self._client.close()

    def _open(self) -> int:
        found = self._house.rows("SELECT count(*) AS n FROM jobs WHERE status IN ('queued', 'running')")
        return int(found[0]["n"])

    def _order(self) -> None:
        draw, accepted = self._draw, self.memory.accepted
        if accepted and draw.random() < 0.15:
            body, fate = draw.choice(accepted).body, "none"
        else:
            method = draw.choice(list(_KINDS))
            wanted = {"dataset": "digits", "ipc": 1, "method": method, "seed": draw.randrange(1 << 20)}
            overrides = _KINDS[method] | _EVALUATION
            if method == "mtt":  # or the experts of the job before would do
                overrides["experts.batch_size"] = draw.randrange(384, 640)
            body = {**wanted, "overrides": overrides}
            fate = draw.choices(("none", "cancel", "retry", "pause"), (70, 8, 10, 12))[0]
        key = str(uuid.UUID(int=draw.getrandbits(128)))
        answer = self._ask("/v1/jobs", body, key)
        if answer is None:
            return
        job_id = str(answer["id"])
        accepted.append(Accepted(key, body, job_id))
        now = time.monotonic() + draw.uniform(0, 4)
        pairs = {"none": (), "cancel": ("cancel",), "retry": ("cancel", "retry"), "pause": ("pause", "resume")}
        self._later += [(now + 2 * place, job_id, verb) for place, verb in enumerate(pairs[fate])]

    def _changes(self, now: float) -> None:
        due = [change for change in self._later if change[0] <= now]
        self._later = [change for change in self._later if change[0] > now]
        for _, job_id, verb in sorted(due):
            done = self._ask(f"/v1/jobs/{job_id}/{verb}", None, None)
            if done is None and verb in ("retry", "resume"):
                stands = self._house.rows("SELECT status FROM jobs WHERE id = %s", job_id)[0]["status"]
                if self._house.rows(_DONE, job_id):
                    self._later += [(now + 1, job_id, "cancel")] if stands == "paused" else []
                elif stands in ("cancelling", "cancelled", "paused"):  # an equal one is open, or it is not there yet
                    self._later.append((now + 1, job_id, verb))
            if verb == "cancel" and done is not None:
                self.memory.cancelled.add(job_id)
            if verb == "retry" and done is not None:
                self.memory.cancelled.discard(job_id)

    def _ask(self, path: str, body: dict[str, Any] | None, key: str | None) -> dict[str, Any] | None:
        """The answer, asked for again while the service is away or busy; None when it is refused as it may be."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                headers = {"Idempotency-Key": key} if key else {}
                answer = self._client.post(path, json=body, headers=headers)
            except httpx.TransportError:
                time.sleep(0.2)
                continue
            if answer.is_success:
                found: dict[str, Any] = answer.json()
                return found
            if answer.status_code == 409 and body is None:
                return None  # the job has moved on meanwhile
            if answer.status_code not in (429, 503):
                break
            time.sleep(0.2)
        self.memory.refused.append(f"{path}: {answer.status_code} {answer.text[:300]}")
        return None

    def ask_again(self) -> list[str]:
        """Every request once more, by its key and without: faults where the answer is not what it was."""
        faults = []
        with httpx.Client(base_url=self._house.url, timeout=30, trust_env=False) as client:
            for each in self.memory.accepted:
                answer = client.post("/v1/jobs", json=each.body, headers={"Idempotency-Key": each.key})
                if answer.json().get("id") != each.job_id:
                    faults.append(f"key {each.key} was answered with {each.job_id} and now with {answer.text[:200]}")
            for job_id, body in {each.job_id: each.body for each in self.memory.accepted}.items():
                done = self._house.rows("SELECT 1 FROM jobs WHERE id = %s AND status = 'succeeded'", job_id)
                if done and (answer := client.post("/v1/jobs", json=body)).json().get("id") != job_id:
                    faults.append(f"{job_id} is done, and its request was answered with {answer.text[:200]}")
        return faults
