"""The tags of a cube: what its header says is seen in it, in the words of vocabularies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.fits.models import Value
from armillary.settings import SstSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagging:
    """What is seen in a cube: pairs of vocabulary and term, and whether anybody assessed it.

    ``vocabularies`` is by which they were found, None as long as one of these is not known.
    """

    tags: Sequence[tuple[str, str]] = ()
    features: bool = False
    events: bool = False
    warnings: Sequence[str] = ()
    vocabularies: str | None = ""


async def tagging_of(
    connection: AsyncConnection, settings: SstSettings, primary: Mapping[str, Value]
) -> Tagging:
    """Return the tags that a primary header tells."""
    return Tagging()
