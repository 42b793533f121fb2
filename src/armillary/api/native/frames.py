"""Search for frames."""

from __future__ import annotations

from inspect import Parameter
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.api.http.answers import Answer, answered, answers, sends
from armillary.api.http.calls import Call, Ctx
from armillary.api.http.parcels import MEDIA_TYPES, Form, serve_files, serve_table
from armillary.api.native.routing import SELECTION_REFUSALS, Word, anybody, failures, storable_words
from armillary.archive.errors import BadCursor, TooManyFiles
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
from armillary.errors import BadRequest, NotFound

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


LIMIT = 100
_MEDIA = sends(*(one.partition(";")[0] for one in MEDIA_TYPES.values()), binary=True)


@router.get(
    "/v1/frames",
    dependencies=anybody,
    responses=answers(
        Frames, {"frames": [_FRAME], "cursor": None, "total": 1, "total_is": "exact"}, media=_MEDIA
    )
    | failures(BadRequest, BadCursor, TooManyFiles, NotFound, *SELECTION_REFUSALS),
)
async def search(
    request: Request,
    ctx: Ctx,
    terms: Annotated[tuple[Term, ...], Depends(asked_terms)],
    total: Annotated[
        Asked, Query(description="Whether to tell how many there are, and how surely")
    ] = Asked.NONE,
    limit: Annotated[
        int | None,
        Query(ge=1, le=MAX_PAGE, description="Frames of a page, 100 by default; a table has all without it"),
    ] = None,
    cursor: Word = None,
    form: Annotated[
        Form | None,
        Query(alias="format", description="A table of the frames, or their files, instead of JSON"),
    ] = None,
) -> Response:
    """Find frames, newest first; `cursor` in the answer leads to the next page.

    All criteria have to hold. `total_is` says whether `total` was counted or estimated: a count that takes too
    long becomes an estimate. A `quick` total takes some milliseconds: it is exact, or `at_least` so many.

    `format=csv` and `format=votable` send all frames as a table; a text in CSV that a spreadsheet would run as a
    formula has an apostrophe before it. `format=tar` and `format=zip` send the files as they are stored, and a
    text that lists those that are withheld; the length of a zip is told.
    """
    today, viewer = ctx.today, ctx.principal
    if form is not None:
        if total is not Asked.NONE:
            raise BadRequest("Totals are told in JSON; leave out `format`, or `total`.")
        if form in (Form.CSV, Form.VOTABLE):
            return await serve_table(ctx, terms, form, cursor=cursor, most=limit)
        if limit is not None or cursor is not None:
            raise BadRequest("A download of files has no pages; leave out `limit` and `cursor`.")
        return await serve_files(ctx, terms, form, asked=request.url.path + "?" + request.url.query)
    async with ctx.context.database.begin() as connection:
        page = await query.search(connection, terms, viewer, today=today, limit=limit or LIMIT, cursor=cursor)
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
