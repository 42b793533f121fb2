"""One edit of many frames: what it would do is shown first, then it is a change set."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Path, Request, Response
from fastapi.responses import RedirectResponse

from armillary.api.http.calls import Call, Ctx
from armillary.api.http.discretion import without_paths
from armillary.api.http.values import plain
from armillary.base.text import storable
from armillary.base.work import wait_for
from armillary.console.frames import refuse, searched
from armillary.console.parcels import FILE, MOST_MARKED, marked
from armillary.console.rendering import page, page_or_part
from armillary.console.routing import Form, editors, page_router, read_form
from armillary.console.searching import Search
from armillary.console.sessions import refuse_other_sites
from armillary.edits.changesets import service
from armillary.edits.changesets.models import Wanted
from armillary.edits.models import Origin
from armillary.edits.service import Discretion
from armillary.errors import ArmillaryError, BadRequest
from armillary.fits.texts import value_written

router = page_router()
ROWS, SAMPLES, PATIENCE_S = 3, 10, 2.0
LONGEST_WHY = 1000
KEYWORD, VALUE, COMMENT = "set_keyword", "set_value", "set_comment"
"""Fields of cards; `keyword` is a condition of the search."""
OWN = (KEYWORD, VALUE, COMMENT, "reject_new", FILE)
Id = Annotated[int, Path(ge=1, lt=1 << 63)]


@router.get("/frames/edit", dependencies=editors)
async def of_all(request: Request, ctx: Ctx) -> Response:
    """Show the form that edits all frames that fit."""
    search = await searched(request, ctx)
    refuse(search)
    return _asking(request, Form(), search, ())


@router.post("/frames/edit", dependencies=editors)
async def try_out(request: Request, ctx: Ctx) -> Response:
    """Find out what an edit of frames would do; without one, show the form for the frames that are marked."""
    refuse_other_sites(request)
    form = await read_form(request, most=MOST_MARKED)
    pairs = [(name, value) for name, values in form.fields.items() if name not in OWN for value in values]
    search = await searched(request, ctx, pairs)
    refuse(search)
    names = marked(form.all(FILE)) if form.all(FILE) or not search.terms else ()
    if KEYWORD not in form.fields:
        return _asking(request, form, search, names)
    try:
        asked = await _ask(ctx, _wanted(form, search, names))
    except ArmillaryError as error:
        return _asking(request, form, search, names, error)
    return RedirectResponse(f"/frames/edit/{asked}", HTTPStatus.SEE_OTHER)


@router.get("/frames/edit/{id}", dependencies=editors)
async def tried_out(request: Request, ctx: Ctx, id: Id) -> Response:
    """Show what an edit of frames would do: samples of cards before and after, how many files, what is refused."""
    async with ctx.context.database.begin() as connection:
        found = await service.document(connection, id, Discretion(ctx.principal, ctx.today))
    shown: dict[str, Any] = {"preview": None, "error": None} | plain(found)
    await without_paths(ctx, [shown], "error")
    return page_or_part(request, "bulk_tried.html", "tried", {"set": shown})


@router.post("/frames/edit/{id}", dependencies=editors)
async def carry_out(request: Request, ctx: Ctx, id: Id) -> Response:
    """Let an edit that was tried out become a change set."""
    refuse_other_sites(request)
    form = await read_form(request)
    why = form.text("why").strip()
    if len(why) > LONGEST_WHY or not storable(why):
        raise BadRequest(f"A reason has at most {LONGEST_WHY} characters, all of which a database can keep.")
    origin = Origin(ctx.principal.name, ctx.address, why, None)
    async with ctx.context.database.begin() as connection:
        made = await service.ask_previewed(connection, ctx.context, id, origin, viewer=ctx.principal)
    await wait_for(ctx.context.database, ctx.context.signals, [made], PATIENCE_S)
    return RedirectResponse(f"/changesets/{made}", HTTPStatus.SEE_OTHER)


def _wanted(form: Form, search: Search, names: tuple[str, ...]) -> Wanted:
    rows = list(zip(form.all(KEYWORD), form.all(VALUE), form.all(COMMENT), strict=False))
    cards = [(keyword.strip(), value, comment.strip()) for keyword, value, comment in rows if keyword.strip()]
    if not cards:
        raise BadRequest("No card is set: write a keyword and its value.")
    criteria = () if names else tuple(f"{name}={value}" for name, value in search.asks)
    return Wanted(
        values={"generic": [[keyword, value_written(value)] for keyword, value, _ in cards]},
        names=names,
        reject_new=bool(form.text("reject_new")),
        terms=None if names else search.terms,
        criteria=criteria,
        comments={keyword: comment for keyword, _, comment in cards if comment},
    )


async def _ask(call: Call, wanted: Wanted) -> int:
    origin = Origin(call.principal.name, call.address)
    async with call.context.database.begin() as connection:
        asked = await service.ask(
            connection, call.context, wanted, origin, samples=SAMPLES, viewer=call.principal
        )
    await wait_for(call.context.database, call.context.signals, [asked], PATIENCE_S)
    return asked


def _asking(
    request: Request,
    form: Form,
    search: Search,
    names: tuple[str, ...],
    error: ArmillaryError | None = None,
) -> Response:
    sent = list(zip(form.all(KEYWORD), form.all(VALUE), form.all(COMMENT), strict=False))
    values = {
        "search": search,
        "names": names,
        "rows": sent or [("", "", "")] * ROWS,
        "reject_new": bool(form.text("reject_new")),
        "error": error,
    }
    return page(request, "bulk.html", values, status=int(error.status) if error else HTTPStatus.OK)
