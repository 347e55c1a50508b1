"""One worker in the configured mode, or several: with a broker Celery, without one the poller. `python -m worker`."""

from __future__ import annotations

import os

from core import lifeline, logs
from core.settings import settings
from worker import devices, poller, pool
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
    several = parser.add_mutually_exclusive_group()
    several.add_argument("--workers", type=int, default=1, metavar="N", help="processes, which help each other")
    several.add_argument("--gpus", help="a process for each GPU: `all`, or some as CUDA_VISIBLE_DEVICES names them")
    given = parser.parse_args()
    if given.life_line:
        lifeline.hold(politely=True)
    if given.workers == 1 and given.gpus is None:
        main(given.engine)
    else:
        try:
            each = (
                devices.one_each(given.gpus, os.environ) if given.gpus else devices.divided(given.workers, os.environ)
            )
        except ValueError as error:
            parser.error(str(error))
        raise SystemExit(pool.run(each, given.engine))
