"""``/fullheader``: every card of every HDU of a file, as text."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from armillary.api.gemini.selecting import anybody
from armillary.api.gemini.tags import tags_of
from armillary.api.http.calls import Call, Ctx
from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Version
from armillary.archive.errors import FileNotFound
from armillary.archive.query import service as query
from armillary.fits.models import CARD

router = APIRouter()
END = b"END".ljust(CARD)
MAX_ID = (1 << 63) - 1
_RESPONSES: dict[int | str, dict[str, Any]] = {
    code: {"description": HTTPStatus(code).phrase} for code in (200, 400, 403, 404, 503)
}


@router.get(
    "/fullheader/{name:path}", dependencies=anybody, response_class=PlainTextResponse, responses=_RESPONSES
)
async def full_header(ctx: Ctx, name: str) -> Response:
    """Show name, tags and all cards of a file, given by name, or by the number of one of its versions."""
    async with ctx.context.database.begin() as connection:
        try:
            version = await _find(connection, name.strip("/"), ctx)
        except FileNotFound:
            version = None
        frame = await catalog.frame_of_file(connection, version.file_id) if version else None
    # What has no frame was taken out: its history is for those who may see everything.
    if version is None or (frame is None and not query.sees_everything(ctx.principal)):
        return PlainTextResponse(f"No file or version '{name}' is in the archive.\n", HTTPStatus.NOT_FOUND)
    if not _may_read(frame, ctx):
        return PlainTextResponse(
            f"The header of '{version.name}' tells a position that is not public yet; "
            "show a token that may read it.\n",
            HTTPStatus.FORBIDDEN,
        )
    return PlainTextResponse("".join(_lines(version, frame or {})))


async def _find(connection: Any, name: str, call: Call) -> Version | None:
    unknown = query.unknown_to(call.principal, call.today)
    if name.isascii() and name.isdecimal():
        number = int(name) if len(name) < 20 else MAX_ID + 1
        found = (await catalog.versions_by_id(connection, [number])).get(number) if number <= MAX_ID else None
        return None if found is None or await unknown(connection, [found.file_id]) else found
    return await catalog.find_version(connection, name, unknown)


def _may_read(frame: dict[str, Any] | None, call: Call) -> bool:
    return frame is None or query.shows_coordinates(frame, call.principal, call.today)


def _lines(version: Version, frame: dict[str, Any]) -> Iterator[str]:
    tags = tags_of({**frame.get("details", {}), **frame})
    yield f"Filename: {version.location.filename}\n\nAstroData Tags: {tags}\n\n"
    for index, header in enumerate(version.headers()):
        yield f"\n--- {'PHU' if index == 0 else f'HDU {index}'} ---\n"
        yield from (f"{card}\n" for card in _cards(header))


def _cards(header: bytes) -> Iterator[str]:
    """Yield the cards up to END as text; bytes that no card may hold become question marks."""
    for start in range(0, len(header), CARD):
        raw = header[start : start + CARD]
        yield "".join(chr(byte) if 32 <= byte < 127 else "?" for byte in raw)
        if raw == END:
            return
