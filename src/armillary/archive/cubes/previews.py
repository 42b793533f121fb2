"""Pictures and movies of a cube, which are made after it is recorded."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog.models import Version
from armillary.archive.cubes.models import Options
from armillary.archive.products import service as products
from armillary.base.work.steps import Step, StepOutcome
from armillary.context import Context


@dataclass(frozen=True, slots=True)
class Ordered:
    """The orders that see to the pictures and the movie of a version."""

    version_id: int
    orders: tuple[int, ...] = ()


async def order_previews(
    context: Context,
    connection: AsyncConnection,
    version: Version,
    options: Options,
    step: Step,
    *,
    former: int | None,
    actor: str,
) -> Ordered:
    """Have the pictures and the movie of a version made, as far as they are not as they should be.

    A picture that cannot be made keeps nobody from the cube: its own order fails, and the step tells why.
    """
    said = options.to_args()
    standing = await products.media_standing(context, connection, version, products.MediaOptions.of(said))
    if all(one.up_to_date for one in standing):
        step.skip("; ".join(dict.fromkeys(f"{one.kind}: {one.reason}" for one in standing)))
        return Ordered(version.id)
    orders = await products.submit_cube_media(connection, version.id, said, former=former, actor=actor)
    return Ordered(version.id, tuple(orders))


async def previews_made(connection: AsyncConnection, ordered: Ordered) -> tuple[StepOutcome | None, str]:
    """Return how the making of pictures ended, and why so; no outcome as long as it goes on."""
    found = await products.media_outcome(connection, ordered.version_id, ordered.orders)
    return (found.outcome, found.why) if found else (None, "they are being made")
