"""Search for frames."""

from __future__ import annotations

from inspect import Parameter
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse

from armillary.api.http.calls import Ctx
from armillary.api.native.routing import Word, answers, anybody, failures, storable_words
from armillary.archive.errors import BadCursor
from armillary.archive.fields import CRITERIA, Criterion
from armillary.archive.models import MAX_PAGE
from armillary.archive.query import service as query
from armillary.archive.query.errors import BadPredicate, MalformedSelector, UnknownSelector
from armillary.archive.query.models import Term
from armillary.archive.query.service import Asked, read_selection, terms_of, total_of
from armillary.base.signatures import with_parameters
from armillary.errors import BadRequest

router = APIRouter()


_FRAME = {
    "name": "N20260101S0001.fits",
    "instrument": "GMOS-N",
    "night": "2026-01-01",
    "started_at": "2026-01-01T05:00:00Z",
    "exposure_s": 30.0,
    "qa_state": "Pass",
    "visible": True,
}


async def _asked(
    ctx: Ctx,
    name: Word = None,
    cone: Annotated[str | None, Query(description="RA,DEC,RADIUS in degrees")] = None,
    keyword: Annotated[list[str] | None, Query(description="KEYWORD=VALUE and its kin")] = None,
    selection: Annotated[
        str | None,
        Query(max_length=2000, description="As in the paths of /jsonsummary: GMOS-N/20260101/Pass"),
    ] = None,
    **given: Any,
) -> tuple[Term, ...]:
    """Return what frames are asked for; all terms have to hold."""
    terms = terms_of(name=name, cone=cone, keywords=keyword, **given)
    if selection is None:
        return terms
    storable_words(selection)
    today, summit = ctx.today, ctx.context.settings.archive.summit
    return (*terms, *read_selection(selection, today=today, summit=summit).terms)


def _parameter(one: Criterion) -> Parameter:
    """Return the parameter of the route that a criterion is."""
    kind: Any = Word if one.type is str else one.type | None
    if one.type is float:
        kind = Annotated[kind, Query(allow_inf_nan=False)]
    return Parameter(one.name, Parameter.KEYWORD_ONLY, default=None, annotation=kind)


with_parameters(_asked, map(_parameter, CRITERIA))


@router.get(
    "/v1/frames",
    dependencies=anybody,
    responses=answers({"frames": [_FRAME], "cursor": None, "total": 1, "total_is": "exact"})
    | failures(BadRequest, BadCursor, BadPredicate, UnknownSelector, MalformedSelector),
)
async def search(
    ctx: Ctx,
    terms: Annotated[tuple[Term, ...], Depends(_asked)],
    total: Annotated[
        Asked, Query(description="Whether to tell how many there are, and how surely")
    ] = Asked.NONE,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
    cursor: Word = None,
) -> JSONResponse:
    """Find frames, newest first; `cursor` in the answer leads to the next page.

    All criteria have to hold. `total_is` says whether `total` was counted or estimated: a count that takes too
    long becomes an estimate.
    """
    today, viewer = ctx.today, ctx.principal
    async with ctx.context.database.begin() as connection:
        page = await query.search(connection, terms, viewer, today=today, limit=limit, cursor=cursor)
        body: dict[str, Any] = {
            "frames": [query.plain_values(one) for one in page.frames],
            "cursor": page.cursor,
        }
        if total is not Asked.NONE:
            exact = total is Asked.EXACT
            found = await total_of(connection, terms, viewer, today=today, exact=exact)
            body |= {"total": found.total, "total_is": str(found.total_is)}
    return JSONResponse(body)
