"""Grants as the command gives them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import Grantee, Level
from armillary.access.service import GrantKind, grant
from armillary.archive.catalog.service import subject_of


async def grant_all(
    connection: AsyncConnection,
    to: Grantee | str,
    grants: Mapping[GrantKind, str],
    *,
    now: datetime,
    level: Level = Level.OPEN,
) -> None:
    """Let somebody read what is named, or be told of it."""
    for kind, subject in grants.items():
        meant = await subject_of(connection, subject) if kind == "file" else subject
        await grant(connection, to, kind, meant, now=now, level=level)
