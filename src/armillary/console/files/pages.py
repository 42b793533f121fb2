"""The page of a file and its parts, and what its forms send."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse

from armillary.api.http.calls import Call, Ctx
from armillary.api.http.discretion import said_to
from armillary.archive.errors import FileAmbiguous
from armillary.archive.intake import service as intake
from armillary.archive.query import service as query
from armillary.archive.query.service import Record
from armillary.console.files import editing, views
from armillary.console.files.editing import Sent, Wish
from armillary.console.files.views import View
from armillary.console.rendering import is_part, page, part
from armillary.console.routing import anybody, auditors, editors, page_router, read_form
from armillary.console.sessions import refuse_other_sites
from armillary.console.words import path as quoted
from armillary.edits.changesets.service import rehearse
from armillary.edits.errors import EditNotFound
from armillary.errors import ArmillaryError, BadRequest, Unavailable
from armillary.fits.models import CARD

router = page_router()
PARTS = {"cards": "cards", "more-hdus": "hdus", "history": "history", "difference": "difference"}
"""The blocks of the page by the elements that scripts put them into."""
TEMPLATE = "file.html"
Id = Annotated[int | None, Query(ge=1, lt=1 << 63)]
Place = Annotated[int, Query(ge=0, lt=1 << 31)]
_AT_ONCE = asyncio.Semaphore(2)
"""Files that are verified at once: each is read as a whole."""


class Busy(Unavailable):
    """Other files are being verified; try again in a moment."""

    code = "busy_verifying"


@router.get("/files/{name:path}", dependencies=anybody)
async def file(
    request: Request,
    ctx: Ctx,
    name: str,
    hdu: Annotated[str, Query(max_length=100)] = "0",
    find: Annotated[str, Query(max_length=200)] = "",
    number: Annotated[int, Query(alias="page", ge=0, lt=1 << 31)] = 1,
    view: Annotated[str, Query(max_length=10)] = "table",
    hdus: Place = 0,
    version: Id = None,
    older: Id = None,
    start: Annotated[int | None, Query(alias="from", ge=1, lt=1 << 63)] = None,
    to: Id = None,
) -> Response:
    """Show a file: picture, facts, headers, history; or the part of the page that a script asks for."""
    asked = View(
        name=name,
        hdu=hdu,
        find=find,
        page=number,
        as_cards=view == "cards",
        hdus=hdus,
        version=version,
        older=older,
        start=start,
        to=to,
    )
    return await _shown(request, ctx, asked)


async def _shown(
    request: Request,
    ctx: Call,
    asked: View,
    more: Mapping[str, Any] | None = None,
    *,
    block: str | None = None,
) -> Response:
    """Return the page, or the part of it that is asked for."""
    try:
        record = await record_of(ctx, asked.name)
    except FileAmbiguous as error:
        several = {"name": asked.name, "paths": error.paths, "error": error}
        return page(request, "ambiguous.html", several, status=error.status)
    if is_part(request):
        chosen = block or PARTS.get(request.headers.get("hx-target", ""), "cards")
        piece = await views.part_of(ctx, asked, record, chosen)
        if chosen == "history" and piece["timeline"].state == request.query_params.get("known"):
            # Nothing is new: what somebody has opened or begun to write there stays as it is.
            return Response(status_code=HTTPStatus.NO_CONTENT)
        return part(request, TEMPLATE, chosen, {**piece, **(more or {})})
    values = await views.whole(ctx, asked, record, str(request.base_url))
    return page(request, TEMPLATE, {**values, **(more or {})})


async def record_of(call: Call, name: str) -> Record:
    """Return what the viewer may know of a file."""
    async with call.context.database.begin() as connection:
        return await query.record_of(connection, name, call.principal, call.today)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something is refused, as it may be said to whoever asked."""

    code: str
    message: str


def _refusal(request: Request, error: ArmillaryError) -> Refusal:
    notes = "; ".join(getattr(error, "__notes__", ()))
    text = f"{error.message}: {notes}" if notes else error.message
    return Refusal(error.code, said_to(request, text))


@router.get("/edit/{name:path}", dependencies=editors)
async def edit(
    request: Request,
    ctx: Ctx,
    name: str,
    card: Annotated[str, Query(max_length=100)] = "0:",
) -> Response:
    """Show the form for a card: in the row of the card if a script asks, else on a page of its own."""
    record = await record_of(ctx, name)
    hdu, keyword = editing.place_of(card)
    found = await views.card_of(ctx, record, hdu, keyword) if keyword else None
    wish = (
        editing.wish_of(found, record.version)
        if found
        else Wish(hdu=hdu, keyword="", version=record.version.id, new=True)
    )
    values = _form_values(request, name, record, wish) | {"state": state_of(request.query_params.get)}
    if not is_part(request):
        return page(request, "edit.html", values)
    places = {"HX-Retarget": f"#{found.row}" if found else "#fresh"}
    places["HX-Reswap"] = "afterend" if found else "innerHTML"
    return part(request, "edit.html", "row", values, headers=places)


@router.post("/edit/{name:path}", dependencies=editors)
async def judge_or_send(request: Request, ctx: Ctx, name: str) -> Response:
    """Judge what a form says, and show what it would change; or send it, and show what became of it."""
    refuse_other_sites(request)
    form = await read_form(request)
    record = await record_of(ctx, name)
    wish = Wish.of_form(form)
    state = {"state": state_of(form.text)}
    try:
        wanted = await editing.request_of(ctx, name, record, wish)
        if form.text("do") != "send":
            judged = {"rehearsal": await rehearse(ctx.context, wanted, ctx.principal), "wanted": wanted}
            return _judged(request, name, record, wish, judged | state)
        sent = await editing.send(ctx, wanted, wish)
        if sent.error is not None:
            raise sent.error
    except ArmillaryError as error:
        judged = {"refusal": _refusal(request, error), "status": error.status}
        return _judged(request, name, record, wish, judged | state)
    return await _edited(request, ctx, name, state["state"], wish, wanted.cards[0].keyword, sent)


def state_of(said: Callable[[str, str], str]) -> dict[str, str]:
    """Return which cards were shown around a form, to show them again."""
    return {"hdu": said("hdu", "")[:100], "find": said("find", "")[:200], "page": said("page", "")[:6]}


def _judged(request: Request, name: str, record: Record, wish: Wish, judged: dict[str, Any]) -> Response:
    """Return how a form was judged, beside the form."""
    values = _form_values(request, name, record, wish) | judged
    if is_part(request):
        # A refusal is an answer as expected as any: as an error it would be one in the browser's console.
        places = {"HX-Retarget": "#judged", "HX-Reswap": "innerHTML"}
        return part(request, "edit.html", "judged", values, headers=places)
    return page(request, "edit.html", values, status=judged.get("status", HTTPStatus.OK))


def _form_values(request: Request, name: str, record: Record, wish: Wish) -> dict[str, Any]:
    inline = is_part(request)
    return {
        "name": name,
        "record": record,
        "card": None,
        "rehearsal": None,
        "refusal": None,
        "wanted": None,
        # Whoever checks by the key that sends a form can send it by the next one.
        "checked": request.headers.get("hx-trigger") != "judged",
        "lines": lambda raw: [
            raw[at : at + CARD].decode("latin-1").rstrip() for at in range(0, len(raw), CARD)
        ],
        **editing.form_values(wish, None, inline=inline),
    }


async def _edited(
    request: Request, ctx: Call, name: str, state: Mapping[str, str], wish: Wish, keyword: str, sent: Sent
) -> Response:
    """Return the cards after an edit, with what became of it, or lead there."""
    if not is_part(request):
        return RedirectResponse(f"/files/{quoted(name)}?hdu={wish.hdu}#history", HTTPStatus.SEE_OTHER)
    place = state["page"]
    asked = View(
        name=name,
        hdu=state["hdu"] or str(wish.hdu),
        find=state["find"],
        page=int(place) if place.isascii() and place.isdecimal() else 1,
    )
    more = {"sent": sent, "edited": f"{wish.hdu}:{keyword}"}
    answer = await _shown(request, ctx, asked, more, block="cards")
    answer.headers["HX-Trigger"] = "live:frames"
    return answer


@router.post("/revert/{name:path}", dependencies=editors)
async def revert(request: Request, ctx: Ctx, name: str) -> Response:
    """Take an edit of a file back, and show what became of that."""
    refuse_other_sites(request)
    form = await read_form(request)
    number, why = form.text("edit"), form.text("why").strip()
    if not (number.isascii() and number.isdecimal() and 0 < len(number) < 19):
        raise EditNotFound
    if len(why) > editing.MAX_WHY or not why.isprintable():
        raise BadRequest(f"A reason is a text of at most {editing.MAX_WHY} characters in one line.")
    record = await record_of(ctx, name)
    more: dict[str, Any] = {}
    status = HTTPStatus.OK
    try:
        sent = await editing.take_back(ctx, record, int(number), why)
        if sent.error is not None:
            raise sent.error
        more["reverted"] = sent
    except ArmillaryError as error:
        more, status = {"refusal": _refusal(request, error)}, error.status
    if is_part(request):
        answer = await _shown(request, ctx, View(name=name), more, block="outcome")
        answer.headers["HX-Trigger"] = "live:frames, reverted"
        return answer
    if "refusal" in more:
        answer = await _shown(request, ctx, View(name=name), more)
        answer.status_code = int(status)
        return answer
    return RedirectResponse(f"/files/{quoted(name)}#history", HTTPStatus.SEE_OTHER)


@router.post("/verify/{name:path}", dependencies=auditors)
async def verify(request: Request, ctx: Ctx, name: str) -> Response:
    """Read the stored bytes of a file again, compare them with the catalog, and say what was found."""
    refuse_other_sites(request)
    record = await record_of(ctx, name)
    if _AT_ONCE.locked():
        raise Busy
    findings = []
    async with _AT_ONCE:
        for one in record.present:
            found, _ = await intake.verify_version(ctx.context, one, record.roots[one.location.root_id])
            where = f"{record.roots[one.location.root_id].name}/{one.location.key}"
            findings.append((where, said_to(request, found.problem)))
    more = {"verified": findings, "verified_at": ctx.context.clock.now()}
    return await _shown(request, ctx, View(name=name), more, block="verification")
