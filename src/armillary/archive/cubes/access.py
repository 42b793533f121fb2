"""Who may read a cube before its release: the owners and groups that its orders name."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.cubes.models import Options
from armillary.context import Context


async def give_access(
    context: Context, connection: AsyncConnection, file_id: int, options: Options, former: Collection[int]
) -> None:
    """Let those read a file whom its order names, and those who might read what it takes the place of."""
