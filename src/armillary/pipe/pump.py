"""Group commit: requests that wait are carried out together, by one transaction at a time.

A request that finds nothing under way is carried out at once and alone. What comes meanwhile waits in a list, and
the next transaction takes all of it: the longer one takes, the more the next one does.

A commit can be lost from sight: the connection breaks after COMMIT was sent and before its answer came. So each
batch writes its number into the row of its writer (`pipe_writer`), in its own transaction, and who has lost sight
of a commit asks for the number, which waits for the old transaction to end, however that does. Until it is known,
nobody gets an answer: one that says "not stored" of what is stored would be a lie, and have it sent twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from uuid import UUID, uuid4

import asyncpg

from armillary.base.database import Database, let_go
from armillary.base.database_errors import TooSlow, is_full, is_transient, is_undone, reason_of
from armillary.base.log import get_logger
from armillary.base.metrics import PIPE_BATCHES
from armillary.errors import ArmillaryError, Unavailable
from armillary.pipe import store

log = get_logger(__name__)
MOST = 500
"""Requests of one transaction."""
PATIENCE_S = 10.0
AWAY = "The database is away; nothing was done. Retry shortly."
PAUSE_FIRST_S, PAUSE_LAST_S = 0.05, 2.0
PLANNER = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "enable_hashjoin": "off"}
"""A queue is mostly empty when statistics are taken, and long when plans matter."""

A = TypeVar("A")
"""What is asked."""
R = TypeVar("R")
"""What is answered."""
Work = Callable[[asyncpg.Connection, UUID, int, Sequence[A]], Awaitable[Sequence[R]]]
"""Carries a batch out inside of a transaction, and marks it with the writer and number that it gets."""


@dataclass(slots=True, eq=False)
class _Waiting(Generic[A, R]):
    asked: A
    answer: asyncio.Future[R]
    since: float = field(default_factory=time.monotonic)


class Pump(Generic[A, R]):
    """Carries out requests of one kind, on a connection of its own.

    Parameters
    ----------
    unwanted
        Is given the answers that nobody waits for any more, since their callers were cancelled.
    patience_s
        How long a request waits for a database that is away, before it is told that nothing was done.
    """

    def __init__(
        self,
        database: Database,
        work: Work[A, R],
        *,
        name: str,
        unwanted: Callable[[Sequence[R]], None] = lambda _answers: None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._database, self._work, self._unwanted = database, work, unwanted
        self._patience_s = patience_s
        self._batches = PIPE_BATCHES.labels(name)
        self._waiting: list[_Waiting[A, R]] = []
        self._running: asyncio.Task[None] | None = None
        self._connection: asyncpg.Connection | None = None
        self._begun = False
        """Whether the connection is in a transaction that nothing has been done in."""
        self._writer, self._number = uuid4(), 0

    async def ask(self, asked: A) -> R:
        """Let something be done with the next batch, and return the answer.

        Raises
        ------
        Unavailable
            If it was not done, and will not be, since the database is away.
        """
        waiting: _Waiting[A, R] = _Waiting(asked, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        return await waiting.answer

    async def close(self) -> None:
        """Finish what is asked, unless the database keeps that waiting, and close the connection."""
        if self._running is not None and not self._running.done():
            await asyncio.wait([self._running], timeout=self._patience_s)
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running
        await self._drop()

    async def _run(self) -> None:
        while self._waiting or self._begun:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            # Nothing is done for those whose callers were cancelled meanwhile.
            batch = [one for one in batch if not one.answer.done()]
            if batch:
                self._batches.observe(len(batch))
                await self._settle(batch)
            elif self._begun:
                # It was meant for those who were cancelled. Others may come while it ends.
                await self._drop()

    async def _settle(self, batch: Sequence[_Waiting[A, R]]) -> None:
        """Answer every request of a batch."""
        try:
            answers = await self._done(batch)
        except asyncio.CancelledError:
            for one in batch:
                one.answer.cancel()
            raise
        except Exception as error:
            if len(batch) > 1 and not is_transient(error):
                # One of them may be what the database refuses, and the others should not share its fate.
                for one in batch:
                    await self._settle([one])
                return
            told = _told(error)
            for one in batch:
                if not one.answer.done():
                    one.answer.set_exception(told)
            return
        unwanted = []
        for one, answer in zip(batch, answers, strict=True):
            if one.answer.done():
                unwanted.append(answer)
            else:
                one.answer.set_result(answer)
        if unwanted:
            self._unwanted(unwanted)

    async def _done(self, batch: Sequence[_Waiting[A, R]]) -> Sequence[R]:
        """Carry a batch out; again, if the database was away and nothing was done."""
        pause_s = PAUSE_FIRST_S
        while True:
            try:
                return await self._attempt([one.asked for one in batch])
            except Exception as error:
                await self._drop()
                late = time.monotonic() - min(one.since for one in batch) > self._patience_s
                if late or not is_transient(error) or is_full(error):
                    raise
                log.info("database away", error=reason_of(error))
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, PAUSE_LAST_S)

    async def _attempt(self, asked: Sequence[A]) -> Sequence[R]:
        """Carry requests out in a transaction; every exception means that nothing was done, for certain."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._database.dedicated(**PLANNER)
        connection = self._connection
        self._number += 1
        if not self._begun:
            await connection.execute("BEGIN")
        self._begun = False
        answers = await self._work(connection, self._writer, self._number, asked)
        # Whoever waits already gets the next transaction with the end of this one: each message to the server
        # takes as long as the rest of a request.
        chained = bool(self._waiting)
        try:
            await connection.execute("COMMIT; BEGIN" if chained else "COMMIT")
            self._begun = chained
        except Exception as error:
            # What was refused may have been the second of two statements.
            if is_undone(error) and not chained:
                raise
            log.warning("commit out of sight", batch=self._number, error=reason_of(error))
            if not await self._was_committed(self._number):
                raise
        return answers

    async def _was_committed(self, number: int) -> bool:
        """Find out what became of a batch, however long that takes: nobody may be told anything before."""
        pause_s = PAUSE_FIRST_S
        while True:
            await self._drop()
            try:
                self._connection = await self._database.dedicated(**PLANNER)
                committed = await store.ask_for_batch(self._connection, self._writer) == number
            except Exception as error:
                log.warning("commit still out of sight", batch=number, error=reason_of(error))
                self._give_up_late()
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, PAUSE_LAST_S)
            else:
                log.info("commit found", batch=number, committed=committed)
                return committed

    def _give_up_late(self) -> None:
        """Tell those who wait for a later batch, and for long, that nothing was done for them."""
        now = time.monotonic()
        for one in self._waiting:
            if now - one.since > self._patience_s and not one.answer.done():
                one.answer.set_exception(Unavailable(AWAY))

    async def _drop(self) -> None:
        connection, self._connection, self._begun = self._connection, None, False
        if connection is not None:
            await let_go(connection)


def _told(error: Exception) -> Exception:
    """Return what those are told whose requests were not carried out."""
    if isinstance(error, ArmillaryError):
        return error
    if isinstance(error, asyncpg.QueryCanceledError):
        return TooSlow("The queue is busy; nothing was done. Retry shortly.")
    if is_transient(error) and not is_full(error):
        return Unavailable(AWAY)
    return error
