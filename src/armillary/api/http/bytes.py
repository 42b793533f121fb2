"""The bytes of one stored file as an answer: ranges, entity tags, digests, and one version per stream."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.api.http.calls import Call
from armillary.api.http.conditional import Unsatisfiable, byte_range, digest_header, http_date, not_modified
from armillary.archive.catalog import service as catalog
from armillary.archive.download.service import (
    Download,
    Served,
    note_if_granted,
    open_download,
    stream,
    version_to_serve,
)
from armillary.archive.errors import BeingChanged
from armillary.base.log import get_record
from armillary.context import Context

log = get_record(__name__)
TRIES, PAUSE_S = 40, 0.05


async def serve_bytes(request: Request, call: Call, name: str) -> Response:
    """Send a file by name or path: bzip2 if the name ends so, else uncompressed; with ranges and digests.

    Raises
    ------
    FileNotFound, FileAmbiguous, FileEmbargoed
        If there is no such file, or several, or it is not for the caller.
    BeingChanged
        If an edit has put bytes in place whose record still does not come.
    """
    name = name.strip("/")

    async def find(connection: AsyncConnection) -> Served:
        return await version_to_serve(connection, name, call.principal, now=call.context.clock.now())

    return await serve_found(request, call, name, find)


Find = Callable[[AsyncConnection], Awaitable[Served]]
"""Looks for the version that is to be sent; asked again while an edit is under way."""


async def serve_found(request: Request, call: Call, filename: str, find: Find) -> Response:
    """Send the bytes of a version, in the form that the name asked for means.

    Raises
    ------
    BeingChanged
        If an edit has put bytes in place whose record still does not come.
    """
    download, served = await _open(call.context, filename, find)
    try:
        return await _respond(request, call, download, served)
    except BaseException:
        download.snapshot.close()
        raise


async def _open(context: Context, filename: str, find: Find) -> tuple[Download, Served]:
    for attempt in range(TRIES):
        async with context.database.begin() as connection:
            served = await find(connection)
        try:
            store = catalog.store_of(context, served.root)
            most = context.settings.archive.max_unpacked
            return await open_download(store, served, filename, max_unpacked=most), served
        except BeingChanged:
            # An edit puts the bytes first and the record a moment later.
            if attempt == TRIES - 1:
                raise
            await asyncio.sleep(PAUSE_S)
    raise AssertionError("unreachable")


async def _respond(request: Request, call: Call, download: Download, served: Served) -> Response:
    headers = _headers(download, served)
    modified = download.version.lastmod
    if not_modified(
        download.etag,
        modified,
        if_none_match=request.headers.get("if-none-match"),
        if_modified_since=request.headers.get("if-modified-since"),
    ):
        download.snapshot.close()
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    start, stop, code = 0, download.size, HTTPStatus.OK
    if download.size is not None:
        headers["Accept-Ranges"] = "bytes"
        try:
            wanted = byte_range(
                request.headers.get("range"),
                download.size,
                etag=download.etag,
                modified=modified,
                if_range=request.headers.get("if-range"),
            )
        except Unsatisfiable:
            download.snapshot.close()
            unsatisfied = {**headers, "Content-Range": f"bytes */{download.size}"}
            return Response(status_code=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=unsatisfied)
        if wanted is not None:
            (start, stop), code = wanted, HTTPStatus.PARTIAL_CONTENT
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{download.size}"
        headers["Content-Length"] = str((stop or 0) - start)
    if request.method == "HEAD":
        download.snapshot.close()
        # A plain response would claim no bytes where their number is not known in advance.
        return StreamingResponse(iter(()), code, headers, download.media_type)
    await note_if_granted(call.context, served, call.principal, start=start, stop=stop)
    log.info(
        "file handed out",
        file=download.version.name,
        reason=str(served.reason),
        version=download.version.id,
        viewer=call.principal.name,
    )
    return StreamingResponse(stream(download, start, stop), code, headers, download.media_type)


def _headers(download: Download, served: Served) -> dict[str, str]:
    headers = {
        "ETag": download.etag,
        "Last-Modified": http_date(download.version.lastmod),
        "Content-Disposition": _disposition(download.filename),
        "Armillary-Version": str(download.version.id),
        "Armillary-Reason": served.reason,
    }
    if digest := digest_header(download.md5, download.sha256):
        headers["Repr-Digest"] = digest
    return headers


def _disposition(filename: str) -> str:
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "_" for c in filename)
    return f'attachment; filename="{plain}"'
