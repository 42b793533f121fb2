"""Whether the archive works: a database that answers and writes, workers that live, a queue that moves."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum

from armillary import __version__
from armillary.base.database_errors import DOWN, DatabaseFull, is_transient
from armillary.context import Context
from armillary.operations import store
from armillary.operations.acceptance import Doors
from armillary.operations.errors import DatabaseAway
from armillary.operations.status import queues

PATIENCE_S = 3.0


class Verdict(StrEnum):
    """What an archive is good for."""

    OK = "ok"
    DEGRADED = "degraded"
    """It answers questions and accepts work, and nobody does it, or some of it waits for room."""
    REFUSING = "refusing"
    """It answers questions, and cannot accept edits or uploads."""


@dataclass(frozen=True, slots=True)
class Health:
    """How it goes; ``oldest_waiting_s`` is the age of the order that waits for longest, in seconds.

    ``held`` orders wait for room on a disk or in the database; ``version`` is that of the program.
    """

    status: Verdict
    accepts_edits: bool
    accepts_uploads: bool
    reasons: tuple[str, ...]
    workers: int
    waiting: int
    started: int
    held: int
    oldest_waiting_s: float | None
    version: str


async def health_of(
    context: Context, *, doors: Doors | None = None, patience_s: float = PATIENCE_S
) -> Health:
    """Return how it goes; with ``doors`` it is not tried anew at every call what can be accepted.

    Raises
    ------
    DatabaseAway
        If the database does not answer within ``patience_s``.
    DatabaseFull
        If it cannot even begin a session, or start.
    """
    try:
        async with asyncio.timeout(patience_s):
            accepts = await (doors or Doors(context)).look()
            async with context.database.begin() as connection:
                workers = len(await store.living(connection))
                found = await queues(connection)
    except DatabaseFull:
        raise
    except Exception as error:
        if isinstance(error, TimeoutError) or is_transient(error):
            raise DatabaseAway() if context.database.has_room() else DatabaseFull(DOWN) from error
        raise
    held = sum(one.held for one in found)
    reasons = [*accepts.reasons]
    reasons += [] if workers else ["No worker lives: what is accepted waits."]
    reasons += [f"Orders that wait for room: {held}; `armillary status` tells where."] if held else []
    working = Verdict.DEGRADED if held or not workers else Verdict.OK
    return Health(
        status=working if accepts.whole else Verdict.REFUSING,
        accepts_edits=accepts.edits,
        accepts_uploads=accepts.uploads,
        reasons=tuple(reasons),
        workers=workers,
        waiting=sum(one.waiting for one in found),
        started=sum(one.started for one in found),
        held=held,
        oldest_waiting_s=max((one.oldest_waiting_s or 0.0 for one in found if one.waiting), default=None),
        version=__version__,
    )
