"""``/xmlfilelist``: files that a selection finds, for scripts that read XML."""

from __future__ import annotations

import asyncio
import re
from xml.sax.saxutils import escape

from fastapi import APIRouter, Request, Response

from armillary.api.gemini.selecting import FAILURES, anybody, lister_of, reports, selection_of
from armillary.api.gemini.sorting import OrderBy, sorted_by
from armillary.api.http.calls import Ctx
from armillary.archive.query.service import Listing

router = APIRouter()
MEDIA_TYPE = "application/xml"
SHOWN = {"filename": "filename", "size": "file_size", "md5": "file_md5", "lastmod": "lastmod"}
"""Elements of a file, named as the keys of /jsonfilelist, to what they show."""
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_IMPOSSIBLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no document of XML 1.0 may hold (section 2.2), not even escaped."""


@router.get("/xmlfilelist", dependencies=anybody, include_in_schema=False)
@router.get(
    "/xmlfilelist/{selection:path}", dependencies=anybody, response_class=Response, responses=FAILURES
)
async def xml_file_list(request: Request, ctx: Ctx, orderby: OrderBy = None) -> Response:
    """List the versions of files that a selection finds as XML: name, size, md5, time of modification."""
    selection = sorted_by(selection_of(request, ctx, "xmlfilelist"), orderby)
    async with ctx.context.database.begin(snapshot=True) as connection:
        found = await lister_of(ctx).files(connection, selection)
    body = await asyncio.to_thread(_written, found)
    return Response(body, headers=reports(selection, truncated=found.truncated), media_type=MEDIA_TYPE)


def _written(found: Listing) -> bytes:
    columns = found.columns(SHOWN.values())
    rows = zip(*(map(_text, columns[name]) for name in SHOWN.values()), strict=True)
    template = "<file>" + "".join(f"<{key}>%s</{key}>" for key in SHOWN) + "</file>\n"
    return f"{_HEAD}<filelist>\n{''.join(map(template.__mod__, rows))}</filelist>\n".encode()


def _text(value: object) -> str:
    """Return a value as text of an element; a digest that is on its way is an empty one."""
    return "" if value is None else escape(_IMPOSSIBLE.sub("\ufffd", str(value)))
