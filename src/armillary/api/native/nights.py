"""How many frames nights have, and which ones lie beside a frame."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse
from msgspec import UNSET, Meta, UnsetType

from armillary.api.http.answers import Answer, answered, answers
from armillary.api.http.calls import Ctx
from armillary.api.native.frames import asked_terms
from armillary.api.native.routing import SELECTION_REFUSALS, anybody, failures
from armillary.archive.errors import FileAmbiguous, FileNotFound
from armillary.archive.query import service as query
from armillary.archive.query.models import Term
from armillary.archive.query.service import MOST_NIGHTS, Neighbours, NightCount, Part
from armillary.errors import BadRequest

router = APIRouter()
NEWEST = 31
_NIGHT = {"night": "2026-01-01", "frames": 120, "instrument": "GMOS-N"}
_NEIGHBOUR = {
    "name": "N20260101S0002.fits",
    "path": "20260101",
    "filename": "N20260101S0002.fits.bz2",
    "started_at": "2026-01-01T05:01:00Z",
}


class ToldNight(Answer):
    """So many frames of a night, and what they have in common of what was to be told apart."""

    night: date
    frames: int
    site: str | UnsetType | None = UNSET
    instrument: str | UnsetType | None = UNSET
    observation_type: str | UnsetType | None = UNSET


class Nights(Answer):
    """Nights that have frames, newest first."""

    nights: list[ToldNight]
    frames: Annotated[int, Meta(description="How many there are in all of these nights.")]


@router.get(
    "/v1/nights",
    dependencies=anybody,
    responses=answers(Nights, {"nights": [_NIGHT], "frames": 120})
    | failures(BadRequest, *SELECTION_REFUSALS),
)
async def nights(
    ctx: Ctx,
    terms: Annotated[tuple[Term, ...], Depends(asked_terms)],
    first: Annotated[date | None, Query(alias="from", description="First night.")] = None,
    last: Annotated[date | None, Query(alias="to", description="Last night.")] = None,
    newest: Annotated[
        int | None, Query(ge=1, le=MOST_NIGHTS, description="The newest so many nights that have frames.")
    ] = None,
    by: Annotated[list[Part] | None, Query(description="What to tell apart.")] = None,
) -> JSONResponse:
    """Count the frames of nights, with the criteria of `/v1/frames`; frames that have no night are left out.

    Frames that the caller may not know of are not counted. Without a first night it tells of the newest 31 nights,
    and in any case of no more than the newest 3700.
    """
    if first is None and newest is None:
        newest = NEWEST
    by = list(dict.fromkeys(by or ()))
    async with ctx.context.database.begin() as connection:
        found = await query.count_nights(
            connection,
            terms,
            ctx.principal,
            today=ctx.today,
            first=first,
            last=last,
            newest=newest,
            by=by,
        )
    told = [_told(one, by) for one in found]
    return answered(Nights(nights=told, frames=sum(one.frames for one in told)))


def _told(one: NightCount, by: list[Part]) -> ToldNight:
    return ToldNight(one.night, one.frames, **dict(zip(map(str, by), one.parts, strict=True)))


@router.get(
    "/v1/files/{name:path}/neighbours",
    dependencies=anybody,
    responses=answers(Neighbours, {"previous": None, "next": _NEIGHBOUR})
    | failures(FileNotFound, FileAmbiguous),
)
async def neighbours(ctx: Ctx, name: str) -> JSONResponse:
    """Tell the frames before and after a frame: of its night, site and instrument, in order of time."""
    async with ctx.context.database.begin() as connection:
        record = await query.record_of(connection, name, ctx.principal, ctx.today)
        file_id = record.version.file_id
        return answered(await query.neighbours_of(connection, file_id, ctx.principal, today=ctx.today))
