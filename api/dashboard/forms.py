"""The forms that a browser posts, and the page it is sent to afterwards."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

from fastapi import Depends, Request
from fastapi.responses import RedirectResponse

from api.problems import Kind, ProblemError

_KIND = "application/x-www-form-urlencoded"


async def _posted(request: Request) -> dict[str, str]:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _KIND:
        raise ProblemError(Kind.UNSUPPORTED_MEDIA_TYPE, "This page takes a form.", hint=f"Send `{_KIND}`.")
    try:
        text = (await request.body()).decode("utf-8")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=1000))
    except ValueError:
        raise ProblemError(Kind.MALFORMED_BODY, "The form cannot be read as UTF-8.", hint="Send it again.") from None


Posted = Annotated[dict[str, str], Depends(_posted)]
"""Parameter of an operation: the fields of the form that was posted; of a name that is there twice the last one."""


def back(request: Request, otherwise: str) -> RedirectResponse:
    """To the page of ours that the form was on, else to `otherwise`."""
    came = urlsplit(request.headers.get("referer", ""))
    ours = came.path and came.netloc == request.headers.get("host")
    target = (came.path + (f"?{came.query}" if came.query else "")) if ours else otherwise
    return RedirectResponse(target, 303)
