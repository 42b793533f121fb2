"""The steps of a run, stored as they are made: what was done, what was skipped and why, where it failed.

Between two steps a run learns whether it still has its order, and whether somebody cancelled that. Work that makes
steps can therefore be cancelled while it runs; work that makes none cannot.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.work import statements
from armillary.base.work.claim import Claim
from armillary.base.work.errors import OrderCancelled
from armillary.base.work.models import JsonObject, JsonValue
from armillary.base.work.retry import known, message_of
from armillary.base.work.store import dump


class StepOutcome(StrEnum):
    """How a step ended."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(slots=True)
class Step:
    """A step under way; what it is about besides its name, as the number of an HDU, is stored with it."""

    name: str
    details: JsonObject
    outcome: StepOutcome = StepOutcome.DONE
    why: str = ""
    began: float = field(default_factory=time.monotonic)
    ms: int = 0
    """How long it took, once it has ended."""
    lasting: bool = True
    """Whether what it did stays done when a later step fails: it was in no transaction that goes on."""

    def skip(self, why: str) -> None:
        """Note that there was nothing to do, and why."""
        self.outcome, self.why = StepOutcome.SKIPPED, why

    def fail(self, why: str) -> None:
        """Note that it failed, and why."""
        self.outcome, self.why = StepOutcome.FAILED, why

    def end(self) -> None:
        """Note how long it took."""
        self.ms = round(1000 * (time.monotonic() - self.began))

    def to_json(self) -> JsonObject:
        """Return it as it is stored."""
        return {
            "name": self.name,
            "outcome": str(self.outcome),
            "why": self.why,
            "ms": self.ms,
            **self.details,
        }


class Steps:
    """The steps of one run, kept until they are stored with what they did, or after that came to nothing."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self._kept: list[Step] = []

    @asynccontextmanager
    async def step(
        self, name: str, connection: AsyncConnection | None = None, **details: JsonValue
    ) -> AsyncIterator[Step]:
        """Make one step in the block; with a ``connection``, in its transaction.

        Raises
        ------
        LostLease
            If another worker has the order.
        OrderCancelled
            If somebody cancelled it before the step, and it is not in doubt.
        """
        await _write(self._claim, name, (), connection)
        one = Step(name, details, lasting=connection is None)
        self._kept.append(one)
        try:
            yield one
        except Exception as error:
            one.fail(message_of(known(error, name)))
            raise
        finally:
            one.end()

    def note(self, name: str, **details: JsonValue) -> Step:
        """Make a step that takes no time."""
        one = Step(name, details, lasting=False)
        one.end()
        self._kept.append(one)
        return one

    async def store(self, connection: AsyncConnection) -> None:
        """Store the steps in a transaction, and so lose them together with what they did."""
        await _write(self._claim, self._kept[-1].name, tuple(self._kept), connection, ended=True)

    async def store_failed(self) -> None:
        """Store how far a run came that failed: without the steps of its transaction, which came to nothing."""
        made = [one for one in self._kept if one.lasting or one.outcome is StepOutcome.FAILED]
        if made:
            # What went wrong with the step matters more than that it could not be written down.
            with suppress(DBAPIError, OSError):
                await _write(self._claim, made[-1].name, tuple(made), None, ended=True)


@asynccontextmanager
async def step(claim: Claim, name: str, **details: JsonValue) -> AsyncIterator[Step]:
    """Make one step of a claimed order in the block, and store how it ended.

    Raises
    ------
    LostLease
        If another worker has the order.
    OrderCancelled
        If somebody cancelled it before the step, and it is not in doubt.
    """
    steps = Steps(claim)
    try:
        async with steps.step(name, None, **details) as one:
            yield one
    except Exception:
        await steps.store_failed()
        raise
    async with claim.database.begin() as connection:
        await steps.store(connection)


async def _write(
    claim: Claim,
    name: str,
    made: tuple[Step, ...],
    connection: AsyncConnection | None,
    *,
    ended: bool = False,
) -> None:
    if connection is None:
        async with claim.database.begin() as own:
            return await _write(claim, name, made, own, ended=ended)
    order = claim.order
    values = (order.id, order.fence, name, dump([one.to_json() for one in made]))
    row = (await connection.exec_driver_sql(statements.STEP, values)).first()
    if row is None:
        raise claim.lose()
    # What a step has done stays done: the order ends at the beginning of the next one.
    if row.cancelled is not None and not ended:
        raise OrderCancelled(row.cancelled)
    return None
