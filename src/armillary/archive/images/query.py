"""Questions about images: which there are, in which order, and who may know of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import ge, le

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.images.askers import Asker, Rows, has_picture, held_back
from armillary.archive.images.names import parse_name
from armillary.archive.images.tables import arrival, image, info_image
from armillary.base.database import AnyRow

MOST = 10_000
"""Images of one answer, however many are asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageCriteria:
    """What images are asked for; what is None is not asked.

    ``filename`` is a pattern of LIKE with the wildcards of whoever asks, dates are in UTC and inclusive.
    """

    site: str | None = None
    username: str | None = None
    user_id: str | None = None
    filter_used: str | None = None
    exposure_min_s: float | None = None
    exposure_max_s: float | None = None
    start: datetime | None = None
    end: datetime | None = None
    filename: str | None = None

    def conditions(self, rows: Rows) -> list[sa.ColumnElement[bool]]:
        """Return what rows have to fulfil."""
        columns = rows.c
        found: list[sa.ColumnElement[bool]] = []
        for name in ("site", "username", "user_id", "filter_used"):
            if (text := getattr(self, name)) is not None:
                found.append(columns[name] == text)
        for value, column, compare in (
            (self.exposure_min_s, columns.exposure_time, ge),
            (self.exposure_max_s, columns.exposure_time, le),
            (self.start, columns.capture_date, ge),
            (self.end, columns.capture_date, le),
        ):
            if value is not None:
                found.append(compare(column, value))
        if self.filename is not None:
            found.append(columns.base_filename.like(self.filename, escape=""))
        return found


_NEWEST = (image.c.sort_date.desc(), image.c.id.desc())


async def image_by_base(
    connection: AsyncConnection, asker: Asker, base: str, *, pictured: bool
) -> list[AnyRow]:
    """Return the images of a base name, of `data` before others; ``pictured``: only those with a picture."""
    ask = asker.shown if pictured else asker.images
    query = ask(image.c.base_filename == base).order_by((image.c.directory != "data"), image.c.directory)
    return list(await connection.execute(query))


async def latest(
    connection: AsyncConnection, asker: Asker, site: str, count: int, *, user_id: str | None
) -> list[AnyRow]:
    """Return the newest images of a site, the newest first."""
    of_user = [image.c.user_id == user_id] if user_id else []
    query = asker.shown(image.c.site == site, *of_user).order_by(*_NEWEST).limit(min(count, MOST))
    return list(await connection.execute(query))


async def latest_of_each(
    connection: AsyncConnection, asker: Asker, sites: Sequence[str]
) -> Mapping[str, AnyRow]:
    """Return the newest image of each of these sites that has one, by one query."""
    wanted = (
        sa.func.unnest(sa.cast(sorted(sites), sa.ARRAY(sa.Text))).table_valued("site").render_derived("s")
    )
    newest = asker.shown(image.c.site == wanted.c.site).order_by(*_NEWEST).limit(1).lateral("newest")
    rows = await connection.execute(sa.select(newest).select_from(wanted.join(newest, sa.true())))
    return {row.site: row for row in rows}


@dataclass(frozen=True, slots=True)
class ImagePage:
    """Some images in order; ``cursor`` leads on if there are more."""

    rows: list[AnyRow]
    cursor: str | None


async def filtered(
    connection: AsyncConnection, asker: Asker, criteria: ImageCriteria, *, limit: int, cursor: str | None
) -> ImagePage:
    """Return the images that fulfil criteria, newest first, smart stacks collapsed to their last member.

    Rows of one site and one numeric ``SMARTSTK`` are a stack; those with the highest ``SSTKNUM`` stay, and so do
    rows without a readable one.
    """
    conditions = criteria.conditions(image)
    if cursor:
        conditions.append(_behind(cursor))
    other = image.alias("other")
    # Members that are hidden or unwanted do not count.
    same = [*asker.may_know(other), has_picture(other), *criteria.conditions(other)]
    later = sa.exists().where(
        other.c.site == image.c.site,
        other.c.stack == image.c.stack,
        other.c.stack_number > image.c.stack_number,
        *same,
    )
    query = (
        asker.shown(*conditions, sa.or_(image.c.stack.is_(None), image.c.stack_number.is_(None), ~later))
        .order_by(*_NEWEST)
        .limit(limit + 1)
    )
    rows = list(await connection.execute(query))
    more = rows[limit - 1] if len(rows) > limit else None
    return ImagePage(rows[:limit], _cursor_of(more) if more else None)


def _cursor_of(row: AnyRow) -> str:
    return f"{row.sort_date.timestamp():.6f}_{row.id}"


def is_cursor(text: str) -> bool:
    """Tell whether a text is a cursor that a page gave."""
    when, _, number = text.partition("_")
    return bool(re.fullmatch(r"-?\d{1,12}\.\d{6}", when) and re.fullmatch(r"\d{1,18}", number))


def _behind(cursor: str) -> sa.ColumnElement[bool]:
    text, _, number = cursor.partition("_")
    when = datetime.fromtimestamp(float(text), tz=UTC)
    return sa.tuple_(image.c.sort_date, image.c.id) < sa.tuple_(
        sa.literal(when, image.c.sort_date.type), sa.literal(int(number), image.c.id.type)
    )


async def arrivals(connection: AsyncConnection, asker: Asker, site: str | None) -> list[AnyRow]:
    """Return the arrivals of a site, or of every one, that are still on record, oldest first.

    Files of images that the asker may not know of are left out.
    """
    query = sa.select(arrival).where(arrival.c.expires > asker.now).order_by(arrival.c.id)
    if site is not None:
        query = query.where(arrival.c.site == site)
    rows = list(await connection.execute(query))
    hidden = await held_back(connection, asker, {base for row in rows if (base := _base_of(row))})
    return [row for row in rows if _base_of(row) not in hidden]


def _base_of(row: AnyRow) -> str | None:
    name = parse_name(row.filename.rpartition("/")[2])
    return name.base if name else None


async def info(connection: AsyncConnection, asker: Asker, site: str, channel: int) -> AnyRow | None:
    """Return what is in a slot of information images, None if it is empty, expired, or before its release.

    It is released when its header and the image of its base name are.
    """
    query = sa.select(info_image).where(
        info_image.c.site == site, info_image.c.channel == channel, info_image.c.expires > asker.now
    )
    row = (await connection.execute(query)).first()
    return None if row is None or await held_back(connection, asker, {row.base_filename}) else row
