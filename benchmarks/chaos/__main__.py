"""Jobs and faults together, and the audit of what has become of the jobs: `make chaos`.

    python -m benchmarks.chaos [--jobs 200] [--open 5] [--faults 150] [--only WORD ...] [--seed 0] [--compare 40]

A real PostgreSQL, a real Redis, the API and two workers, each with a HOME of its own and one store between them, are
started in a folder of their own. A client keeps some jobs open, some of them equal, and cancels, retries, pauses and
resumes others, while faults strike one after the other as the seed says. Then everything has to end, and is audited.
Each violation is printed, and any makes the exit status 1.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks.chaos.audit import Found, audit
from benchmarks.chaos.customer import Customer
from benchmarks.chaos.faults import Faults
from benchmarks.chaos.house import House, new_house, until


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it and print what was found; 1 if anything is not as it must be."""
    options = options_of(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is cleaned up
    os.environ["OMP_NUM_THREADS"] = "1"  # as the workers have it
    began, struck = time.monotonic(), Counter[str]()
    with new_house(options.keep) as house:
        customer, violations = strike(house, options, struck)
        found = audit(house, customer.memory)
        violations += [*found.violations, *customer.ask_again()]
        from benchmarks.chaos.undisturbed import differing  # torch: only once nothing needs to be quick

        compared = found.interrupted[: options.compare]
        violations += differing(house, compared)
        house.close()
        violations += [f"process {process} is left" for process in house.left()]
    _print(found, customer, struck, len(compared), time.monotonic() - began)
    for fault in violations:
        print(f"VIOLATION {fault}")
    print(f"{len(violations)} violations; seed {options.seed}.")
    return 1 if violations else 0


def strike(house: House, options: argparse.Namespace, struck: Counter[str]) -> tuple[Customer, list[str]]:
    """Submit jobs and strike until there are enough of both and all has ended; the client, and what was wrong then.

    Args:
        struck: counts the faults by their names.
    """
    # Draws of their own: what one does when does not change what the other draws.
    customer = Customer(house, random.Random(f"customer {options.seed}"), options.jobs, options.open)
    faults, pause = Faults(house, random.Random(f"faults {options.seed}"), options.only), random.Random(options.seed)
    thread = threading.Thread(target=customer.work, name="customer", daemon=True)
    thread.start()
    began = time.monotonic()
    while struck.total() < options.faults:
        name, what = faults.strike()
        struck[name] += 1
        at = time.monotonic() - began
        print(f"{at:7.1f} s  {struck.total():4d}  {name} {what}".rstrip(), file=sys.stderr, flush=True)
        time.sleep(pause.uniform(0, options.pause))
    customer.enough.set()
    try:
        until(lambda: not thread.is_alive(), "the client has all its answers", options.deadline)
        until(lambda: not _open(house), "every job has ended", options.deadline)
        until(lambda: not _untidy(house), "what ended jobs leave is tidied up", 15.0)
    except TimeoutError as error:
        return customer, [str(error)]
    return customer, [f"the client was answered {answer}" for answer in customer.memory.refused]


def _open(house: House) -> bool:
    return bool(house.rows("SELECT 1 FROM jobs WHERE status NOT IN ('succeeded', 'failed', 'cancelled') LIMIT 1"))


def _untidy(house: House) -> bool:
    done = {row["id"] for row in house.rows("SELECT id FROM jobs WHERE status = 'succeeded'")}
    parts = house.rows("SELECT 1 FROM job_parts LIMIT 1")
    return bool(parts) or any(home.name in done for home in house.folder.glob("worker-*/jobs/*"))


def _print(found: Found, customer: Customer, struck: Counter[str], compared: int, seconds: float) -> None:
    from benchmarks.machine import describe

    accepted, statuses = customer.memory.accepted, ", ".join(f"{n} {s}" for s, n in sorted(found.statuses.items()))
    print(f"{struck.total()} faults in {seconds / 60:.1f} minutes:")
    print("\n".join(f"  {count:3d} x {name}" for name, count in sorted(struck.items())))
    print(f"{len(accepted)} requests were accepted as {len(customer.memory.jobs)} jobs: {statuses}.")
    print(
        f"{found.attempts} attempts, {found.events:,} events; {found.unneeded} objects in the store are nobody's yet."
    )
    print(f"{len(found.interrupted)} jobs succeeded after an interruption, {compared} compared with a run without.")
    print(describe())


def options_of(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options of a command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=200, help="at least so many (%(default)s)")
    parser.add_argument("--open", type=int, default=5, help="of them that wait or run at once, at most (%(default)s)")
    parser.add_argument("--faults", type=int, default=150, help="(%(default)s)")
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="faults with such a word in their names")
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn (%(default)s)")
    parser.add_argument("--pause", type=float, default=2.0, help="seconds between faults, at most (%(default)s)")
    parser.add_argument("--compare", type=int, default=40, help="interrupted jobs to run again (%(default)s)")
    parser.add_argument("--deadline", type=float, default=600.0, help="seconds to end in, after (%(default)s)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="copy store, homes and logs here")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
