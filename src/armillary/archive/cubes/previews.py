"""Pictures and movies of a cube, which are made after it is recorded."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.cubes.models import Options
from armillary.base.work.steps import Step


async def order_previews(connection: AsyncConnection, version_id: int, options: Options, step: Step) -> None:
    """Have the pictures and the movie of a version made, as far as their sources changed."""
