"""Webhooks by the Standard Webhooks specification 1.0: secrets, signatures, and the addresses that may be told.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final
from urllib.parse import SplitResult, urlsplit

PREFIX: Final = "whsec_"
LONGEST_URL: Final = 2_000

Network = IPv4Network | IPv6Network

_SECRET_BYTES: Final = 32
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")
"""IPv6 addresses that a gateway makes IPv4 ones of (RFC 6052)."""
_COMPATIBLE: Final = IPv6Network("::/96")


def new_secret() -> str:
    """A secret of 256 random bits, as receivers' libraries take it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signature(keys: Iterable[str], message_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: one for each secret, so that a receiver may know the old one or the new.

    Args:
        keys: secrets as `new_secret` makes them.
        message_id: the header `webhook-id`.
        timestamp: the header `webhook-timestamp`, in seconds since 1970.
        body: as it is sent, byte by byte.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    digests = (hmac.digest(base64.b64decode(key.removeprefix(PREFIX)), signed, hashlib.sha256) for key in keys)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def networks(text: str) -> tuple[Network, ...]:
    """The networks of a list with commas. Raises ValueError, of one that is none."""
    return tuple(ipaddress.ip_network(word.strip(), strict=False) for word in text.split(",") if word.strip())


def may_be_told(address: str, allowed: Sequence[Network]) -> bool:
    """Whether a webhook may be sent to this IP address: a public one, or one of the allowed networks."""
    found = ipaddress.ip_address(address.partition("%")[0])
    return is_among(found, allowed) or is_public(found)


def is_among(address: IPv4Address | IPv6Address, allowed: Sequence[Network]) -> bool:
    """Whether it is an address of one of the networks, IPv4 in the clothes of IPv6 included."""
    plain = _plain(address)
    return any(plain in network for network in allowed)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether anybody on the internet could have it: not private, loopback, link-local, shared, multicast, reserved."""
    plain = _plain(address)
    return plain.is_global and not plain.is_multicast and not plain.is_reserved


def check_url(url: str, allowed: Sequence[Network]) -> SplitResult:
    """The parts of an address that may be a target as far as its text tells; a name is looked up at each delivery.

    Raises:
        ValueError: it may not; the message says what to do.
    """
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url or len(url) > LONGEST_URL:
        raise ValueError(f"An address is at most {LONGEST_URL} printable ASCII characters: encode others as %XX.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("It is no address: write https://HOST/PATH.") from None
    if parts.scheme not in ("https", "http") or not parts.hostname or port == 0:
        raise ValueError("It is no address of the web: write https://HOST/PATH.")
    if "@" in parts.netloc or parts.fragment:
        raise ValueError("It holds a user, a password or a fragment: leave them out; deliveries are signed.")
    if parts.scheme == "http" and not allowed:
        raise ValueError("It is http://, which anybody on the way reads and changes: use https://.")
    name = parts.hostname.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        name = "127.0.0.1"
    if _is_address(name):
        check_address(parts.scheme, name, allowed)
    return parts


def _is_address(name: str) -> bool:
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False


def check_address(scheme: str, address: str, allowed: Sequence[Network]) -> None:
    """Refuse an IP address that a webhook of this scheme may not be sent to. Raises ValueError, with what to do."""
    if not may_be_told(address, allowed):
        raise ValueError(
            "It leads into a private network or to this machine: use a public address, or have the operator name the "
            "network in STILLHOUSE_WEBHOOK_NETWORKS."
        )
    if scheme == "http" and not is_among(ipaddress.ip_address(address.partition("%")[0]), allowed):
        raise ValueError("It is http://, which anybody on the way reads and changes: use https://.")


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The address that packets end at: that of IPv4 inside one of IPv6, where there is one."""
    if isinstance(address, IPv4Address):
        return address
    if address.teredo:
        return address.teredo[1]
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and (address in _TRANSLATED or (address in _COMPATIBLE and int(address) > 0xFFFF)):
        inner = IPv4Address(int(address) & 0xFFFF_FFFF)
    return inner or address
