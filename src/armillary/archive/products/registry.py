"""The builders of products: what each makes, and which step of its development it is at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from armillary.archive.products.conversions import STRETCHES, TIF, UNPACKED, plain_fits, tif_of, tifs
from armillary.archive.products.media import MEDIA
from armillary.archive.products.models import Lack, Made
from armillary.archive.products.orders import PREVIEW, TILES
from armillary.archive.products.pictures import pictures
from armillary.archive.products.sources import Work
from armillary.archive.products.standing import KINDS, PARAMETERS, STEPS
from armillary.archive.products.tiles import building
from armillary.context import Context
from armillary.settings import ArchiveSettings

CONVERTED = timedelta(hours=48)
"""How long a conversion is kept that somebody asked for; it is made again for whoever asks later."""


@dataclass(frozen=True, slots=True)
class Builder:
    """How products of some kinds are made of a version.

    Parameters
    ----------
    name
        The kind of its work orders.
    makes
        The kinds of its products.
    step
        Raised when the products come out otherwise: those of an earlier step are made anew, one after another.
    parameters
        What of the settings the products depend on; they are on record with them.
    build
        Returns the products of a version, or why some are not; nothing if they are as they should be. What it
        raises is on record instead of them, but for those that are there from before.
    kept
        How long those who asked for the products may come back for them; none: as long as the version is there.
    batch
        Versions whose products go on record together: all wait for the one that takes longest.
    """

    name: str
    makes: tuple[str, ...]
    step: int
    parameters: Callable[[ArchiveSettings], dict[str, Any]]
    build: Callable[[Context, Work], Awaitable[Sequence[Made | Lack] | None]]
    kept: timedelta | None = None
    batch: int = 4


BUILDERS = (
    Builder(
        name=PREVIEW,
        makes=("preview", "thumbnail"),
        step=1,
        parameters=lambda settings: {"long_side_px": settings.preview_px},
        build=pictures,
    ),
    Builder(
        name=TIF,
        makes=tuple(map(tif_of, STRETCHES)),
        step=1,
        parameters=lambda _: {},
        build=tifs,
        kept=CONVERTED,
    ),
    Builder(
        name=UNPACKED,
        makes=(UNPACKED,),
        step=1,
        parameters=lambda _: {},
        build=plain_fits,
        kept=CONVERTED,
    ),
    Builder(
        name=TILES,
        makes=(TILES,),
        step=building.STEP,
        parameters=building.parameters,
        build=building.tiles,
        batch=1,
    ),
    *(
        Builder(
            name=kind, makes=makes, step=STEPS[kind], parameters=PARAMETERS[kind], build=MEDIA[kind], batch=1
        )
        for kind, makes in KINDS.items()
    ),
)
BY_NAME = {builder.name: builder for builder in BUILDERS}
OF_KIND = {kind: builder for builder in BUILDERS for kind in builder.makes}
