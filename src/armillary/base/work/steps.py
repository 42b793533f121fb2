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

    def skip(self, why: str) -> None:
        """Note that there was nothing to do, and why."""
        self.outcome, self.why = StepOutcome.SKIPPED, why

    def fail(self, why: str) -> None:
        """Note that it failed, and why."""
        self.outcome, self.why = StepOutcome.FAILED, why

    def to_json(self) -> JsonObject:
        """Return it as it is stored, ``ms`` milliseconds after it began."""
        ms = round(1000 * (time.monotonic() - self.began))
        return {"name": self.name, "outcome": str(self.outcome), "why": self.why, "ms": ms, **self.details}


@asynccontextmanager
async def step(
    claim: Claim, name: str, connection: AsyncConnection | None = None, **details: JsonValue
) -> AsyncIterator[Step]:
    """Make one step of a claimed order in the block, and store how it ended.

    With a ``connection`` the outcome is stored in its transaction, and so is lost together with what the step did.
    A failure is always stored by itself, and the name of the step stays with the order.

    Raises
    ------
    LostLease
        If another worker has the order.
    OrderCancelled
        If somebody cancelled it before the step, and it is not in doubt.
    """
    await _write(claim, name, (), connection)
    one = Step(name, details)
    try:
        yield one
    except Exception as error:
        one.fail(message_of(known(error, name)))
        # What went wrong with the step matters more than that it could not be written down.
        with suppress(DBAPIError, OSError):
            await _write(claim, name, (one,), None, ended=True)
        raise
    await _write(claim, name, (one,), connection, ended=True)


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
