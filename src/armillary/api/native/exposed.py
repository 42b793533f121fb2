"""Exposures and their headers: how far each has come, its header in any form, revisions, origins of values."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from armillary.access.models import Scope
from armillary.api.http.answers import Answer, answered, answers, sends
from armillary.api.http.calls import Ctx
from armillary.api.http.policy import Policy
from armillary.api.native.routing import (
    NEGOTIATED,
    REFUSALS,
    WRITE_REFUSALS,
    Word,
    failures,
    storable_words,
)
from armillary.errors import BadRequest
from armillary.headers import service
from armillary.headers.delivery.models import (
    CardDifference,
    ExposureStatus,
    Format,
    RevisionStatus,
    Transition,
)
from armillary.headers.errors import (
    AnnexUnusable,
    CommandFailed,
    CommandRefused,
    HeaderNotMade,
    ServiceAway,
    UnknownCard,
    UnknownImage,
    UnknownInstrument,
    UnknownRevision,
)
from armillary.headers.exposures.models import ExposureState
from armillary.headers.render.models import Card
from armillary.headers.services.models import Command

router = APIRouter()
readers = [Depends(Policy(Scope.READ, others=(Scope.OPERATOR,)))]
operators = [Depends(Policy(Scope.OPERATOR))]
Instrument = Annotated[str, Path(max_length=100, description="Name of an instrument.")]
Image = Annotated[str, Path(max_length=200, description="Id of an image.")]
Product = Annotated[str, Query(max_length=100, description="Product, the name of a template.")]
Revision = Annotated[int | None, Query(ge=1, le=(1 << 31) - 1, description="Otherwise the latest.")]
Number = Annotated[int, Query(ge=1, le=(1 << 31) - 1)]
RETRY_S = 1
OBJECT = {
    "url": "/v1/headers/spec1/AT_O_20240624_000169?rev=1&product=raw&format=fits",
    "media_type": "application/fits",
    "size": 11520,
    "sha256": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
    "stored": False,
}
HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_REVISION = {
    "product": "raw",
    "revision": 1,
    "supersedes": None,
    "content_hash": HASH,
    "complete": True,
    "science_complete": True,
    "created": "2024-06-25T01:02:03.456Z",
    "objects": [OBJECT],
}
_CARD = {
    "hdu": "PRIMARY",
    "key": "AMEND",
    "value": 1.2,
    "unit": None,
    "comment": "Airmass at end",
    "status": "defined",
    "reason": None,
    "source": "pointing",
    "topic": "target_status",
    "field": "airmass",
    "seq": 1234,
    "sample_time": 1719277360000000000,
    "age_s": 0.4,
    "at": "readout_start",
    "pick": "asof",
    "fallback": None,
    "raw": 1.2,
}
_EXPOSURE = {
    "instrument": "spec1",
    "image_id": "AT_O_20240624_000169",
    "state": "PUBLISHED",
    "reason": None,
    "day_obs": "20240624",
    "opened": "2024-06-25T01:01:33.456Z",
    "moments": {"integration_start": 1719277330000000000},
    "revisions": {"raw": 1},
    "attempts": 0,
}
_UNKNOWN = (UnknownInstrument, UnknownImage, HeaderNotMade, UnknownRevision)


class NotYet(Answer):
    """The header is not there yet; ask again."""

    state: str


class Revisions(Answer):
    """All revisions of a header, by product, oldest first."""

    revisions: list[RevisionStatus]


class HeaderDifferences(Answer):
    """What differs between two revisions, card by card."""

    old: int = msgspec.field(name="from")
    new: int = msgspec.field(name="to")
    changes: list[CardDifference]


class Provenance(Answer):
    """Where a value comes from, on each HDU that has it."""

    cards: list[Card]


class Exposures(Answer):
    """Exposures, the newest first."""

    exposures: list[ExposureStatus]


class ExposureLife(Answer):
    """What became of an exposure, in order."""

    state: ExposureState
    reason: str | None
    revisions: dict[str, int]
    transitions: list[Transition]


class Rebuilt(Answer):
    """The exposure whose header is made anew, and the state of the service, which has to be ENABLED for that."""

    image_id: str
    state: str


class Reconciled(Answer):
    """Images by what was found, and how many announcements consumers have not taken."""

    without_header: list[str]
    changed: list[str]
    bad_objects: list[str]
    unacknowledged: dict[str, int]


def _asked(instrument: str, image_id: str, product: str, rev: int | None) -> service.Asked:
    storable_words(instrument, image_id, product)
    return service.Asked(instrument, image_id, product, rev)


@router.get(
    "/v1/headers/{instrument}/{image_id}",
    dependencies=readers,
    response_class=Response,
    responses=answers(
        dict[str, Any],
        {"instrument": "spec1", "image_id": "AT_O_20240624_000169", "revision": 1, "cards": [_CARD]},
        media=sends("application/fits", "application/yaml", binary=True),
    )
    | answers(NotYet, {"state": "not_yet"}, status=HTTPStatus.ACCEPTED)
    | {304: {"description": "The client has it"}}
    | failures(*_UNKNOWN, *REFUSALS),
)
async def header(
    request: Request,
    ctx: Ctx,
    instrument: Instrument,
    image_id: Image,
    rev: Revision = None,
    product: Product = "raw",
    form: Annotated[
        Format | None, Query(alias="format", description="Otherwise as Accept says, or JSON.")
    ] = None,
    detector: Annotated[
        str | None, Query(max_length=100, description="Only the primary HDU and those of a detector.")
    ] = None,
) -> Response:
    """Return the header of an image; 202 if it is not made yet, 409 if it could not be made."""
    storable_words(detector)
    asked = _asked(instrument, image_id, product, rev)
    async with ctx.context.database.begin() as connection:
        standing, _ = await service.state_of(connection, asked)
    if standing == "not_yet":
        return answered(
            NotYet(state="not_yet"),
            HTTPStatus.ACCEPTED,
            {"Retry-After": str(RETRY_S), "Cache-Control": "no-store"},
        )
    found = await service.form(ctx.context, asked, form or _accepted(request), detector)
    etag = f'"{found.told.content_hash}"'
    known = {"ETag": etag, "Armillary-Revision": str(found.told.revision), **NEGOTIATED}
    if etag in {
        one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")
    }:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=known)
    return Response(found.body, media_type=found.media_type, headers=known)


def _accepted(request: Request) -> Format:
    accepted = request.headers.get("accept", "")
    if "application/fits" in accepted:
        return "fits"
    return "yaml" if "yaml" in accepted else "json"


@router.get(
    "/v1/headers/{instrument}/{image_id}/revisions",
    dependencies=readers,
    responses=answers(Revisions, {"revisions": [_REVISION]}) | failures(*_UNKNOWN, *REFUSALS),
)
async def revisions(ctx: Ctx, instrument: Instrument, image_id: Image, product: Word = None) -> JSONResponse:
    """List the revisions of the header of an image, with their objects."""
    storable_words(product)
    asked = _asked(instrument, image_id, "raw", None)
    async with ctx.context.database.begin() as connection:
        await service.state_of(connection, asked)
        found = await service.revisions(connection, asked, product)
    return answered(Revisions(revisions=found))


@router.get(
    "/v1/headers/{instrument}/{image_id}/diff",
    dependencies=readers,
    responses=answers(
        HeaderDifferences,
        {"from": 1, "to": 2, "changes": [{"hdu": "PRIMARY", "key": "AMEND", "old": None, "new": 1.2}]},
    )
    | failures(*_UNKNOWN, *REFUSALS),
)
async def diff(
    ctx: Ctx,
    instrument: Instrument,
    image_id: Image,
    old: Annotated[Number, Query(alias="from")],
    new: Annotated[Number, Query(alias="to")],
    product: Product = "raw",
) -> JSONResponse:
    """Return what differs between two revisions of the header of an image."""
    asked = _asked(instrument, image_id, product, None)
    async with ctx.context.database.begin() as connection:
        await service.state_of(connection, asked)
    found = await service.difference(ctx.context, asked, old, new)
    return answered(HeaderDifferences(old=old, new=new, changes=found))


@router.get(
    "/v1/headers/{instrument}/{image_id}/provenance/{key}",
    dependencies=readers,
    responses=answers(Provenance, {"cards": [_CARD]}) | failures(*_UNKNOWN, UnknownCard, *REFUSALS),
)
async def provenance(
    ctx: Ctx,
    instrument: Instrument,
    image_id: Image,
    key: Annotated[str, Path(max_length=80, description="A keyword, without HIERARCH.")],
    rev: Revision = None,
    product: Product = "raw",
    hdu: Word = None,
) -> JSONResponse:
    """Say where the value of a keyword comes from, source, sample, age and rule, or why there is none."""
    storable_words(key, hdu)
    asked = _asked(instrument, image_id, product, rev)
    async with ctx.context.database.begin() as connection:
        await service.state_of(connection, asked)
    return answered(Provenance(cards=await service.card(ctx.context, asked, key, hdu)))


@router.get(
    "/v1/exposures",
    dependencies=readers,
    responses=answers(Exposures, {"exposures": [_EXPOSURE]}) | failures(BadRequest, *REFUSALS),
)
async def exposures(
    ctx: Ctx,
    instrument: Word = None,
    night: Annotated[str | None, Query(max_length=20, description="Day of observation, YYYYMMDD.")] = None,
    state: ExposureState | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> JSONResponse:
    """List exposures, the newest first."""
    storable_words(instrument, night)
    async with ctx.context.database.begin() as connection:
        found = await service.exposures(
            connection, instrument=instrument, night=_night(night), state=state, before=None, limit=limit
        )
    return answered(Exposures(exposures=found))


def _night(night: str | None) -> str | None:
    return night.replace("-", "") if night else None


@router.get(
    "/v1/exposures/{instrument}/{image_id}",
    dependencies=readers,
    responses=answers(
        ExposureLife,
        {
            "state": "OPEN",
            "reason": None,
            "revisions": {},
            "transitions": [
                {
                    "state": "OPEN",
                    "cause": "integration_start camera start_integration boot1 7",
                    "revision": None,
                    "noted": "2024-06-25T01:02:03.456Z",
                }
            ],
        },
    )
    | failures(UnknownInstrument, UnknownImage, *REFUSALS),
)
async def exposure(ctx: Ctx, instrument: Instrument, image_id: Image) -> JSONResponse:
    """Return what became of an exposure: each state with its cause."""
    storable_words(instrument, image_id)
    async with ctx.context.database.begin() as connection:
        found = await service.find(connection, instrument, image_id)
        if found is None:
            await service.status(ctx.context, instrument)
            raise UnknownImage
        steps = await service.transitions(connection, found.id)
    body = ExposureLife(state=found.state, reason=found.reason, revisions=found.revisions, transitions=steps)
    return answered(body)


@router.post(
    "/v1/exposures/{instrument}/{image_id}/rebuild",
    dependencies=operators,
    status_code=HTTPStatus.ACCEPTED,
    responses=answers(
        Rebuilt, {"image_id": "AT_O_20240624_000169", "state": "ENABLED"}, status=HTTPStatus.ACCEPTED
    )
    | failures(UnknownInstrument, UnknownImage, ServiceAway, CommandFailed, *WRITE_REFUSALS),
)
async def rebuild(ctx: Ctx, instrument: Instrument, image_id: Image) -> JSONResponse:
    """Let the header of an exposure be made anew; a revision is announced only if it differs."""
    storable_words(instrument, image_id)
    found = await service.command(
        ctx.context, instrument, Command.REBUILD, {"image_id": image_id}, actor=ctx.principal.name
    )
    return answered(Rebuilt(image_id=found["image_id"], state=found["state"]), HTTPStatus.ACCEPTED)


@router.post(
    "/v1/reconcile",
    dependencies=operators,
    responses=answers(
        Reconciled,
        {"without_header": [], "changed": [], "bad_objects": [], "unacknowledged": {"pixels": 3}},
    )
    | failures(UnknownInstrument, ServiceAway, CommandFailed, CommandRefused, AnnexUnusable, *WRITE_REFUSALS),
)
async def reconcile(
    ctx: Ctx, instrument: Annotated[str, Query(max_length=100, description="Name of an instrument.")]
) -> JSONResponse:
    """Compare exposures, headers and objects of an instrument, and mend what differs."""
    storable_words(instrument)
    found = await service.command(ctx.context, instrument, Command.RECONCILE, {}, actor=ctx.principal.name)
    return answered(msgspec.convert(found, Reconciled))
