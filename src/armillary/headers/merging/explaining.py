"""Where the values on the cards of a file come from, and which files hold values of a source."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import OPERATOR
from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Version
from armillary.context import Context
from armillary.edits import service as edits
from armillary.edits.models import AuditQuery, Outcome
from armillary.fits.header import Header
from armillary.headers.delivery.making import decompress
from armillary.headers.delivery.reading import get
from armillary.headers.errors import UnknownCard
from armillary.headers.merging import store
from armillary.headers.merging.merging import AUTHOR
from armillary.headers.merging.store import Merged
from armillary.headers.merging.threeway import plain
from armillary.headers.render.models import Card, Scalar
from armillary.headers.render.sidecar import read_sidecar

EDITS = 200


class LastEdit(Struct, frozen=True):
    """The last edit of a card: who, when, why."""

    id: int
    actor: str
    finished: datetime
    why: str


class Explained(Struct, frozen=True):
    """A card of a file, and all that is known of how its value came there."""

    file: str
    hdu: int
    hdu_name: str
    key: str
    value: Scalar
    image_id: str | None = None
    revision: int | None = None
    card: Card | None = None
    """What the header service says of it: source, sample, age, rule."""
    edit: LastEdit | None = None
    """None if it is as the file brought it."""


class Using(Struct, frozen=True):
    """An image whose header holds values of a source, which keywords they are, and its files."""

    image_id: str
    revision: int
    keys: list[str]
    files: list[str]


async def explain(context: Context, name: str, key: str, hdu: str | None = None) -> list[Explained]:
    """Return the cards of a keyword in a file, each with its origin.

    Raises
    ------
    FileNotFound, FileAmbiguous
        If the name is not that of one file.
    UnknownCard
        If no header of the file has the keyword.
    """
    keyword = " ".join(key.upper().removeprefix("HIERARCH ").split())
    async with context.database.begin() as connection:
        version = await catalog.find_version(connection, name)
        merged = await store.of_file(connection, version.file_id)
    found = [
        (at, str(Header(header).get("EXTNAME") or (at or "PRIMARY")))
        for at, header in enumerate(version.headers())
        if keyword in Header(header).keywords()
    ]
    found = [one for one in found if hdu is None or hdu.upper() in (one[1].strip().upper(), str(one[0]))]
    if not found:
        raise UnknownCard(
            f"No header of {version.name} has a keyword {keyword}; `armillary show` lists them."
        )
    cards = await _cards_of(context, merged, keyword)
    return [
        await _explained(context, version, merged, keyword, at, hdu_name, cards) for at, hdu_name in found
    ]


async def _cards_of(context: Context, merged: Merged | None, keyword: str) -> dict[str, Card]:
    if merged is None or merged.revision is None:
        return {}
    header = await get(context, merged.instrument, merged.image_id, merged.revision)
    return {hdu.name.upper(): card for hdu in header.hdus for card in hdu.cards if card.key == keyword}


async def _explained(
    context: Context,
    version: Version,
    merged: Merged | None,
    keyword: str,
    at: int,
    name: str,
    cards: dict[str, Card],
) -> Explained:
    edit = await _last_edit(context, version, keyword, at)
    # Whoever edited it after the header service knows why; then the sample is no explanation.
    card = cards.get(name.strip().upper()) if edit is None or edit.actor == AUTHOR else None
    return Explained(
        file=version.name,
        hdu=at,
        hdu_name=name.strip(),
        key=keyword,
        value=plain(Header(version.headers()[at]).get(keyword)),
        image_id=merged.image_id if merged else None,
        revision=merged.revision if merged else None,
        card=card,
        edit=edit,
    )


async def _last_edit(context: Context, version: Version, keyword: str, at: int) -> LastEdit | None:
    """Return the last edit that changed a card and counts still."""
    before: int | None = None
    while True:
        asked = AuditQuery(file_id=version.file_id, outcome=Outcome.CHANGED, before=before, limit=EDITS)
        async with context.database.begin() as connection:
            page = await edits.audit(connection, asked, OPERATOR, today=context.clock.now().date())
        for one in page.edits:
            touched = [
                card for card in one.cards or () if (card["keyword"], card["extension"]) == (keyword, at)
            ]
            if touched and one.reverted_by is None:
                return LastEdit(one.id, one.actor, one.finished, one.why)
        if page.before is None:
            return None
        before = page.before


async def using(
    connection: AsyncConnection, instrument: str, night: str, source: str, topic: str | None = None
) -> list[Using]:
    """Return the images of a night whose headers hold values of a source, each with its keywords and files."""
    sidecars = await store.sidecars_of(connection, instrument, night)
    found = await asyncio.to_thread(_keys_of, sidecars, source, topic)
    files = await store.files_of(connection, instrument, [image for image, _, _ in found])
    return [Using(image, revision, keys, files.get(image, [])) for image, revision, keys in found]


def _keys_of(
    sidecars: Sequence[tuple[str, int, bytes]], source: str, topic: str | None
) -> list[tuple[str, int, list[str]]]:
    found = []
    for image, revision, packed in sidecars:
        content = decompress(packed)
        if source.encode() not in content:
            continue
        cards = (card for hdu in read_sidecar(content).hdus for card in hdu.cards)
        keys = {card.key for card in cards if card.source == source and topic in (None, card.topic)}
        if keys:
            found.append((image, revision, sorted(keys)))
    return found
