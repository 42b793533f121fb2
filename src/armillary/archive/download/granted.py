"""The record of files that go out before their release, because a grant lets somebody read them."""

from __future__ import annotations

from armillary.access import service as access
from armillary.access.models import Principal
from armillary.archive.download.serving import Served
from armillary.archive.query.visibility import Reason
from armillary.context import Context

BY_GRANT = frozenset({Reason.PI, Reason.GRANTED, Reason.INSTRUMENT_TEAM})


async def note_if_granted(
    context: Context, served: Served, viewer: Principal, *, start: int = 0, stop: int | None = None
) -> None:
    """Record that bytes of a version from ``start`` up to ``stop`` go to somebody whom a grant lets read it.

    It is asked before the first byte is sent, and a failure keeps that from being sent. Whoever may read
    everything, and what is public, is not recorded: that costs nothing.
    """
    if served.reason not in BY_GRANT:
        return
    version = served.version
    async with context.database.begin() as connection:
        await access.note_read(
            connection,
            viewer.name,
            reason=served.reason,
            file_id=version.file_id,
            version_id=version.id,
            name=version.name,
            first_byte=start,
            count=None if stop is None else stop - start,
            now=context.clock.now(),
        )
