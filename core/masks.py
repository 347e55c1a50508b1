"""Secrets hidden from whatever is printed, logged or kept: by their shape, and those that are known by their value."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final
from urllib.parse import unquote

HIDDEN: Final = "***"

_NAMES: Final = r"(?:password|passwd|secret|token|access_key|secret_key|api_key)"
_SHAPES: Final = (
    re.compile(r"(://[^\s/:@\"'<>\\]*:)[^\s\"'<>\\]+(?=@)"),  # a URL's password, up to the last @ of the word
    re.compile(r"(\bstill_[0-9A-Za-z]{8})[0-9A-Za-z]+"),  # a key of ours; its beginning is shown in lists, too
    re.compile(r"(\bwhsec_)[0-9A-Za-z+/=_-]+"),  # a webhook's
    re.compile(r"(stillhouse_session\W{1,4})[\w-]{16,}"),
    re.compile(r"(\bBearer\s+)[\w.~+/-]{16,}=*", re.IGNORECASE),
    re.compile(rf"({_NAMES}(?:\\?[\"'])?\s*[=:]\s*(?:\\?[\"'])?)[^\s&;,\"'\\]+", re.IGNORECASE),
)
_USER: Final = re.compile(r"://([^\s/:@]*):(\S+)@")
_PARAMETER: Final = re.compile(rf"[?&](?:key|{_NAMES})=([^&\s]+)", re.IGNORECASE)
_VARIABLE: Final = re.compile(r"(?:PASSWORD|PASSPHRASE|SECRET|TOKEN|KEY)\Z")
_SHORTEST: Final = 8
"""Characters a value has at least that is hidden wherever it stands: a shorter one would hide parts of plain words."""


def masked(text: str, values: Collection[str] = ()) -> str:
    """The text without passwords in URLs, API keys, session cookies, and the `values` that `secrets_of` found."""
    for value in values:
        text = text.replace(value, HIDDEN)
    for shape in _SHAPES:
        text = shape.sub(rf"\g<1>{HIDDEN}", text)
    return text


def secrets_of(urls: Iterable[str | None], environment: Mapping[str, str]) -> tuple[str, ...]:
    """The secrets that a process holds, in every spelling they may be written in, longest first.

    Args:
        urls: addresses that may have a password in them.
        environment: the variables whose names say that they hold one, such as `AWS_SECRET_ACCESS_KEY`, count as well.
    """
    found = {value for name, value in environment.items() if _VARIABLE.search(name)}
    for url in filter(None, urls):
        if (user := _USER.search(url)) and user[1] != user[2]:  # one that is the user's name keeps nothing secret
            found.add(user[2])
        found.update(_PARAMETER.findall(url))
    spelt = {spelling for value in found for plain in (value, unquote(value)) for spelling in _spellings(plain)}
    return tuple(sorted((value for value in spelt if len(value) >= _SHORTEST), key=len, reverse=True))


def _spellings(value: str) -> tuple[str, ...]:
    return value, json.dumps(value)[1:-1], repr(value)[1:-1]
