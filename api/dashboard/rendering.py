"""Templates, what they may call, and the response a page is sent as."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api import reference
from api.dashboard import charts, figures
from api.dashboard.schema_fields import spelled
from api.dashboard.upload_words import as_fields
from api.health import VERSION
from core.nouns import worded
from core.report.section import written

HERE: Final = Path(__file__).parent

NAVIGATION: Final = (
    ("/", "Jobs"),
    ("/new", "New job"),
    ("/compare", "Compare"),
    ("/datasets", "Datasets"),
    ("/methods", "Methods"),
    ("/system", "System"),
    ("/docs", "API"),
)
"""Every page's way to the others, in order: path and name. A page below one of the paths belongs to it."""

POLICY: Final = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
"""The content security policy of pages: no inline script, no inline style, nothing of another host."""

_KEY: Final = '-H "Authorization: Bearer $STILLHOUSE_API_KEY" '
"""The words of a command with curl that show a key."""

static = StaticFiles(directory=HERE / "static")

_templates = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters.update(
    moment=figures.moment,
    age=figures.age,
    duration=figures.duration,
    size=figures.size,
    share=figures.share,
    count=figures.count,
    inline=reference.inline,
    prose=reference.prose,
    written=written,
    spelled=spelled,
    worded=worded,
    as_fields=as_fields,
)
_templates.globals.update(version=VERSION, navigation=NAVIGATION, short=charts.short)


def page(request: Request, template: str, status_code: int = 200, **content: Any) -> HTMLResponse:
    """The page of a template that extends `base.html`, in the common frame."""
    path = request.url.path
    current = next((to for to, _ in reversed(NAVIGATION) if path == to or (to != "/" and path.startswith(to))), None)
    if current is None:
        current = "/" if path.startswith("/jobs/") else "/datasets" if path == "/advice" else None
    key_shown = _KEY if request.app.state.services.settings.auth == "keys" else ""
    found = _templates.get_template(template)
    html = found.render(content, request=request, current=current, key_shown=key_shown)
    return HTMLResponse(html, status_code, {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"})
