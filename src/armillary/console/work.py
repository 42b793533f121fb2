"""Work: orders and why they stand as they do, change sets, and what each noun has under way."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from armillary.api.http.calls import Call, Ctx
from armillary.base.text import storable
from armillary.base.work import State
from armillary.console.panels import BY_NAME, PANELS, Wanted, seen_by, values_of
from armillary.console.rendering import is_part, page
from armillary.console.routing import anybody, operators, page_router, read_form
from armillary.console.sessions import refuse_other_sites
from armillary.errors import BadRequest
from armillary.exports import service as exports

router = page_router()
_PART = "panel-"
LONGEST = 200


@router.get("/work", dependencies=anybody)
async def work(request: Request, ctx: Ctx) -> Response:
    """Show what is under way, as far as somebody may see it."""
    wanted = _wanted(request)
    target = request.headers.get("hx-target", "")
    if is_part(request) and target.startswith(_PART):
        return await _panel(request, ctx, target.removeprefix(_PART), wanted)
    seen = seen_by(ctx)
    values = {"panels": seen, "others": [one for one in PANELS if one not in seen], "states": list(State)}
    for one in seen:
        values |= await values_of(ctx, one, wanted)
    return page(request, "work.html", values)


@router.post("/exports/retry", dependencies=operators)
async def retry_exports(request: Request, ctx: Ctx) -> Response:
    """Try the exports now that wait for a destination."""
    refuse_other_sites(request)
    destination = (await read_form(request)).text("destination")
    async with ctx.context.database.begin() as connection:
        order = await exports.ask_for_retry(
            connection, _word(destination, "destination"), actor=ctx.principal.name
        )
    return RedirectResponse(f"/orders/{order}", HTTPStatus.SEE_OTHER)


async def _panel(request: Request, call: Call, name: str, wanted: Wanted) -> Response:
    """Return the inside of one panel, which a script asks for anew; nothing to those who may not see it."""
    panel = BY_NAME.get(name)
    if panel is None:
        raise BadRequest("There is no such panel on the page of work; load the page again.")
    panel.policy.judge(call.principal, None)
    return page(request, panel.template, {"panel": panel, **await values_of(call, panel, wanted)})


def _wanted(request: Request) -> Wanted:
    asked = {name: value.strip() for name, value in request.query_params.items() if value.strip()}
    return Wanted(
        state=_state(asked.get("state")),
        kind=_word(asked.get("kind"), "kind"),
        file=_word(asked.get("file"), "file"),
        cursor=_number(asked.get("cursor"), "cursor"),
        before=_number(asked.get("before"), "before"),
    )


def _state(text: str | None) -> State | None:
    if text is None:
        return None
    try:
        return State(text)
    except ValueError:
        raise BadRequest(
            f"There is no state '{text[:LONGEST]}' of orders; there are {', '.join(State)}."
        ) from None


def _word(text: str | None, name: str) -> str | None:
    if text is None or (len(text) <= LONGEST and storable(text)):
        return text
    raise BadRequest(f"Invalid {name}: it has more than {LONGEST} characters, or some that no name has.")


def _number(text: str | None, name: str) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20 and 0 < int(text) < 1 << 63):
        raise BadRequest(f"Invalid {name}: use the link to the older ones on the page before.")
    return int(text)
