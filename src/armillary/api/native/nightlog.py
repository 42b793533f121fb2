"""The night log of a site: what was written when and by whom, to which entries are only added."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import date, datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from armillary.access.models import Scope
from armillary.api.http.answers import answered, answers, sends
from armillary.api.http.body import documented, parsed
from armillary.api.http.calls import Ctx
from armillary.api.native.routing import (
    REFUSALS,
    WRITE_REFUSALS,
    Word,
    failures,
    of_site,
    storable_words,
)
from armillary.archive.query.service import as_utc
from armillary.context import Context
from armillary.errors import BadRequest, RequestTooLarge
from armillary.sites import service
from armillary.sites.documents import LogEntry, LogPage
from armillary.sites.errors import BadLogCursor, BadNote, BadSiteName, UnknownLogEntry
from armillary.sites.models import LogQuery, check_site

router = APIRouter()
Site = Annotated[str, Path(max_length=200, description="Name of a site.")]
MOST = 1000
_LINES, _TEXT = "application/x-ndjson", "text/plain; charset=utf-8"
_ENTRY = {
    "id": 7,
    "site": "mrc",
    "night": "2026-01-01",
    "created_at": "2026-01-02T05:00:00Z",
    "author": "ann",
    "verified": True,
    "text": "Clouds from the west; dome closed.",
    "corrects": None,
}
_FAILURES = failures(BadSiteName, BadRequest, BadLogCursor, *REFUSALS)


class Format(StrEnum):
    """How a log is exported."""

    JSONL = "jsonl"
    """A line of JSON for each entry."""
    TEXT = "text"


class NewEntry(BaseModel):
    """What is to be written into a night log, and which entry it corrects, if any."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(min_length=1, max_length=262_144)]
    corrects: Annotated[int, Field(ge=1, le=(1 << 63) - 1)] | None = None


async def query_of(
    night: Annotated[date | None, Query(description="Night, by the date of its evening.")] = None,
    since: Annotated[datetime | None, Query(alias="from", description="UTC unless it says.")] = None,
    until: Annotated[datetime | None, Query(alias="to", description="The same; not included.")] = None,
    q: Word = None,
) -> LogQuery:
    """Return which entries a request is about.

    Raises
    ------
    BadRequest
        If an instant or a text is none that anything is stored with.
    """
    storable_words(q)
    return LogQuery(night, as_utc(since), as_utc(until), q)


Asked = Annotated[LogQuery, Depends(query_of)]


@router.get(
    "/v1/nightlog/{site}",
    dependencies=of_site(Scope.READ),
    responses=answers(LogPage, {"entries": [_ENTRY], "cursor": None}) | _FAILURES,
)
async def search(
    ctx: Ctx,
    site: Site,
    query: Asked,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
    cursor: Word = None,
) -> JSONResponse:
    """Find entries of the night log of a site, the latest first; `q` is a text in them or in names of authors."""
    async with ctx.context.database.begin() as connection:
        found = await service.search_log(connection, site, query, limit=limit, cursor=cursor)
    return answered(found)


@router.get(
    "/v1/nightlog/{site}/export",
    dependencies=of_site(Scope.READ),
    responses=sends(_LINES, "text/plain") | _FAILURES,
)
async def export(ctx: Ctx, site: Site, query: Asked, format: Format = Format.JSONL) -> StreamingResponse:
    """Return all entries of the night log of a site that fit, the oldest first: lines of JSON, or text to read."""
    lines = _lines(ctx.context, check_site(site), query, format)
    return StreamingResponse(lines, media_type=_LINES if format is Format.JSONL else _TEXT)


async def _lines(context: Context, site: str, query: LogQuery, form: Format) -> AsyncIterator[str]:
    written = service.as_json_line if form is Format.JSONL else service.as_text
    async with aclosing(service.export_log(context, site, query)) as entries:
        async for entry in entries:
            yield f"{written(entry)}\n"


@router.post(
    "/v1/nightlog/{site}",
    dependencies=of_site(Scope.NOTE),
    openapi_extra=documented(NewEntry),
    responses=answers(LogEntry, _ENTRY, status=201)
    | failures(BadSiteName, BadNote, UnknownLogEntry, RequestTooLarge, *WRITE_REFUSALS),
    status_code=HTTPStatus.CREATED,
)
async def add(ctx: Ctx, site: Site, body: Annotated[NewEntry, Depends(parsed(NewEntry))]) -> JSONResponse:
    """Add an entry to the night log of a site; one that corrects another one leaves that as it is."""
    entry = await service.add_entry(
        ctx.context, site, body.text, author=ctx.principal.name, corrects=body.corrects
    )
    return answered(entry, HTTPStatus.CREATED)
