"""Downloads of what a search finds, or of marked frames: first what they would hold, then the bytes."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response

from armillary.api.http.calls import Call, Ctx
from armillary.api.http.parcels import MEDIA_TYPES, Form, parcel, serve_files, serve_table
from armillary.archive.download.service import Zip
from armillary.archive.query.models import Among, Term
from armillary.base.text import storable
from armillary.console.frames import refuse, searched
from armillary.console.rendering import page
from armillary.console.routing import anybody, page_router, read_form
from armillary.console.searching import Search
from armillary.console.sessions import refuse_other_sites
from armillary.errors import BadRequest

router = page_router()
FILE, FORM = "file", "format"
WITHHELD_SHOWN = 20
MOST_MARKED = 5000
"""Fields of a form: rows can be marked on many pages, as they are shown below each other."""


@router.get("/frames/download", dependencies=anybody)
async def of_all(request: Request, ctx: Ctx) -> Response:
    """Show what a download of all frames that fit would hold, or send it."""
    pairs = [pair for pair in request.query_params.multi_items() if pair[0] != FORM]
    search = await searched(request, ctx, pairs)
    refuse(search)
    form = _form(request.query_params.get(FORM))
    if form is not None:
        return await _sent(ctx, search.terms, form, asked=search.address())
    return await _summary(request, ctx, search.terms, {"search": search, "names": []})


@router.post("/frames/download", dependencies=anybody)
async def of_marked(request: Request, ctx: Ctx) -> Response:
    """Show what a download of the marked frames would hold, or send it."""
    refuse_other_sites(request)
    sent = await read_form(request, most=MOST_MARKED)
    names = marked(sent.all(FILE))
    terms = (Among("name", names),)
    form = _form(sent.text(FORM) or None)
    if form is not None:
        return await _sent(ctx, terms, form, asked="marked frames")
    return await _summary(request, ctx, terms, {"search": Search(), "names": names})


def marked(names: list[str]) -> tuple[str, ...]:
    """Return the names of marked frames, each once.

    Raises
    ------
    BadRequest
        If there is none, or one that no file has.
    """
    found = tuple(dict.fromkeys(one for one in names if one))
    if not found:
        raise BadRequest("No frame is marked; mark some in the table, or choose all that were found.")
    if not all(map(storable, found)):
        raise BadRequest("A name holds characters that no file name has.")
    return found


def _form(text: str | None) -> Form | None:
    if text is None:
        return None
    try:
        return Form(text)
    except ValueError:
        raise BadRequest(f"'{text[:50]}' is no format; use {', '.join(Form)}.") from None


async def _sent(call: Call, terms: tuple[Term, ...], form: Form, *, asked: str) -> Response:
    if form in (Form.CSV, Form.VOTABLE):
        return await serve_table(call, terms, form)
    return await serve_files(call, terms, form, asked=asked)


async def _summary(request: Request, call: Call, terms: tuple[Term, ...], values: dict[str, Any]) -> Response:
    found = await parcel(call, terms)
    made = Zip.of(found, asked="", now=call.context.clock.now())
    shown = {
        "parcel": found,
        "zip_size": made.size,
        "most": call.context.settings.archive.max_bundle,
        "withheld": found.withheld[:WITHHELD_SHOWN],
        "types": MEDIA_TYPES,
    }
    return page(request, "download.html", values | shown)
