"""The addresses among the settings: whether something of ours can speak to what they name, and what to write if not."""

from __future__ import annotations

import importlib.util
from typing import Final
from urllib.parse import urlsplit

_KINDRED: Final = {"valkey": "redis", "valkeys": "rediss", "keydb": "redis", "keydbs": "rediss", "dragonfly": "redis"}
"""Servers that speak Redis's protocol, by the scheme that is tried for them, and the scheme that works."""

_BROKERS: Final = ("redis", "rediss", "amqp", "amqps", "filesystem", "sentinel", "sqs")
"""The schemes that are taken without asking Celery's transports, which take half a second to load."""


def check_broker(url: str) -> None:
    """Raises ValueError, which says what to write, if Celery has no transport for the URL."""
    scheme = _scheme(url)
    if scheme in _KINDRED:
        right = _KINDRED[scheme]
        raise ValueError(f"names the scheme {scheme}://: write {right}:// instead, since it speaks Redis's protocol.")
    if scheme in _BROKERS:
        if scheme == "filesystem" and urlsplit(url).path in ("", "/"):
            raise ValueError("names no folder: write filesystem:///absolute/folder.")
        return
    from kombu.transport import TRANSPORT_ALIASES

    if scheme.partition("+")[0] not in TRANSPORT_ALIASES:
        raise ValueError(
            f"{_named(scheme)}: write redis://HOST:6379/0 (for Valkey and KeyDB, too), rediss:// for Redis over TLS, "
            "or amqp://USER:PASSWORD@HOST// for RabbitMQ."
        )


def check_database(url: str) -> None:
    """Raises ValueError, which says what to write, if the ledger cannot be kept there."""
    from sqlalchemy.exc import ArgumentError

    from core.ledger.database import address

    try:
        address(url)
    except ArgumentError:
        raise ValueError("is no URL: write sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE.") from None
    except ValueError as error:
        if str(error).startswith("invalid literal"):
            raise ValueError("has a port that is no number; percent-encode what is special in a password.") from None
        raise


def check_store(url: str) -> None:
    """Raises ValueError, which says what to write or to install, if artifacts cannot be kept there."""
    from fsspec.registry import known_implementations, registry

    scheme = url.partition("://")[0].split("::")[0] if "://" in url else "file"
    if scheme in registry:
        return
    if (entry := known_implementations.get(scheme)) is None:
        raise ValueError(f"{_named(scheme)}: write file:///absolute/folder or s3://BUCKET/PREFIX.")
    package = entry["class"].partition(".")[0]
    if importlib.util.find_spec(package) is None:
        raise ValueError(f"needs the package {package}, which is not installed: pip install {package}.")


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower() if "://" in url else ""


def _named(scheme: str) -> str:
    return f"names the scheme {scheme[:40]}://, which nothing here speaks" if scheme else "names no scheme"
