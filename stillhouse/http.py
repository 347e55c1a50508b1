"""One service, spoken to over HTTP: addresses, the key, patience, and refusals turned into exceptions."""

from __future__ import annotations

import ipaddress
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, final
from urllib.parse import quote

import httpx

from stillhouse.errors import ClientError, OutOfTime, Problem, Unreachable, UsageError

_BUSY = (429, 503)


def path_to(route: str, *words: str) -> str:
    """The path of a route, with a word in the place of each `{}`: a segment of the path, whatever is written in it.

    Raises:
        UsageError: a word is empty.
    """
    if not all(words):
        raise UsageError("An id or a name is empty: say which one is meant.")
    # Between slashes one dot or two are a step within the path, even where they are a title.
    return route.format(*(quote(word, safe="") if word.strip(".") else "%2E" * len(word) for word in words))


def raise_if_not_finite(value: Any, field: str = "") -> None:
    """Refuse numbers that JSON has no words for, anywhere in a body.

    Raises:
        UsageError: one is NaN or infinite; the message names the field, as the service would.
    """
    match value:
        case float() if not math.isfinite(value):
            raise UsageError(f"{field}: {value} is no finite number. Use a finite number.")
        case Mapping():
            for name, each in value.items():
                raise_if_not_finite(each, f"{field}.{name}" if field else str(name))
        case list() | tuple():
            for place, each in enumerate(value):
                raise_if_not_finite(each, f"{field}.{place}")


@final
class Http:
    """An HTTP connection to one service.

    `patience` is how many seconds a call outlives a service that is away (restarting, or busy: 429 and 503 with
    `Retry-After`) before it raises. Only idempotent calls, and those carrying an `Idempotency-Key`, are repeated.
    `timeout` is how many seconds a service that listens may be silent, and `limit` how many all calls together may
    take, from now on; what is longer raises OutOfTime.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        *,
        patience: float = 0.0,
        timeout: float = 60.0,
        limit: float | None = None,
    ) -> None:
        given = url.rstrip("/")
        self.url = re.sub(r"(\A|://)[^/]*@", r"\1", given)
        """The address as it may be shown: without the name and password that a proxy may want."""
        self.patience = patience
        self.limit = limit
        self._deadline = math.inf if limit is None else time.monotonic() + limit
        self._timeout = timeout
        self._answered = False
        try:
            address = httpx.URL(given)
        except httpx.InvalidURL:
            address = httpx.URL("")
        if address.scheme not in ("http", "https") or not address.host:
            raise UsageError(f"'{self.url}' is no service address. Write it like http://127.0.0.1:8000")
        headers = {"Accept": "application/json", "User-Agent": "stillhouse-client"}
        if key := (api_key or "").strip():  # a secret that was read from a file ends with a line
            if not re.fullmatch("[!-~]+", key):
                raise UsageError(
                    "The API key has characters that no key has, such as a space or '…'. Copy it whole, as it was "
                    "shown when it was made, into STILLHOUSE_API_KEY."
                )
            headers["Authorization"] = f"Bearer {key}"
        # A proxy is for the world outside: asking it for this machine's loopback can only fail.
        self._http = httpx.Client(
            base_url=given,
            headers=headers,
            trust_env=not _is_loopback(address.host),
        )

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def json(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        content: Iterator[bytes] | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        has: Sequence[str] = (),
    ) -> Any:
        """The answer's JSON, an object with the fields `has` at least; None for DELETE, whose answer has no body.

        Raises:
            Problem: the service refused.
            Unreachable: nobody answered within `patience`, or something that is not this service.
            UsageError: the service is at another address, or the body holds a number that is not finite; the message
                names it.
        """
        raise_if_not_finite(body)
        known = {name: value for name, value in (params or {}).items() if value is not None}
        request = self._http.build_request(
            method, path, json=body, content=content, params=known, headers=dict(headers or {})
        )
        response = self._send(request, stream=False)
        if response.status_code >= 400:
            raise _problem(response)
        if method == "DELETE" and response.status_code == 204:
            return None
        try:
            answer = response.json()
        except ValueError as error:
            raise self._stranger() from error
        if method == "DELETE" or not isinstance(answer, dict) or not answer.keys() >= {*has}:
            raise self._stranger()
        return answer

    def pages(
        self, path: str, params: Mapping[str, Any] | None = None, *, most: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """The items of a list, the first `most` of them or all, page by page; raises as `json` does."""
        query = dict(params or {})
        while True:
            query["limit"] = 200 if most is None else max(1, min(most, 200))
            page = self.json("GET", path, params=query, has=("items",))
            items = page["items"] if most is None else page["items"][:most]
            yield from items
            most = None if most is None else most - len(items)
            if page.get("next") is None or most == 0:
                return
            query["after"] = page["next"]

    @contextmanager
    def stream(self, path: str, *, headers: Mapping[str, str] | None = None) -> Iterator[httpx.Response]:
        """An open answer to GET, its body still to be read; `httpx.TransportError` there is the reader's to judge."""
        response = self._send(self._http.build_request("GET", path, headers=dict(headers or {})), stream=True)
        try:
            if response.status_code >= 400:
                response.read()
                raise _problem(response)
            yield response
        finally:
            response.close()

    def left(self) -> float:
        """Seconds that are left of `limit`. Raises OutOfTime when none are."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise self._out_of_time()
        return left

    def _send(self, request: httpx.Request, *, stream: bool) -> httpx.Response:
        repeatable = request.method == "GET" or "Idempotency-Key" in request.headers
        deadline = min(time.monotonic() + (self.patience if repeatable else 0.0), self._deadline)
        pause: float = 0.1
        fault: httpx.TransportError | None = None
        while True:
            if fault is not None and time.monotonic() >= self._deadline:
                raise self.lost(fault) from fault
            silence = min(self._timeout, self.left())
            request.extensions["timeout"] = httpx.Timeout(silence, connect=min(silence, 5)).as_dict()
            try:
                response = self._http.send(request, stream=stream, follow_redirects=request.method == "GET")
            except httpx.TooManyRedirects as error:
                raise self._stranger() from error
            except httpx.TransportError as error:
                if self._answered and repeatable and fault is None and isinstance(error, httpx.RemoteProtocolError):
                    fault = error  # the connection was kept for long, and ended by the service just as it was used
                    continue
                left = deadline - time.monotonic()
                if left <= 0:
                    raise self.lost(error) from error
                pause, fault = min(pause, left), error
            else:
                self._answered = True
                if response.next_request is not None:
                    response.close()
                    raise self._elsewhere(request, response.next_request.url)
                if response.status_code not in _BUSY:
                    return response
                pause = max(pause, _retry_after(response))
                if time.monotonic() + pause > deadline:
                    return response
                response.close()
            time.sleep(pause)
            pause = min(2 * pause, 2.0)

    def lost(self, error: Exception) -> ClientError:
        """The exception for a service that does not answer (any more), saying what to do."""
        listens = self._answered or isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout)
        if listens and time.monotonic() >= self._deadline:
            return self._out_of_time()
        return Unreachable(
            f"No Stillhouse answers at {self.url} ({error or type(error).__name__}). "
            "Start one with 'stillhouse serve', or set STILLHOUSE_URL to where it runs."
        )

    def _stranger(self) -> Unreachable:
        return Unreachable(f"What answers at {self.url} is not Stillhouse. Is STILLHOUSE_URL right?")

    def _elsewhere(self, request: httpx.Request, target: httpx.URL) -> UsageError:
        """The exception for a call that changes something and is answered by a redirect.

        To follow it would turn a POST into a GET, or send it to somebody else, with what it holds.
        """
        route = request.url.path.removeprefix(self._http.base_url.path.rstrip("/"))
        there = f"{target.scheme}://{target.netloc.decode()}{target.path}"
        moved = there.endswith(route)
        fix = f"set STILLHOUSE_URL to {there.removesuffix(route)}" if moved else "is STILLHOUSE_URL right?"
        return UsageError(f"{self.url} redirects to {there}, and nothing was changed: {fix}")

    def _out_of_time(self) -> OutOfTime:
        return OutOfTime(
            f"The {self.limit:g} s that were given are over. The same command again goes on from here: "
            "an equal request is the same job, and what has arrived is kept."
        )


def _retry_after(response: httpx.Response) -> float:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdigit() else 0.0


def _problem(response: httpx.Response) -> Problem:
    try:
        document = response.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        document = {"title": f"HTTP {response.status_code}", "detail": response.text[:500]}
    return Problem(response.status_code, document)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
