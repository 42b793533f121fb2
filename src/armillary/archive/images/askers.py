"""Who asks about images, and which they may know of."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import Principal, Scope
from armillary.archive.images.headers import columns_of
from armillary.archive.images.tables import image, info_image

Rows = sa.FromClause
"""The table of images, or another name of it in the same statement."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and when: images before their release are for those who may read everything."""

    principal: Principal
    now: datetime

    def may_know(self, rows: Rows) -> list[sa.ColumnElement[bool]]:
        """Return what images fulfil that the asker may know of."""
        alive = sa.or_(rows.c.expires.is_(None), rows.c.expires > self.now)
        if self.principal.may(Scope.READ):
            return [alive]
        return [alive, sa.or_(rows.c.release_date.is_(None), rows.c.release_date <= self.now.date())]

    def images(self, *conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
        """Return the query of the images that the asker may know of."""
        return sa.select(image).where(*self.may_know(image), *conditions)

    def shown(self, *conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
        """Return the query of those of them that have a picture."""
        return self.images(has_picture(image), *conditions)


def has_picture(rows: Rows) -> sa.ColumnElement[bool]:
    return rows.c.jpg_medium_key.is_not(None)


async def held_back(connection: AsyncConnection, asker: Asker, bases: Collection[str]) -> set[str]:
    """Return those of some base names that are not released yet, for an asker whom that concerns.

    Images and information images of one base name are of one exposure: what one says holds for the others.
    """
    if not bases or asker.principal.may(Scope.READ):
        return set()
    today, wanted = asker.now.date(), sa.cast(sorted(bases), sa.ARRAY(sa.Text))
    early = sa.select(image.c.base_filename).where(
        image.c.base_filename == sa.any_(wanted), image.c.release_date > today
    )
    found = set((await connection.execute(early)).scalars())
    headers = sa.select(info_image.c.base_filename, info_image.c.header).where(
        info_image.c.base_filename == sa.any_(wanted)
    )
    for base, header in await connection.execute(headers):
        release = columns_of(header or {}).release_date
        if release is not None and release > today:
            found.add(base)
    return found
