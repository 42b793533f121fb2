"""Headers of the versions of a file, and what differs between two of them."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse
from msgspec import Meta, field

from armillary.api.http.answers import Answer, answered, answers, sends
from armillary.api.http.calls import Call, Ctx
from armillary.api.native.routing import NEGOTIATED, anybody, failures
from armillary.archive.catalog.models import Version
from armillary.archive.errors import (
    FileAmbiguous,
    FileEmbargoed,
    FileNotFound,
    HduNotFound,
    HeadersForgotten,
    VersionNotFound,
)
from armillary.archive.query import service as query
from armillary.archive.query.service import Record
from armillary.edits.history.service import Sign, diff
from armillary.fits.cards import body_of, printable, split_cards
from armillary.fits.header import Header
from armillary.fits.models import Card

router = APIRouter()
Form = Annotated[Literal["json", "text"] | None, Query(description="Otherwise as Accept says.")]
Id = Annotated[
    int | None, Query(ge=1, lt=1 << 63, description="Id of a version; otherwise the canonical one.")
]
_CARD = {
    "keyword": "RAWIQ",
    "value": "70-percentile",
    "comment": "Raw IQ",
    "card": "RAWIQ   = '70-percentile'",
}
_HEADERS = {
    "name": "N20260101S0001.fits",
    "version": 12,
    "hdus": [{"index": 0, "kind": "PRIMARY", "name": "", "extver": 1, "cards": [_CARD]}],
}
_TEXT = sends("text/plain", example="SIMPLE  =                    T\n")


class ToldCard(Answer):
    """A card of a header; a complex value is a pair of numbers."""

    keyword: str
    value: bool | int | float | str | tuple[float, float] | None
    comment: str
    card: Annotated[str, Meta(description="The card itself.")]


class ToldHeader(Answer):
    """The header of one HDU."""

    index: int
    kind: str
    name: str
    extver: int
    cards: list[ToldCard]


class Headers(Answer):
    """The headers of a version."""

    name: str
    version: int
    hdus: list[ToldHeader]


class DifferingCard(Answer):
    """A card that only one of two versions has."""

    hdu: int
    sign: Sign
    card: str


class Difference(Answer):
    """What differs between the headers of two versions."""

    name: str
    start: int = field(name="from")
    to: int
    cards: list[DifferingCard]


@router.get(
    "/v1/files/{name:path}/headers",
    dependencies=anybody,
    response_class=Response,
    responses=answers(Headers, _HEADERS, media=_TEXT)
    | failures(FileNotFound, FileAmbiguous, FileEmbargoed, VersionNotFound, HeadersForgotten),
)
async def headers(request: Request, ctx: Ctx, name: str, version: Id = None, format: Form = None) -> Response:
    """Show the cards of every HDU of a version: keyword, value, comment and the raw card; or FITS text."""
    return await _headers(request, ctx, name, None, version, format)


@router.get(
    "/v1/files/{name:path}/headers/{hdu}",
    dependencies=anybody,
    response_class=Response,
    responses=answers(Headers, _HEADERS, media=_TEXT)
    | failures(FileNotFound, FileAmbiguous, FileEmbargoed, VersionNotFound, HduNotFound, HeadersForgotten),
)
async def header(
    request: Request, ctx: Ctx, name: str, hdu: str, version: Id = None, format: Form = None
) -> Response:
    """Show the cards of one HDU, given by its index, by EXTNAME, or by EXTNAME,EXTVER."""
    return await _headers(request, ctx, name, hdu, version, format)


async def _headers(
    request: Request, call: Call, name: str, hdu: str | None, version_id: int | None, form: str | None
) -> Response:
    _, version = await _open_version(call, name, version_id)
    chosen = range(len(version.hdus)) if hdu is None else [query.hdu_index(version, hdu)]
    raw = await asyncio.to_thread(version.headers)
    if _wants_text(request, form):
        texts = [_text_of(raw[index]) for index in chosen]
        return PlainTextResponse("\n".join(texts), headers=NEGOTIATED)
    shown = await asyncio.to_thread(lambda: [_header(version, index, raw[index]) for index in chosen])
    return answered(Headers(name=version.name, version=version.id, hdus=shown), headers=NEGOTIATED)


@router.get(
    "/v1/files/{name:path}/diff",
    dependencies=anybody,
    response_class=Response,
    responses=answers(
        Difference,
        {
            "name": "N20260101S0001.fits",
            "from": 11,
            "to": 12,
            "cards": [
                {"hdu": 0, "sign": "-", "card": "RAWIQ   = 'Any     '"},
                {"hdu": 0, "sign": "+", "card": "RAWIQ   = '70-percentile'"},
            ],
        },
        media=sends("text/plain", example="-0 RAWIQ   = 'Any     '\n+0 RAWIQ   = '70-percentile'\n"),
    )
    | failures(FileNotFound, FileAmbiguous, FileEmbargoed, VersionNotFound, HeadersForgotten),
)
async def difference(
    request: Request,
    ctx: Ctx,
    name: str,
    to: Id = None,
    start: Annotated[
        int | None,
        Query(alias="from", ge=1, lt=1 << 63, description="Id of a version; otherwise the one before."),
    ] = None,
    format: Form = None,
) -> Response:
    """Show the cards that only one of two versions has: `-` those of `from`, `+` those of `to`."""
    record, new = await _open_version(ctx, name, to)
    before = record.ids[max(0, record.ids.index(new.id) - 1)]
    async with ctx.context.database.begin() as connection:
        old = await query.version_of(connection, record, start or before)
    found = await asyncio.to_thread(lambda: list(diff(old, new)))
    if _wants_text(request, format):
        lines = (f"{sign}{hdu} {_shown(card)}\n" for hdu, sign, card in found)
        return PlainTextResponse("".join(lines), headers=NEGOTIATED)
    cards = [DifferingCard(hdu=hdu, sign=sign, card=_shown(card)) for hdu, sign, card in found]
    body = Difference(name=new.name, start=old.id, to=new.id, cards=cards)
    return answered(body, headers=NEGOTIATED)


async def _open_version(call: Call, name: str, version_id: int | None) -> tuple[Record, Version]:
    """Return a version whose headers the caller may read."""
    async with call.context.database.begin() as connection:
        record = await query.record_of(connection, name, call.principal, call.today)
        query.check_headers(record)
        return record, await query.version_of(connection, record, version_id)


def _wants_text(request: Request, form: str | None) -> bool:
    return form == "text" if form else request.headers.get("accept", "").startswith("text/plain")


def _header(version: Version, index: int, raw: bytes) -> ToldHeader:
    one = version.hdus[index]
    cards = list(map(_card, Header(raw).cards))
    return ToldHeader(index=index, kind=one.kind, name=one.name, extver=one.version, cards=cards)


def _card(card: Card) -> ToldCard:
    value = card.value
    return ToldCard(
        keyword=card.keyword,
        value=(value.real, value.imag) if isinstance(value, complex) else value,
        comment=card.comment,
        card=printable(card.raw).decode("ascii"),
    )


def _text_of(raw: bytes) -> str:
    """Return the physical cards of a header as lines of 80 characters, END included."""
    cards = [printable(one).decode("ascii") for one in split_cards(body_of(raw))]
    return "".join(f"{card}\n" for card in (*cards, "END".ljust(80)))


def _shown(card: str) -> str:
    return printable(card.encode("latin-1")).decode("ascii")
