"""Which cards of a file people have set since it came: their values stay when its first header is merged."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import OPERATOR
from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Version
from armillary.context import Context
from armillary.edits import service as edits
from armillary.edits.models import AuditQuery, Outcome

OURS = ("edit", "revert")
"""Origins of versions that are made of others: their bytes are no new pixels."""
PAGE = 200


async def set_by_people(context: Context, version: Version, author: str) -> frozenset[tuple[int, str]]:
    """Return HDU and keyword of the cards of a version that others than ``author`` have set and not taken back."""
    if version.origin not in OURS:
        return frozenset()
    found: set[tuple[int, str]] = set()
    before: int | None = None
    async with context.database.begin() as connection:
        brought = await _brought(connection, version)
        while True:
            asked = AuditQuery(file_id=version.file_id, outcome=Outcome.CHANGED, before=before, limit=PAGE)
            page = await edits.audit(connection, asked, OPERATOR, today=context.clock.now().date())
            for one in page.edits:
                standing = one.actor != author and one.reverted_by is None and one.reverts is None
                if standing and (one.version_after or 0) > brought:
                    found |= {(int(str(card["extension"])), card["keyword"]) for card in one.cards or ()}
            if page.before is None:
                return frozenset(found)
            before = page.before


async def _brought(connection: AsyncConnection, version: Version) -> int:
    """Return the version that brought the present pixels: what was edited before was in other ones."""
    known = await catalog.versions_of(connection, version.file_id)
    return max((one.id for one in known if one.origin not in OURS and one.id <= version.id), default=0)
