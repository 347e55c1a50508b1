"""How the service speaks to its operator: one line an event on standard error, readable or JSON.

No line holds a secret. A traceback shows no local variables, since a request's frames hold its key and the service's
frames the addresses with their passwords; what is left, such as a driver's message, passes `core.masks`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from types import TracebackType
from typing import Any, TextIO, final

import structlog
from structlog.tracebacks import ExceptionDictTransformer

from core.masks import masked, secrets_of
from core.settings import Settings, strangers

_QUIET = ("alembic", "celery", "httpx", "kombu", "sqlalchemy")
"""Libraries whose running commentary is of no use to an operator; their warnings are."""


def configure(settings: Settings) -> None:
    """Sends structlog and the standard library's loggers through one formatter.

    Warnings, and exceptions that end the process or a thread of it, go the same way. Call it once at the start of a
    process, before the first log line; calling it again replaces the setting.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    secrets = secrets_of((settings.database_url, settings.broker_url, settings.store_url), os.environ)
    handler = _Voice(sys.stderr)
    handler.setFormatter(
        _Discreet(
            secrets,
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(settings)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    logging.captureWarnings(True)
    sys.excepthook = _ended
    threading.excepthook = lambda end: _ended(end.exc_type, end.exc_value, end.exc_traceback)
    for variable, hint in strangers(os.environ).items():
        structlog.stdlib.get_logger(__name__).warning("not a setting", variable=variable, hint=hint)


@final
class _Discreet(structlog.stdlib.ProcessorFormatter):
    """The last word on every line, of our code or a library's: no secret stands in it."""

    def __init__(self, secrets: tuple[str, ...], **how: Any) -> None:
        super().__init__(**how)
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """The record as it is written."""
        return masked(super().format(record), self._secrets)


@final
class _Voice(logging.StreamHandler[TextIO]):
    """Standard error. What cannot be formatted is not written out as it is: that would pass the mask by."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the library's name
        """Say that there was a line, and name its logger."""
        kind = sys.exc_info()[0]
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(f"A line of {record.name} could not be logged: {kind.__name__ if kind else '?'}\n")


def _ended(kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None) -> None:
    """An exception that nobody caught, logged like every other."""
    if issubclass(kind, SystemExit):
        return
    if error is None or issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error or kind(), traceback)
        return
    logging.getLogger(__name__).critical("ended by a fault", exc_info=(kind, error, traceback))


def _rendering(settings: Settings) -> list[structlog.typing.Processor]:
    terminal = sys.stderr.isatty()
    if settings.log_format == "json" or (settings.log_format == "auto" and not terminal):
        tracebacks = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
        return [tracebacks, structlog.processors.JSONRenderer()]
    return [structlog.dev.ConsoleRenderer(colors=terminal, exception_formatter=structlog.dev.plain_traceback)]
