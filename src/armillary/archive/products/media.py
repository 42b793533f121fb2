"""Full-size picture, PNG thumbnail and movie of a version: of files beside it, or of its data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from armillary.archive.catalog import product_store
from armillary.archive.catalog.standing import check_standing
from armillary.archive.errors import BeingChanged, NoEncoder
from armillary.archive.products.files import JPEG
from armillary.archive.products.models import Lack, Made
from armillary.archive.products.origins import (
    IMAGE,
    THUMBNAIL,
    VIDEO,
    MediaSource,
    of_file,
    source_of,
)
from armillary.archive.products.pictures import Limits, confined, described
from armillary.archive.products.sources import Work
from armillary.archive.products.standing import has_encoder, standing_of
from armillary.base.sandbox.pool import Ask
from armillary.base.store import Snapshot
from armillary.context import Context
from armillary.fits.containers import Container

if TYPE_CHECKING:
    from armillary.archive.products.drawing import Subject

PNG, WEBM = "image/png", "video/webm"
T = TypeVar("T")


async def images(context: Context, work: Work) -> list[Made | Lack] | None:
    """Return picture and thumbnail of a version, or why there are none; None if they are as they should be."""
    from armillary.archive.products.imaging import image_of_data, image_of_file

    found = await _source(context, work, IMAGE)
    if found is None:
        return None
    source, options = found
    if source.lack:
        return [Lack(kind, source.lack, source.fingerprint, options) for kind in (IMAGE, THUMBNAIL)]
    settings = context.settings.archive
    limits = Limits("A picture", settings.preview_memory, settings.preview_s)
    width = settings.thumbnail_px
    if source.key is None:
        subject = _subject(context, work, settings.image_px)
        image, small = await _of_data(context, work, limits, image_of_data, subject, width)
    else:
        image, small = await _of_file(
            context, work, source, limits, image_of_file, source.key, settings.image_px, width
        )
    return [
        Made(IMAGE, JPEG, image.content, image.width, image.height, source.fingerprint, options),
        Made(THUMBNAIL, PNG, small.content, small.width, small.height, source.fingerprint, options),
    ]


async def videos(context: Context, work: Work) -> list[Made | Lack] | None:
    """Return the movie of a version, or why there is none; None if it is as it should be."""
    from armillary.archive.products.filming import movie_of_data, movie_of_file

    found = await _source(context, work, VIDEO)
    if found is None:
        return None
    source, options = found
    lack = Lack(VIDEO, source.lack or NoEncoder().message, source.fingerprint, options)
    if source.lack:
        return [lack]
    settings = context.settings.archive
    limits = Limits("A movie", settings.preview_memory, settings.video_s, "video_s")
    try:
        if not has_encoder():
            raise NoEncoder
        if source.key is None:
            subject = _subject(context, work, settings.video_px)
            movie = await _of_data(context, work, limits, movie_of_data, subject)
        else:
            movie = await _of_file(
                context, work, source, limits, movie_of_file, source.key, settings.video_px
            )
    except NoEncoder:
        return [replace(lack, lasting=False)]
    return [Made(VIDEO, WEBM, movie.content, movie.width, movie.height, source.fingerprint, options)]


async def _source(context: Context, work: Work, kind: str) -> tuple[MediaSource, dict[str, Any]] | None:
    """Return what is to be made anew of what, with the options to remember; None if nothing is.

    An order that nobody gave options comes from the archive itself, which has lost the product, or makes it
    otherwise now: the options of then hold, and nothing is left as it is.
    """
    args = work.claim.order.args
    async with context.database.begin() as connection:
        known = await product_store.made_products(connection, work.current.id, (kind, THUMBNAIL))
    asked = args.get("asked") is True
    before = known[kind].parameters.get("named") if kind in known else None
    named = args.get("named") if asked else before
    source = await source_of(work.bytes_of, work.current, kind, str(named) if named else None)
    if asked and args.get("force") is not True:
        standing = await standing_of(context, kind, source, known)
        if standing.up_to_date:
            return None
    return source, {"named": named} if named else {}


def _subject(context: Context, work: Work, long_side_px: int) -> Subject:
    from armillary.archive.products.drawing import Subject

    version, most = work.current, context.settings.archive.max_unpacked
    return Subject(version.layout(), Container(version.container), long_side_px, most)


async def _of_data(context: Context, work: Work, limits: Limits, make: Callable[..., T], *args: Any) -> T:
    current = work.current

    def ask_it(ask: Ask) -> T:
        with work.bytes_of.open(current.location.key) as snapshot, described(snapshot) as fd:
            check_standing(current, snapshot)
            return ask(make, fd, *args)

    return await confined(context, limits, ask_it)


async def _of_file(
    context: Context, work: Work, source: MediaSource, limits: Limits, make: Callable[..., T], *args: Any
) -> T:
    """Let a child make something of a file beside a version, provided that it stays as it was all the while."""
    key = source.key or ""

    def ask_it(ask: Ask) -> T:
        with work.bytes_of.open(key) as snapshot, described(snapshot) as fd:
            _check_same(source, snapshot)
            return ask(make, fd, *args)

    made = await confined(context, limits, ask_it)
    with_key = await work.bytes_of.head(key)
    if of_file(source.where, with_key).fingerprint != source.fingerprint:
        raise BeingChanged(f"{key} was changed while it was read; it is read again in a moment.")
    return made


def _check_same(source: MediaSource, snapshot: Snapshot) -> None:
    if of_file(source.where, snapshot.stored).fingerprint != source.fingerprint:
        raise BeingChanged(f"{source.key} is being changed; it is read again in a moment.")


MEDIA = {IMAGE: images, VIDEO: videos}
"""What makes the products of each kind."""
