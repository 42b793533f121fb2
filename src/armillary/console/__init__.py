"""The web console: pages for people, over the services that the interfaces for programs use.

A page is one template and one thin view function. All reading works without JavaScript.
"""

from __future__ import annotations

from armillary.api.http.dialect import Dialect, DialectRouter
from armillary.console import (
    assets,
    bulk,
    calendars,
    changesets,
    completion,
    frames,
    help,
    live,
    nights,
    orders,
    overview,
    parcels,
    sessions,
    status,
    thumbnails,
    tokens,
    work,
)
from armillary.console.failures import render_failure
from armillary.console.files import pages as files
from armillary.console.routing import READERS

_PARTS = (
    assets,
    bulk,
    calendars,
    changesets,
    completion,
    files,
    frames,
    help,
    live,
    nights,
    orders,
    overview,
    parcels,
    sessions,
    status,
    thumbnails,
    tokens,
    work,
)
_router = DialectRouter()
for _part in _PARTS:
    _router.include_router(_part.router, include_in_schema=False)

_paths = [route.path for part in _PARTS for route in part.router.routes]
PREFIXES = tuple(sorted({f"/{path.split('/')[1]}" for path in _paths} - {"/"}))
"""The first parts of the paths of pages; the overview is at `/`, which other interfaces have, too."""

DIALECT = Dialect(
    name="console", router=_router, prefixes=PREFIXES, render_error=render_failure, carriers=READERS
)
