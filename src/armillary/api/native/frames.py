"""Search for frames."""

from __future__ import annotations

from inspect import Parameter
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.api.http.answers import Answer, answered, answers
from armillary.api.http.calls import Call, Ctx
from armillary.api.native.routing import SELECTION_REFUSALS, Word, anybody, failures, storable_words
from armillary.archive.errors import BadCursor
from armillary.archive.fields import CRITERIA, Criterion
from armillary.archive.models import MAX_PAGE
from armillary.archive.query import service as query
from armillary.archive.query.models import Term
from armillary.archive.query.service import (
    Asked,
    FoundFrame,
    Total,
    TotalIs,
    quick_total,
    read_selection,
    terms_of,
    total_of,
)
from armillary.base.signatures import with_parameters
from armillary.errors import BadRequest

router = APIRouter()


if TYPE_CHECKING:
    _Row = dict[str, Any]
else:
    _Row = FoundFrame

_FRAME: dict[str, Any] = {
    **dict.fromkeys(FoundFrame.__annotations__),
    "name": "N20260101S0001.fits",
    "path": "20260101",
    "filename": "N20260101S0001.fits",
    "file_size": 8405760,
    "data_size": 8405760,
    "lastmod": "2026-01-01T05:00:00Z",
    "entrytime": "2026-01-01T05:00:01Z",
    "instrument": "GMOS-N",
    "night": "2026-01-01",
    "started_at": "2026-01-01T05:00:00Z",
    "exposure_s": 30.0,
    "qa_state": "Pass",
    "visible": True,
}


class Frames(Answer):
    """A page of frames, newest first."""

    frames: list[_Row]
    cursor: Annotated[str | None, Meta(description="What leads to the next page; null on the last one.")]
    total: Annotated[int | UnsetType, Meta(description="How many fit, if that was asked.")] = UNSET
    total_is: TotalIs | UnsetType = UNSET


async def asked_terms(
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
    if one.text:
        kind = Annotated[kind, Query(description=one.text)]
    return Parameter(one.name, Parameter.KEYWORD_ONLY, default=None, annotation=kind)


with_parameters(asked_terms, map(_parameter, CRITERIA))


@router.get(
    "/v1/frames",
    dependencies=anybody,
    responses=answers(Frames, {"frames": [_FRAME], "cursor": None, "total": 1, "total_is": "exact"})
    | failures(BadRequest, BadCursor, *SELECTION_REFUSALS),
)
async def search(
    ctx: Ctx,
    terms: Annotated[tuple[Term, ...], Depends(asked_terms)],
    total: Annotated[
        Asked, Query(description="Whether to tell how many there are, and how surely")
    ] = Asked.NONE,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
    cursor: Word = None,
) -> JSONResponse:
    """Find frames, newest first; `cursor` in the answer leads to the next page.

    All criteria have to hold. `total_is` says whether `total` was counted or estimated: a count that takes too
    long becomes an estimate. A `quick` total takes some milliseconds: it is exact, or `at_least` so many.
    """
    today, viewer = ctx.today, ctx.principal
    async with ctx.context.database.begin() as connection:
        page = await query.search(connection, terms, viewer, today=today, limit=limit, cursor=cursor)
        body = Frames(frames=page.frames, cursor=page.cursor)
        if total is not Asked.NONE:
            found = await _total(ctx, connection, terms, total)
            # What is shown, and that more follows, is known in any case.
            least = len(page.frames) if found.total_is is TotalIs.AT_LEAST else 0
            body = replace(body, total=max(found.total, least), total_is=found.total_is)
    return answered(body)


async def _total(call: Call, connection: AsyncConnection, terms: tuple[Term, ...], asked: Asked) -> Total:
    if asked is Asked.QUICK:
        return await quick_total(connection, terms, call.principal, today=call.today)
    exact = asked is Asked.EXACT
    return await total_of(connection, terms, call.principal, today=call.today, exact=exact)
