"""What a search finds as one answer: the files themselves as tar or zip, or a table of the frames."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from enum import StrEnum

from fastapi import Response
from fastapi.responses import StreamingResponse

from armillary.api.http.calls import Call
from armillary.api.http.zips import MEDIA_TYPE as ZIP
from armillary.archive.download.service import Parcel, Zip, bundle, comma, parcel_of, votable, walk
from armillary.archive.errors import TooManyFiles
from armillary.archive.query.models import Term
from armillary.archive.query.service import Page
from armillary.errors import NotFound

TAR = "application/x-tar"


class Form(StrEnum):
    """How what is found is sent."""

    CSV = "csv"
    VOTABLE = "votable"
    TAR = "tar"
    ZIP = "zip"


MEDIA_TYPES = {Form.CSV: comma.MEDIA_TYPE, Form.VOTABLE: votable.MEDIA_TYPE, Form.TAR: TAR, Form.ZIP: ZIP}
_SUFFIXES = {Form.CSV: "csv", Form.VOTABLE: "vot", Form.TAR: "tar", Form.ZIP: "zip"}


async def parcel(call: Call, terms: Sequence[Term]) -> Parcel:
    """Return the files that one download of what is found would hold."""
    most = call.context.settings.archive.max_bundle
    async with call.context.database.begin() as connection:
        return await parcel_of(connection, terms, call.principal, today=call.today, most=most)


async def serve_files(call: Call, terms: Sequence[Term], form: Form, *, asked: str) -> Response:
    """Send the files of what is found as tar or zip; what is withheld is listed in it.

    Raises
    ------
    TooManyFiles, NotFound
        If there are more than one download may hold, or none.
    """
    found = await parcel(call, terms)
    if found.overflows:
        most = call.context.settings.archive.max_bundle
        raise TooManyFiles(
            f"More than {most} files were found, which is the most of one download; ask for fewer."
        )
    if not found.files and not found.withheld:
        raise NotFound("No file fits that is here; nothing to download.")
    if form is Form.ZIP:
        made = Zip.of(found, asked=asked, now=call.context.clock.now())
        chunks = made.chunks(call.context, call.principal)
        return _sent(call, chunks, form, {"Content-Length": str(made.size)})
    members = [*(one.member for one in found.files), *found.withheld]
    return _sent(call, bundle(call.context, members, call.principal, asked=asked), form)


async def serve_table(
    call: Call, terms: Sequence[Term], form: Form, *, cursor: str | None = None, most: int | None = None
) -> Response:
    """Send a table of the frames that are found, newest first.

    Raises
    ------
    BadCursor
        If the cursor is none; that is found out before the answer begins.
    """
    pages = walk(call.context.database, terms, call.principal, today=call.today, cursor=cursor, most=most)
    first = await anext(pages)
    return _sent(call, _TABLES[form](first, pages), form)


async def _csv(first: Page, pages: AsyncGenerator[Page, None]) -> AsyncGenerator[bytes, None]:
    yield comma.head().encode()
    async for page in _all(first, pages):
        yield comma.lines(page.frames).encode()


async def _votable(first: Page, pages: AsyncGenerator[Page, None]) -> AsyncGenerator[bytes, None]:
    yield votable.head().encode()
    async for page in _all(first, pages):
        yield votable.rows(page.frames).encode()
        last = page
    yield votable.tail(complete=last.cursor is None).encode()


_TABLES: Mapping[Form, Callable[[Page, AsyncGenerator[Page, None]], AsyncGenerator[bytes, None]]] = {
    Form.CSV: _csv,
    Form.VOTABLE: _votable,
}


async def _all(first: Page, pages: AsyncGenerator[Page, None]) -> AsyncGenerator[Page, None]:
    async with aclosing(pages):
        yield first
        async for page in pages:
            yield page


def _sent(
    call: Call,
    chunks: AsyncGenerator[bytes, None],
    form: Form,
    headers: Mapping[str, str] | None = None,
) -> Response:
    name = f"armillary-{call.context.clock.now():%Y%m%d-%H%M%S}.{_SUFFIXES[form]}"
    told = {"Content-Disposition": f'attachment; filename="{name}"', **(headers or {})}
    return StreamingResponse(chunks, headers=told, media_type=MEDIA_TYPES[form])
