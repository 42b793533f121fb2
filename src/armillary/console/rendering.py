"""Pages from templates: one environment shows every text of the archive as text; and what all pages say."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import HTTPConnection

from armillary import __version__
from armillary.access.models import ANYBODY, Principal, Scope
from armillary.console.assets import address_of
from armillary.console.words import FILTERS, finalize

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""What a page may load: nothing that is written into it, and nothing of another host."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-cache, private",
    "Vary": "Accept, HX-Request",
}
PLACES = (
    ("/", "Overview"),
    ("/frames", "Search"),
    ("/nights", "Nights"),
    ("/work", "Work"),
    ("/status", "Status"),
    ("/docs", "Help"),
)


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("armillary.console"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= FILTERS
    made.globals |= {"asset": address_of, "Scope": Scope, "version": __version__}
    # Blocks that are rendered alone know nothing that the page around them imported.
    made.globals["parts"] = made.get_template("parts.html").module
    return made


ENVIRONMENT = _environment()


def asked_by(connection: HTTPConnection) -> Principal:
    """Return who asks, as far as that was found out before something failed."""
    found: Principal = connection.scope.get("state", {}).get("principal", ANYBODY)
    return found


def is_part(connection: HTTPConnection) -> bool:
    """Tell whether a script of the page asks for a part of it, and not the browser for the whole."""
    asked = connection.headers
    return "hx-request" in asked and "hx-boosted" not in asked and "hx-history-restore-request" not in asked


def page(
    connection: HTTPConnection,
    template: str,
    values: Mapping[str, Any],
    *,
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """Return a page."""
    text = ENVIRONMENT.get_template(template).render({**_shell(connection), **values})
    return HTMLResponse(text, int(status), {**HEADERS, **(headers or {})})


def part(
    connection: HTTPConnection,
    template: str,
    block: str,
    values: Mapping[str, Any],
    *,
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """Return one block of a page, which a script puts in its place."""
    found = ENVIRONMENT.get_template(template)
    context = found.new_context({**_shell(connection), **values})
    return HTMLResponse("".join(found.blocks[block](context)), int(status), {**HEADERS, **(headers or {})})


def page_or_part(
    connection: HTTPConnection, template: str, block: str, values: Mapping[str, Any]
) -> HTMLResponse:
    """Return a page, or the block of it that changes if a script asks."""
    if is_part(connection):
        return part(connection, template, block, values)
    return page(connection, template, values)


def _shell(connection: HTTPConnection) -> dict[str, Any]:
    """Return what the frame of every page needs."""
    url = connection.url
    here = url.path + (f"?{url.query}" if url.query else "")
    return {"me": asked_by(connection), "here": here, "place": url.path, "places": PLACES}
