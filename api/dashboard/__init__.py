"""The pages for a browser: rendered here, complete without a script; scripts of our own keep them up to date."""

from __future__ import annotations

from typing import Final

from api.dashboard import (
    advice,
    checks,
    compare,
    datasets,
    job,
    jobs,
    login,
    manual,
    methods,
    new,
    system,
    uploads,
    webhooks,
)
from api.dashboard.rendering import static

__all__ = ["PAGES", "static"]

PAGES: Final = (jobs, new, job, compare, datasets, advice, uploads, checks, methods, system, webhooks, login, manual)
"""The modules that hold pages; each has a `router`."""
