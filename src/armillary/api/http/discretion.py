"""Texts of errors without the directories of the server, for all who do not run it.

What a worker or an operator writes down names files by their whole path, as is right for a log and for
`armillary status`. Others know files by root and path below it; where the roots are is nobody's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from starlette.requests import HTTPConnection

from armillary.access.models import ANYBODY, Principal, Scope
from armillary.api.http.calls import Call
from armillary.archive.catalog import service as catalog
from armillary.context import Context

HIDDEN = "..."
DATA = "DIR"
"""What the documentation calls the data directory."""
_ROUTES = "v1|update_headers|upload_file|file|download|fullheader|json[a-z]+"
# Of two components at least, quoted or up to the next blank; neither an address of ours nor one of another server.
_ABSOLUTE = re.compile(
    rf"""(?P<quote>['"])/(?!(?:{_ROUTES})/)[^'"/]+/[^'"]*(?P=quote)"""
    rf"""|(?<![\w.:~/%-])/(?!(?:{_ROUTES})/)[^\s'"/,;:()<>]+/[^\s'",;()<>]*[^\s'",;:.()<>]"""
)

Directories = Mapping[str, str]
"""Names of directories by their paths."""


def discreet(text: str, directories: Directories) -> str:
    """Return a text in which known directories have their names, and other paths of the server are gone."""
    for path in sorted(directories, key=len, reverse=True):
        text = re.sub(rf"{re.escape(path)}(?![\w.-])", directories[path], text)
    return _ABSOLUTE.sub(lambda found: f"{found['quote'] or ''}{HIDDEN}{found['quote'] or ''}", text)


def is_telling(value: Any) -> bool:
    """Tell whether a value may name a directory of the server."""
    return isinstance(value, str) and "/" in value


def said_to(connection: HTTPConnection, text: str) -> str:
    """Return the text of a failure as whoever sent the request may read it; the database is not asked."""
    if not is_telling(text) or _runs_it(_principal_of(connection)):
        return text
    app = connection.scope.get("app")
    context: Context | None = app and getattr(app.state, "context", None)
    return discreet(text, _directories(context, {}) if context else {})


async def without_paths(call: Call, rows: Iterable[dict[str, Any]], *keys: str) -> None:
    """Replace the directories of the server in values of rows, unless an administrator asks."""
    if _runs_it(call.principal):
        return
    told = [(row, key) for row in rows for key in keys if _any_telling(row.get(key))]
    if not told:
        return
    known = await directories_of(call.context)
    for row, key in told:
        row[key] = _hidden_in(row[key], known)


async def directories_of(context: Context) -> Directories:
    """Return the names of the directories of an archive."""
    async with context.database.begin() as connection:
        roots = await catalog.list_roots(connection)
    return _directories(context, {root.name: root.path for root in roots if root.path})


def _directories(context: Context, roots: Mapping[str, Path]) -> Directories:
    data = context.settings.data
    known = {str(path): DATA for path in (data, data.absolute(), data.resolve()) if path.is_absolute()}
    return known | {str(path): name for name, path in roots.items()}


def _any_telling(value: Any) -> bool:
    match value:
        case dict():
            return any(map(_any_telling, value.values()))
        case list():
            return any(map(_any_telling, value))
    return is_telling(value)


def _hidden_in(value: Any, known: Directories) -> Any:
    match value:
        case dict():
            return {key: _hidden_in(one, known) for key, one in value.items()}
        case list():
            return [_hidden_in(one, known) for one in value]
        case str():
            return discreet(value, known)
    return value


def _principal_of(connection: HTTPConnection) -> Principal:
    principal: Principal = getattr(connection.state, "principal", ANYBODY)
    return principal


def _runs_it(principal: Principal) -> bool:
    return principal.may(Scope.ADMIN)
