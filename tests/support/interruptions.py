"""Runs of edits that end in the middle, as by a kill, inside one process."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import pytest

from armillary.base.work import Claim
from armillary.base.work.intents import record_intents
from armillary.base.work.ledger import Ledger
from armillary.edits import golive, tasks
from armillary.edits.kinds import FOLD, KINDS, UPDATE_HEADERS
from tests.support.archive import Archive


class Killed(BaseException):
    """The process ended here."""


async def claim_all(archive: Archive, kind: str = UPDATE_HEADERS) -> list[Claim]:
    """Take back what the dead hold and claim what is due, as a worker would."""
    ledger = Ledger(archive.context.database, archive.context.settings.work, "victim")
    try:
        await ledger.sweep()
        return await ledger.exchange((), [kind], 10, {UPDATE_HEADERS: FOLD})
    finally:
        await ledger.close()


async def interrupt(
    archive: Archive, point: str, kind: str = UPDATE_HEADERS, *, certain: bool = True
) -> None:
    """Begin the waiting edits and die: when they are ``intended``, or when they are ``live``.

    A run that finds its plain file done has nothing to intend any more, so it is not ``certain`` to die there.
    """

    async def die(_context: Any, jobs: Sequence[Any]) -> None:
        if jobs:
            raise Killed

    async def intend_and_die(pairs: Sequence[tuple[Claim, Any]]) -> None:
        await record_intents(pairs)
        raise Killed

    claims = await claim_all(archive, kind)
    with pytest.MonkeyPatch.context() as patch:
        if point == "live":
            patch.setattr(tasks, "_record", die)
        else:
            patch.setattr(golive, "record_intents", intend_and_die)
        handler = next(one.load() for one in KINDS if one.name == kind)
        assert claims
        with pytest.raises(Killed) if certain else contextlib.suppress(Killed):
            await handler(archive.context, claims)
    await expire(archive)


async def expire(archive: Archive, **columns: int) -> None:
    """Let the lease of every started order end, and set columns of theirs."""
    more = "".join(f", {name} = {value}" for name, value in columns.items())
    query = f"UPDATE work_order SET lease_until = now() - interval '1 s'{more} WHERE state = 'Started'"
    async with archive.context.database.begin() as connection:
        await connection.exec_driver_sql(query)
