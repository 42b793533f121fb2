"""The native dialect: what is here, health, search, and all that is known of one file."""

from __future__ import annotations

from fastapi import Depends

from armillary.api.http.dialect import Dialect, DialectRouter
from armillary.api.native import (
    about,
    almanac,
    announcements,
    bus,
    changes,
    changesets,
    edits,
    embargo,
    exports,
    exposed,
    files,
    findings,
    frames,
    grants,
    header_feed,
    header_services,
    headers,
    nightlog,
    nights,
    orders,
    pictures,
    pipe,
    samples,
    sites,
    status,
    tiles,
)
from armillary.api.native.routing import refuse_unknown_parameters

_router = DialectRouter()
_PARTS = (
    almanac,
    announcements,
    bus,
    changes,
    changesets,
    edits,
    embargo,
    exports,
    exposed,
    header_feed,
    header_services,
    files,
    findings,
    headers,
    frames,
    grants,
    nightlog,
    nights,
    orders,
    pictures,
    pipe,
    samples,
    sites,
    tiles,
)
for _part in _PARTS:
    _router.include_router(_part.router, dependencies=[Depends(refuse_unknown_parameters)])
_router.include_router(files.whole, dependencies=[Depends(refuse_unknown_parameters)])
# What monitors and balancers ask may bear any ornament.
for _part in (about, status):
    _router.include_router(_part.router)

DIALECT = Dialect(name="native", router=_router, prefixes=("/", "/v1", "/openapi.json"))
