"""Running jobs: Celery doorbell, poller, supervisor, engine process, sweeper."""
