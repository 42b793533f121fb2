"""Reading headers: by image id and revision, in any form, whole or of one detector, card by card."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct, structs
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.context import Context
from armillary.headers.delivery import making, queries
from armillary.headers.delivery.annex import objects_of
from armillary.headers.delivery.announcements import stored_object
from armillary.headers.delivery.making import MEDIA_TYPES, bytes_of, decompress
from armillary.headers.delivery.models import CardDifference, Format, Found, HeaderCreated, RevisionStatus
from armillary.headers.delivery.queries import Revised
from armillary.headers.errors import (
    HeaderNotMade,
    UnknownCard,
    UnknownImage,
    UnknownInstrument,
    UnknownRevision,
)
from armillary.headers.exposures.models import ExposureState
from armillary.headers.models import Level
from armillary.headers.render.models import Card, Header
from armillary.headers.render.sidecar import read_sidecar, sidecar
from armillary.headers.render.yamlfile import correction


class Standing(StrEnum):
    """How it stands with the header of an image, if it is known and has not failed."""

    NOT_YET = "not_yet"
    AVAILABLE = "available"


class Asked(Struct, frozen=True):
    """Which header is asked for."""

    instrument: str
    image_id: str
    product: str = "raw"
    revision: int | None = None


class Form(Struct, frozen=True):
    """The bytes of a header, their media type, and the announcement of the revision."""

    body: bytes
    media_type: str
    told: HeaderCreated


async def asked_of(
    context: Context, image_id: str, instrument: str | None, product: str, revision: int | None
) -> Asked:
    """Return which header is meant by an image id, of whatever instrument, if it is available.

    Raises
    ------
    UnknownImage
        If no instrument, or more than one, has the image; or there is no header yet.
    HeaderNotMade
        If no header could be made.
    """
    async with context.database.begin() as connection:
        known = await queries.instruments_of(connection, image_id)
        if instrument is None and len(known) > 1:
            raise UnknownImage(f"{', '.join(known)} have an image '{image_id}'; say which by --instrument.")
        if not known or (instrument is not None and instrument not in known):
            raise UnknownImage(f"No event has named the image '{image_id}'.")
        asked = Asked(instrument or known[0], image_id, product, revision)
        standing, _ = await state_of(connection, asked)
    if standing is Standing.NOT_YET:
        raise UnknownRevision(f"The header of '{image_id}' is not made yet.")
    return asked


async def state_of(connection: AsyncConnection, asked: Asked) -> tuple[Standing, Found]:
    """Tell how it stands with a header.

    Raises
    ------
    UnknownInstrument, UnknownImage
        If nobody has heard of them.
    HeaderNotMade
        If no header could be made, and there is none of before.
    """
    found = await queries.find(connection, asked.instrument, asked.image_id)
    if found is None:
        if not await queries.is_instrument(connection, asked.instrument):
            raise UnknownInstrument(f"There is no header service of '{asked.instrument}'.")
        raise UnknownImage(f"No event of '{asked.instrument}' has named the image '{asked.image_id}'.")
    if found.revisions:
        return Standing.AVAILABLE, found
    if found.state in (ExposureState.FAILED, ExposureState.ABORTED):
        why = found.reason or "the exposure was aborted"
        raise HeaderNotMade(f"The header of '{asked.image_id}' could not be made: {why}.")
    return Standing.NOT_YET, found


async def revised(connection: AsyncConnection, asked: Asked) -> Revised:
    """Return a revision as the database has it.

    Raises
    ------
    UnknownRevision
        If there is none of that number, or of that product.
    """
    values = (asked.instrument, asked.image_id, asked.product, asked.revision)
    found = await queries.revision(connection, *values)
    if found is None:
        which = "" if asked.revision is None else f" {asked.revision}"
        raise UnknownRevision(
            f"The header of '{asked.image_id}' has no revision{which} of the product '{asked.product}'."
        )
    return found


async def get(
    context: Context, instrument: str, image_id: str, rev: int | None = None, product: str = "raw"
) -> Header:
    """Return a header, by default its latest revision.

    Raises
    ------
    UnknownInstrument, UnknownImage, HeaderNotMade, UnknownRevision
        If there is none.
    """
    asked = Asked(instrument, image_id, product, rev)
    async with context.database.begin() as connection:
        await state_of(connection, asked)
        found = await revised(connection, asked)
    return await asyncio.to_thread(_header, found)


def _header(found: Revised) -> Header:
    return read_sidecar(decompress(found.sidecar))


async def form(context: Context, asked: Asked, wanted: Format, detector: str | None) -> Form:
    """Return one form of a header: whole, or the primary HDU and those of one detector.

    Raises
    ------
    UnknownRevision
        If there is no such revision, product or detector.
    """
    async with context.database.begin() as connection:
        found = await revised(connection, asked)
        first = found
        if wanted == "correction" and found.revision > 1:
            first = await revised(connection, structs.replace(asked, revision=1))
    body = await asyncio.to_thread(_body, found, first, wanted, detector)
    return Form(body, MEDIA_TYPES[wanted], found.announcement)


def _body(found: Revised, first: Revised, wanted: Format, detector: str | None) -> bytes:
    packed = decompress(found.sidecar)
    if wanted == "json" and detector is None:
        return packed
    header = read_sidecar(packed)
    if detector is not None:
        header = of_detector(header, detector)
        told = found.announcement
        packed = sidecar(header, revision=told.revision, supersedes=told.supersedes)
    if wanted == "correction":
        return correction(header, _header(first))
    return bytes_of(header, wanted, packed)


def of_detector(header: Header, detector: str) -> Header:
    """Return the part of a header that belongs to the file of one detector.

    Raises
    ------
    UnknownRevision
        If the header has no such detector.
    """
    own = [one for one in header.hdus if one.detector == detector]
    if not own:
        raise UnknownRevision(f"The header of '{header.image_id}' has no detector '{detector}'.")
    return structs.replace(header, hdus=[one for one in header.hdus if one.level is Level.PRIMARY] + own)


async def revisions(connection: AsyncConnection, asked: Asked, product: str | None) -> list[RevisionStatus]:
    """Return the revisions of a header, of one product or of all."""
    found = await queries.revisions(connection, asked.instrument, asked.image_id, product)
    objects = await objects_of(connection, list({number for number, _ in found}))
    return [
        RevisionStatus(
            product=told.product,
            revision=told.revision,
            supersedes=told.supersedes,
            content_hash=told.content_hash,
            complete=told.complete,
            science_complete=told.science_complete,
            created=told.created,
            objects=[
                *told.objects,
                *map(stored_object, objects.get((number, told.product, told.revision), ())),
            ],
        )
        for number, told in found
    ]


async def difference(context: Context, asked: Asked, old: int, new: int) -> list[CardDifference]:
    """Return what differs between two revisions."""
    async with context.database.begin() as connection:
        before, after = [
            await revised(connection, structs.replace(asked, revision=number)) for number in (old, new)
        ]
    return await asyncio.to_thread(_difference, before, after)


def _difference(before: Revised, after: Revised) -> list[CardDifference]:
    return making.difference(_header(before), _header(after))


async def card(context: Context, asked: Asked, key: str, hdu: str | None) -> list[Card]:
    """Return the cards of a keyword, of one HDU or of all that have it: value, origin, reason.

    Raises
    ------
    UnknownCard
        If there is none.
    """
    async with context.database.begin() as connection:
        found = await revised(connection, asked)
    header = await asyncio.to_thread(_header, found)
    cards = _cards(header, key.upper(), hdu)
    if not cards:
        raise UnknownCard(f"The header of '{asked.image_id}' has no keyword '{key}'.")
    return list(cards)


def _cards(header: Header, key: str, hdu: str | None) -> Sequence[Any]:
    return [
        card
        for one in header.hdus
        if hdu in (None, one.name)
        for card in one.cards
        if card.key.upper() == key.removeprefix("HIERARCH ").strip()
    ]
