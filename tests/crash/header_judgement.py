"""What must be true of headers once a storm is over; every sentence of complaint is a broken promise."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from armillary.base.feed.models import Cursor
from armillary.headers import service
from armillary.headers.delivery.models import Announcement, HeaderCreated
from armillary.headers.render.fitsfile import fits_bytes
from armillary.headers.render.models import Header
from armillary.headers.services.models import Command
from tests.crash.observing import EVERY, LATE, Nights, Scene, a_scene
from tests.support.patience import in_time

WAIT_S = 300.0
PAGE = 17
HEADERS = "SELECT instrument, image_id FROM header_revision WHERE revision = 1 ORDER BY 1, 2"
OPEN = """
SELECT (SELECT count(*) FROM exposure WHERE due IS NOT NULL OR state <> 'PUBLISHED') AS exposures,
    (SELECT count(*) FROM feed_entry AS e JOIN feed_topic AS t ON t.id = e.topic
     WHERE t.name = 'samples' AND EXISTS (SELECT FROM feed_consumer AS c WHERE c.topic = e.topic
         AND (c.generation, c.number, c.id) < (e.generation, e.number, e.id))) AS samples
"""
NIGHTS = "SELECT DISTINCT instrument, day_obs FROM header_revision ORDER BY 1, 2"
Image = tuple[str, str]


@dataclass(frozen=True)
class Latest:
    """The latest header of an image: its hash, what is missing, and the digest of its file."""

    content_hash: str
    missing: str
    digest: str


Headers = Mapping[Image, Latest]


async def besiege(directory: Path, nights: Nights, *, kills: int, seed: int) -> tuple[Scene, list[str]]:
    """Return every broken promise after a night in which somebody was killed again and again."""
    async with a_scene(directory / "calm", list(nights), seed) as calm:
        await calm.expose(nights)
        expected = await settled(calm, nights)
    async with a_scene(directory / "storm", list(nights), seed) as storm:
        await storm.expose(nights, kills=kills)
        found = await settled(storm, nights)
        broken = [f"{name} ended by itself" for name in storm.left]
        broken += _differences(expected, found)
        broken += _undelivered(found, await _pulled(storm, LATE, collapse=True))
        broken += await _repeated(storm, await _pulled(storm, EVERY, collapse=False))
        broken += await _changed(storm)
    return storm, broken


async def settled(scene: Scene, nights: Nights) -> Headers:
    """Wait until every sample is looked at and nothing is due any more, and return the latest headers."""
    images = {
        (name, one.payload["image_id"])
        for name, samples in nights.items()
        for one in samples
        if one.topic == "start_integration"
    }
    while True:
        (row,) = await scene.rows(OPEN)
        known = [tuple(one) for one in await scene.rows(HEADERS)]
        if not row.exposures and not row.samples and images <= set(known):
            break
        in_time(scene.end, f"{row.exposures} exposures, {row.samples} batches, {len(known)} headers")
        await asyncio.sleep(0.2)
    return {(one[0], one[1]): _latest(await service.get(scene.context, one[0], one[1])) for one in known}


def _latest(header: Header) -> Latest:
    missing = ", ".join(f"{one.key} {one.reason}" for one in header.missing)
    return Latest(header.content_hash, missing, hashlib.sha256(_bytes_of(header)).hexdigest())


def _bytes_of(header: Header) -> bytes:
    """Return the file of a header but for what every revision has for itself."""
    hdus = [
        msgspec.structs.replace(
            hdu,
            cards=[
                msgspec.structs.replace(card, value=None) if card.key in header.volatile else card
                for card in hdu.cards
            ],
        )
        for hdu in header.hdus
    ]
    return fits_bytes(msgspec.structs.replace(header, hdus=hdus, created=0))


def _differences(expected: Headers, found: Headers) -> Iterator[str]:
    for image in expected.keys() | found.keys():
        one, other = expected.get(image), found.get(image)
        if one is None or other is None:
            yield f"{image} is in one archive only"
        elif one != other:
            yield f"{image} differs; it lacks {other.missing or 'nothing'} instead of {one.missing or 'nothing'}"


async def _pulled(scene: Scene, consumer: str, *, collapse: bool) -> list[Announcement]:
    """Return what a consumer is given that was registered before all of it, page by page."""
    found: list[Announcement] = []
    while True:
        async with scene.context.database.begin() as connection:
            page = await service.pending(connection, consumer, limit=PAGE, collapse=collapse)
            if not page.headers:
                return found
            await service.take_up_to(connection, consumer, Cursor.parse(page.cursor))
        found += page.headers


def _undelivered(found: Headers, told: list[Announcement]) -> Iterator[str]:
    """Yield what is wrong with the delivery of the latest revision of each image, once and in order."""
    yield from _unordered(told)
    created = [one for one in told if isinstance(one, HeaderCreated)]
    times = Counter((one.instrument, one.image_id) for one in created)
    yield from (f"{image} was told {times[image]} times" for image in found if times[image] != 1)
    for one in created:
        latest = found.get((one.instrument, one.image_id))
        if latest is None or latest.content_hash != one.content_hash:
            yield f"{one.image_id} was told as another header than its latest"


async def _repeated(scene: Scene, told: list[Announcement]) -> list[str]:
    """Return what is wrong with the delivery of all revisions."""
    broken = list(_unordered(told))
    given = [(one.image_id, one.revision) for one in told if isinstance(one, HeaderCreated)]
    rows = await scene.rows("SELECT image_id, revision FROM header_revision")
    if Counter(given) != Counter(tuple(row) for row in rows):
        broken.append("not every revision was told once")
    last: dict[str, int] = {}
    for image, revision in given:
        if revision != last.get(image, 0) + 1:
            broken.append(f"revision {revision} of {image} was told after {last.get(image, 0)}")
        last[image] = revision
    return broken


def _unordered(told: list[Announcement]) -> Iterator[str]:
    cursors = [Cursor.parse(one.cursor) for one in told]
    if cursors != sorted(set(cursors)):
        yield "announcements came out of order"
    yield from (f"{one.image_id} failed: {one.reason}" for one in told if not isinstance(one, HeaderCreated))


async def _changed(scene: Scene) -> list[str]:
    """Render everything again, from the events and from the exposures; return what differs."""
    broken: list[str] = []
    for name, night in await scene.rows(NIGHTS):
        replayed = await service.replay(scene.context, name, night)
        broken += [f"{image} is another header when it is replayed" for image in replayed["images"]]
    for name in scene.instruments:
        mended = await service.command(
            scene.context, name, Command.RECONCILE, {}, actor="a test", wait_s=WAIT_S
        )
        for kind in ("without_header", "changed", "bad_objects"):
            broken += [f"{kind}: {one}" for one in mended[kind]]
    return broken
