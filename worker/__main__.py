"""One worker in the configured mode: on a broker a Celery worker, without one the poller. `python -m worker`."""

from __future__ import annotations

from core import lifeline, logs
from core.settings import settings
from worker import poller
from worker.protocol import ENGINE


def main(engine: str = ENGINE) -> None:
    """Works until SIGTERM or SIGINT; the running job is then checkpointed and queued again."""
    logs.configure(settings())
    if settings().broker_url is None:
        poller.run(engine)
        return
    from worker.app import app  # needs a broker

    app.worker_main(["--quiet", "worker", "--without-gossip", "--without-mingle", f"--engine={engine}"])


if __name__ == "__main__":
    parser = poller.engine_option(__doc__)
    parser.add_argument(lifeline.OPTION, action="store_true", help="end when standard input closes")
    given = parser.parse_args()
    if given.life_line:
        lifeline.hold(politely=True)
    main(given.engine)
