"""``/jsonfilelist``, ``/jsonfilenames``, ``/jsonsummary`` and ``/jsonqastate``: what a selection finds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.api.gemini.elements import FILES, NAMES, STATES, SUMMARIES, Keys, elements
from armillary.api.gemini.selecting import FAILURES, anybody, lister_of, reports, selection_of
from armillary.api.gemini.sorting import OrderBy, sorted_by
from armillary.api.http.calls import Call, Ctx
from armillary.archive.query.models import Selection
from armillary.archive.query.service import Lister, Listing
from armillary.base.database import AnyRow
from armillary.context import Context

router = APIRouter()
PAGE = 5000
FEATURES = {"Armillary-Features": "header-export"}
Find = Callable[[Lister, AsyncConnection, Selection], Awaitable[Listing]]


@router.get("/jsonfilelist", dependencies=anybody, include_in_schema=False)
@router.get(
    "/jsonfilelist/{selection:path}", dependencies=anybody, response_class=Response, responses=FAILURES
)
async def file_list(request: Request, ctx: Ctx, orderby: OrderBy = None) -> Response:
    """List the versions of files that a selection finds, and whether work on them is unfinished."""
    selection = sorted_by(selection_of(request, ctx, "jsonfilelist"), orderby)
    return await _list(ctx, selection, Lister.files, FILES, headers=FEATURES)


@router.get("/jsonfilenames", dependencies=anybody, include_in_schema=False)
@router.get(
    "/jsonfilenames/{selection:path}", dependencies=anybody, response_class=Response, responses=FAILURES
)
async def file_names(request: Request, ctx: Ctx, orderby: OrderBy = None) -> Response:
    """List the logical names of the files that a selection finds, each once."""
    selection = sorted_by(selection_of(request, ctx, "jsonfilenames"), orderby)
    return await _list(ctx, selection, Lister.names, NAMES)


@router.get("/jsonsummary", dependencies=anybody, include_in_schema=False)
@router.get(
    "/jsonsummary/{selection:path}", dependencies=anybody, response_class=Response, responses=FAILURES
)
async def summary(request: Request, ctx: Ctx, orderby: OrderBy = None) -> Response:
    """List files with what is known of their frames; canonical ones unless the selection says otherwise."""
    selection = sorted_by(selection_of(request, ctx, "jsonsummary"), orderby).implying("canonical")
    return await _list(ctx, selection, Lister.frames, SUMMARIES, marked=True)


async def _list(
    call: Call,
    selection: Selection,
    find: Find,
    keys: Keys,
    *,
    marked: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Answer with a list; ``marked`` says whether its last element tells that rows were left out."""
    # A digest that is not there yet, read together with work that is no longer there, would look final.
    async with call.context.database.begin(snapshot=True) as connection:
        found = await find(lister_of(call), connection, selection)
    mark = marked and found.truncated
    body = await asyncio.to_thread(_written, found, keys, mark=mark)
    sent = {**reports(selection, truncated=found.truncated), **(headers or {})}
    return Response(body, headers=sent, media_type="application/json")


def _written(found: Listing, keys: Keys, *, mark: bool) -> bytes:
    written = elements(found, keys)
    if mark and written:
        written[-1] = written[-1][:-1] + ', "results_truncated": true}'
    return f"[{', '.join(written)}]".encode()


@router.get("/jsonqastate", dependencies=anybody, include_in_schema=False)
@router.get(
    "/jsonqastate/{selection:path}", dependencies=anybody, response_class=Response, responses=FAILURES
)
async def quality_states(request: Request, ctx: Ctx, orderby: OrderBy = None) -> Response:
    """List label, digest and quality of all files that a selection finds, however many they are."""
    selection = sorted_by(selection_of(request, ctx, "jsonqastate"), orderby).implying("canonical")
    pages = (_sorted_pages if selection.order else _pages)(ctx.context, lister_of(ctx), selection)
    first = await anext(pages)
    return StreamingResponse(
        _joined(first, pages), headers=reports(selection, truncated=False), media_type="application/json"
    )


async def _pages(context: Context, lister: Lister, selection: Selection) -> AsyncIterator[Listing]:
    """Yield all rows page by page, at least one page; each is a short transaction of its own."""
    after, more = (0, 0), True
    while more:
        async with context.database.begin() as connection:
            rows = await lister.states(connection, selection, after=after, count=PAGE)
        yield _page(rows)
        more = len(rows) == PAGE
        if more:
            after = (rows[-1].file_id, rows[-1].id)


async def _sorted_pages(context: Context, lister: Lister, selection: Selection) -> AsyncIterator[Listing]:
    """Yield the same in another order, which is that of the beginning, whatever changes on the way."""
    async with context.database.begin() as connection:
        ids = await lister.sorted_ids(connection, selection)
    for start in range(0, max(len(ids), 1), PAGE):
        async with context.database.begin() as connection:
            rows = await lister.states_of(connection, ids[start : start + PAGE])
        yield _page(rows)


def _page(rows: Sequence[AnyRow]) -> Listing:
    # The observing database gives a whole list up for one digest that is null.
    return Listing(rows[0]._fields if rows else (), [row for row in rows if row.data_md5], truncated=False)


async def _joined(first: Listing, rest: AsyncIterator[Listing]) -> AsyncIterator[str]:
    """Yield the pages as the text of one JSON list."""
    yield "[" + await asyncio.to_thread(_inner, first)
    begun = bool(first.rows)
    async for page in rest:
        if page.rows:
            yield ", " * begun + await asyncio.to_thread(_inner, page)
            begun = True
    yield "]"


def _inner(page: Listing) -> str:
    return ", ".join(elements(page, STATES))
