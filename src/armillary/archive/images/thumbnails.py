"""Thumbnails of pictures that sites send: 128 pixels high, stored beside the original."""

from __future__ import annotations

import asyncio
import io

from armillary.archive.catalog import file_store
from armillary.archive.catalog.models import Location
from armillary.archive.intake.examination import examine_as_bytes
from armillary.archive.intake.looks import Candidate, new_version
from armillary.archive.intake.profiles import profiles_of
from armillary.archive.intake.reading import describer_of
from armillary.archive.products.service import described
from armillary.base.sandbox.errors import ChildDied, OutOfMemory, OutOfTime
from armillary.base.sandbox.pool import Ask
from armillary.context import Context
from armillary.settings import ArchiveSettings

HEIGHT_PX = 128
MOST_PIXELS = 200_000_000
"""Pixels of a picture that is decoded at all."""
QUALITY = 85
MADE = "ingest"
"""The origin of thumbnails that are made here; what a site sends itself is an upload, and stays."""


async def thumbnail_of(
    context: Context, candidate: Candidate, name: str
) -> tuple[Candidate | None, str | None]:
    """Store the thumbnail of a stored picture under a name beside it; return it, or why there is none."""
    place, settings = candidate.location, context.settings.archive

    def make(ask: Ask) -> bytes:
        with candidate.store.open(place.key) as snapshot, described(snapshot) as fd:
            return ask(shrink, fd, HEIGHT_PX)

    try:
        # In a child process: what it decodes, strangers sent.
        content = await context.sandbox.run(make, memory=settings.preview_memory, seconds=settings.preview_s)
    except (OutOfMemory, OutOfTime, ChildDied):
        return None, f"{place.filename} cannot be decoded, so it has no thumbnail."
    if not content:
        return None, f"{place.filename} is no readable JPEG, so it has no thumbnail."
    return await _kept(context, candidate, name, content), None


async def _kept(context: Context, source: Candidate, name: str, content: bytes) -> Candidate | None:
    """Store a thumbnail and return what the catalog is to know of it; None if the site sent one of its own."""
    place = Location(source.location.root_id, source.location.path, name)
    key = (place.root_id, place.path, name)
    async with context.database.begin() as connection:
        known = (await file_store.present_at(connection, [key])).get(key)
    if known is not None and known.origin != MADE:
        return None
    stored = await source.store.write(place.key, content, overwrite=True)
    made = Candidate(
        claim=None,
        root=source.root,
        store=source.store,
        location=place,
        known=known,
        now=source.now,
        stored=stored,
        args={"origin": MADE},
    )
    await asyncio.to_thread(_examine, made, context.settings.archive)
    return made


def _examine(made: Candidate, settings: ArchiveSettings) -> None:
    with made.store.open(made.location.key) as snapshot:
        made.examined = examine_as_bytes(snapshot)
    made.new = new_version(made, describer_of(profiles_of(settings.profiles), settings.site))


def shrink(fd: int, height_px: int) -> bytes:
    """Return a JPEG of up to that height of an opened picture, nothing if it cannot be read."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    try:
        with open(fd, "rb", closefd=False) as file, Image.open(file, formats=["JPEG"]) as picture:
            width, height = picture.size
            if height > height_px:
                width, height = max(1, round(width * height_px / height)), height_px
            # Half and quarter sizes come out of the decoder for a part of the work.
            picture.draft("RGB", (2 * width, 2 * height))
            small = picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
            made = io.BytesIO()
            small.save(made, "JPEG", quality=QUALITY)
    except (OSError, ValueError, Image.DecompressionBombError):
        return b""
    return made.getvalue()
