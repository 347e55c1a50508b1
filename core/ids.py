"""Identifiers that sort by the time they were given: `job_` and a UUIDv7 (RFC 9562) in Crockford's base 32."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: in ASCII order, without I, L, O, U
_UPLOAD = "ds"
_LENGTH = 26  # 128 bits, five a character
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BODY = re.compile(f"[0-7][{_ALPHABET}]{{{_LENGTH - 1}}}")


def new_id(prefix: str, at: datetime | None = None) -> str:
    """A new identifier such as `job_01JD9T6Z0V8M3N6Q4Y7K2R5X1B`.

    Two identifiers of one prefix compare as the moments they were made, to the microsecond; 62 bits are random.

    Args:
        prefix: what the identifier names, e.g. `job`.
        at: the moment to encode, aware; default now by this machine's clock.
    """
    microseconds = ((at or datetime.now(UTC)) - _EPOCH) // timedelta(microseconds=1)
    milliseconds, rest = divmod(microseconds, 1000)
    fraction = (rest << 12) // 1000  # RFC 9562 section 6.2, method 3: rand_a holds the fraction of the millisecond
    number = milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | secrets.randbits(62)
    body = "".join(_ALPHABET[number >> shift & 31] for shift in range(5 * (_LENGTH - 1), -1, -5))
    return f"{prefix}_{body}"


def is_upload(dataset: str) -> bool:
    """Whether a dataset's name is the identifier of an upload; says nothing about whether it was ever given."""
    return is_id(_UPLOAD, dataset)


def new_upload_id() -> str:
    """An identifier for a new upload."""
    return new_id(_UPLOAD)


def is_id(prefix: str, text: str) -> bool:
    """Whether `text` is shaped like an identifier of this prefix; says nothing about whether it was ever given."""
    head, separator, body = text.partition("_")
    return head == prefix and bool(separator) and _BODY.fullmatch(body) is not None
