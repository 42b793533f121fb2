"""Whether the archive works: a database that answers, workers that live, a queue that moves."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum

from armillary.base.database import is_transient
from armillary.context import Context
from armillary.errors import Unavailable
from armillary.operations import store
from armillary.operations.status import queues

PATIENCE_S = 3.0


class DatabaseAway(Unavailable):
    """The database does not answer; nothing works until it does."""

    code = "database_away"


class Verdict(StrEnum):
    """What an archive is good for."""

    OK = "ok"
    DEGRADED = "degraded"
    """It answers questions, and nobody does the work that it accepts."""


@dataclass(frozen=True, slots=True)
class Health:
    """How it goes; ``oldest_waiting_s`` is the age of the order that waits for longest, in seconds."""

    status: Verdict
    workers: int
    waiting: int
    started: int
    oldest_waiting_s: float | None


async def health_of(context: Context, *, patience_s: float = PATIENCE_S) -> Health:
    """Return how it goes.

    Raises
    ------
    DatabaseAway
        If the database does not answer within ``patience_s``.
    """
    try:
        async with asyncio.timeout(patience_s), context.database.begin() as connection:
            workers = len(await store.living(connection))
            found = await queues(connection)
    except Exception as error:
        if isinstance(error, TimeoutError) or is_transient(error):
            raise DatabaseAway from error
        raise
    return Health(
        status=Verdict.OK if workers else Verdict.DEGRADED,
        workers=workers,
        waiting=sum(one.waiting for one in found),
        started=sum(one.started for one in found),
        oldest_waiting_s=max((one.oldest_waiting_s or 0.0 for one in found if one.waiting), default=None),
    )
