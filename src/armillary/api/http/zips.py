"""A zip of stored versions as an answer: its length is known, ranges are understood, memory is bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from http import HTTPStatus

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from armillary.api.http.calls import Call
from armillary.api.http.conditional import Unsatisfiable, byte_range
from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Root, Version
from armillary.archive.download.service import Member, ZipLayout, stored_chunks
from armillary.context import Context
from armillary.errors import NotFound

MEDIA_TYPE = "application/zip"
_NEVER = datetime.min.replace(tzinfo=UTC)
"""No date of a zip is given out, so none can be shown."""


async def serve_zip(
    request: Request, call: Call, filename: str, members: Sequence[Member], versions: Sequence[Version | None]
) -> Response:
    """Send a zip of members, each with the version that its bytes are of, None for those made for the zip.

    A file that is gone, or another one by now, breaks the connection: its length is promised.
    """
    layout = ZipLayout(members)
    headers = {
        "ETag": layout.etag,
        "Accept-Ranges": "bytes",
        "Content-Disposition": f'attachment; filename="{filename}"',
    }
    start, stop, status = 0, layout.size, HTTPStatus.OK
    try:
        asked, if_range = request.headers.get("range"), request.headers.get("if-range")
        wanted = byte_range(asked, layout.size, etag=layout.etag, modified=_NEVER, if_range=if_range)
    except Unsatisfiable:
        unsatisfied = {**headers, "Content-Range": f"bytes */{layout.size}"}
        return Response(status_code=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=unsatisfied)
    if wanted is not None:
        (start, stop), status = wanted, HTTPStatus.PARTIAL_CONTENT
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{layout.size}"
    headers["Content-Length"] = str(stop - start)
    if request.method == "HEAD":
        return StreamingResponse(iter(()), status, headers, MEDIA_TYPE)
    async with call.context.database.begin() as connection:
        roots = {root.id: root for root in await catalog.list_roots(connection)}
    read = StoredMembers(call.context, versions, roots)
    return StreamingResponse(_sent(layout.chunks(start, stop, read)), status, headers, MEDIA_TYPE)


async def _sent(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        yield chunk


class StoredMembers:
    """Reads the bytes of members from storage, for a thread."""

    def __init__(self, context: Context, versions: Sequence[Version | None], roots: dict[int, Root]) -> None:
        self._context, self._versions, self._roots = context, versions, roots

    def __call__(self, number: int, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes of a member from one offset up to another."""
        version = self._versions[number]
        if version is None:
            raise NotFound("A file of the zip is gone.")
        root = self._roots[version.location.root_id]
        store = catalog.store_of(self._context, root)
        with store.open(version.location.key) as snapshot:
            yield from stored_chunks(version, snapshot, start, stop)
