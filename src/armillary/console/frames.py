"""The search page: which frames fit, as a table or a wall, page after page."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from armillary.access.models import Scope
from armillary.api.http.calls import Call, Ctx
from armillary.archive.models import QaState
from armillary.archive.query import service as query
from armillary.archive.query.models import Compared, InHeader
from armillary.archive.query.service import Cone, Page
from armillary.base.database_errors import TooSlow
from armillary.console.columns import COLUMNS, DEFAULT, chosen, unknown
from armillary.console.rendering import is_part, page, part
from armillary.console.routing import anybody, origin_of, page_router
from armillary.console.searching import (
    CURSOR,
    KEYWORD,
    NAMES,
    RADIUS_DEG,
    Search,
    read_search,
)
from armillary.console.ways import ways_of
from armillary.errors import ArmillaryError, BadRequest

router: APIRouter = page_router()
PAGE, VIEWS = 100, ("table", "wall")
PATIENCE, SHOWN = "patience", "shown"
_NOTHING = Page([], None)


@router.get("/frames", dependencies=anybody)
async def frames(request: Request, ctx: Ctx) -> Response:
    """Show a page of the frames that fit, newest first, with the form that asks for them.

    What has to look through headers is given up after a moment unless `patience` is shown: then the page comes
    without its rows, and asks for them. No index holds every keyword, and nobody likes to wait for a form.
    """
    patient = PATIENCE in request.query_params
    search = await searched(request, ctx, _without_patience(request))
    if not is_part(request) and (_is_untidy(search) or search.empty):
        return RedirectResponse(search.address(cursor=search.given.get(CURSOR)), HTTPStatus.SEE_OTHER)
    found = await _found(ctx, search, patient=patient or is_part(request))
    values = _shown(search, found)
    if patient and is_part(request):
        return part(request, "frames.html", "results", values | _around(request, ctx, search))
    if not is_part(request):
        if "total" in search.given and not search.problems:
            values |= await _total(ctx, search, patient=True, least=len(values["frames"]))
        status = HTTPStatus.BAD_REQUEST if search.problems else HTTPStatus.OK
        return page(request, "frames.html", values | _around(request, ctx, search), status=status)
    refuse(search)
    return part(request, "frames.html", "rows", values)


@router.get("/frames/total", dependencies=anybody)
async def total(request: Request, ctx: Ctx) -> Response:
    """Tell how many frames fit, and what the number is worth.

    `patience` counts for longer; `shown` is how many a page shows that knows that there are more.
    """
    asked = request.query_params
    search = await searched(request, ctx, _without_patience(request))
    refuse(search)
    shown = asked.get(SHOWN, "")
    least = int(shown) if shown.isascii() and shown.isdecimal() and len(shown) < 5 else 0
    values = await _total(ctx, search, patient=PATIENCE in asked, least=least)
    return part(request, "frames.html", "total", values)


async def _total(call: Call, search: Search, *, patient: bool, least: int) -> dict[str, Any]:
    async with call.context.database.begin() as connection:
        if patient:
            found = await query.total_of(
                connection, search.terms, call.principal, today=call.today, exact=True
            )
        else:
            found = await query.quick_total(connection, search.terms, call.principal, today=call.today)
    return {"total": found, "search": search, "patient": patient, "least": max(found.total, least)}


async def searched(request: Request, call: Call, pairs: list[tuple[str, str]] | None = None) -> Search:
    """Return what a request asks for; circles around objects of the archive are looked up."""
    sent = request.query_params.multi_items() if pairs is None else pairs
    search = read_search(sent, today=call.today, summit=call.context.settings.archive.summit)
    if names := unknown(search.given.get("columns")):
        search.problems["columns"] = BadRequest(f"There are no columns {', '.join(names)[:200]}.")
    if search.given.get("view", VIEWS[0]) not in VIEWS:
        search.problems["view"] = BadRequest(f"Views are {' and '.join(VIEWS)}.")
    await _place(search, call)
    return search


def refuse(search: Search) -> None:
    """Raise the first thing that is wrong with a search, for answers that have no form.

    Raises
    ------
    ArmillaryError
        If there is one.
    """
    for problem in search.problems.values():
        raise problem


async def _place(search: Search, call: Call) -> None:
    text = search.given.get("position")
    if text is None or search.problems.keys() & {"position", "radius"}:
        return
    name = "radius"
    try:
        radius = query.read_extent(search.given["radius"]) if "radius" in search.given else RADIUS_DEG
        name = "position"
        if (place := query.read_place(text)) is not None:
            search.place(Cone(*place, radius))
            return
        async with call.context.database.begin() as connection:
            search.place(
                await query.cone_of_object(connection, text, radius, call.principal, today=call.today)
            )
    except ArmillaryError as error:
        search.problems[name] = error


def _without_patience(request: Request) -> list[tuple[str, str]]:
    return [pair for pair in request.query_params.multi_items() if pair[0] not in (PATIENCE, SHOWN)]


async def _found(call: Call, search: Search, *, patient: bool) -> Page | None:
    """Return a page, or None if headers have to be looked through for longer than somebody likes to wait."""
    if search.problems:
        return _NOTHING
    if patient or not any(isinstance(term, Compared | InHeader) for term in search.terms):
        return await _page(call, search, None)
    try:
        return await _page(call, search, call.context.settings.console.patience_ms)
    except TooSlow:
        return None


async def _page(call: Call, search: Search, patience_ms: int | None) -> Page:
    try:
        async with call.context.database.begin() as connection:
            return await query.search(
                connection,
                search.terms,
                call.principal,
                today=call.today,
                limit=_limit(search),
                cursor=search.given.get(CURSOR),
                patience_ms=patience_ms,
            )
    except BadRequest as error:
        # A bookmark of a page may be cut short: the form stays, and so does the search.
        search.problems[CURSOR] = error
        return _NOTHING


def _limit(search: Search) -> int:
    return int(search.given.get("limit", PAGE))


def _is_untidy(search: Search) -> bool:
    """Tell whether an address says what goes without saying."""
    columns = search.given.get("columns")
    usual = columns is not None and set(columns.split(",")) == set(DEFAULT)
    if usual:
        del search.given["columns"]
    if search.given.get("view") == VIEWS[0]:
        del search.given["view"]
        return True
    return usual


def _shown(search: Search, found: Page | None) -> dict[str, Any]:
    known = found or _NOTHING
    return {
        "search": search,
        "late": found is None,
        "frames": known.frames,
        "cursor": known.cursor,
        "columns": chosen(search.given.get("columns")),
        "view": search.given.get("view", VIEWS[0]),
    }


def _around(request: Request, call: Call, search: Search) -> dict[str, Any]:
    """Return what a page has around its rows."""
    others = {name: problem for name, problem in search.problems.items() if name not in (*NAMES, KEYWORD)}
    return {
        "ways": ways_of(search, origin_of(request), signed_in=bool(call.principal.name)),
        "all_columns": COLUMNS.values(),
        "states": list(QaState),
        "others": others,
        "begins": not search.problems and CURSOR not in search.given,
        "may_edit": call.principal.may(Scope.EDIT),
    }
