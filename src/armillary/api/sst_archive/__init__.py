"""The wire interface of the SST archive: its program that submits files works unchanged, and so do its readers."""

from __future__ import annotations

from armillary.api.http.dialect import Dialect, DialectRouter
from armillary.api.http.paths import one_slash
from armillary.api.sst_archive import contents, data_cubes, ingestion, orders
from armillary.api.sst_archive.errors import render

__all__ = ["DIALECT", "NAME"]

NAME = "sst_archive"
_router = DialectRouter(tags=[NAME])
for _part in (ingestion, orders, data_cubes, contents):
    _router.include_router(_part.router)


def _normalise(path: str) -> str:
    """Return a path as the routes know it: its paths end in a slash, or do not, as the client likes."""
    return one_slash(path).rstrip("/")


DIALECT = Dialect(
    name=NAME,
    router=_router,
    prefixes=("/api/v1/ingest", "/api/v1/data_cube"),
    render_error=render,
    normalise=_normalise,
)
