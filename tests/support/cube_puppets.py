"""Real workers that take files in: one run for each life, or as many as they can until they are killed.

One that is told a step is killed when its run begins that. One that is told to be `BUSY` works on.

``python -m tests.support.cube_puppets SOCKET DSN NAME DATA`` forks them; `tests.support.puppets` says how.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.cubes.run import ingest_cube
from armillary.archive.intake.orders import INGEST, INGEST_CUBE
from armillary.archive.kinds import KINDS
from armillary.base.clock import SystemClock
from armillary.base.database import Database, Role
from armillary.base.signals import PostgresSignals
from armillary.base.store.stores import Stores
from armillary.base.work import Claim, Kind, Worker
from armillary.base.work.steps import Step, Steps
from armillary.context import Context
from armillary.settings import IngestionSettings, Settings, WorkSettings
from armillary.sky.healpix import healpix_index
from tests.support.puppets import Strings, main

APPLICATION = "intake"
MOST_ATTEMPTS = 3
END = "end"
"""Behind the last step: its transaction is committed."""
BUSY = "busy"
MOST_LIVES = 50
"""On a slow machine many a worker dies before it has ended anything; that is not for the order to answer for."""


def settings_of(data: Path, *, attempts: int) -> Settings:
    """Return the settings of an archive with the ingestion root ``sst`` in a directory."""
    work = WorkSettings(retry_first_s=0.01, retry_last_s=0.02, lease_s=3600.0, max_attempts=attempts)
    return Settings(data=data, work=work, ingestion=IngestionSettings(roots={"sst": root_of(data)}))


def root_of(data: Path) -> Path:
    """Return the ingestion root of an archive."""
    return data / "sst"


def context_of(database: Database, data: Path, *, attempts: int = MOST_ATTEMPTS) -> Context:
    """Return what a worker needs."""
    signals, settings = PostgresSignals(database), settings_of(data, attempts=attempts)
    return Context(settings, database, Stores(data / "private"), signals, SystemClock())


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(doomed: str) -> None:
    """Let this process be killed when it begins a step, after that is written down, or at the `END`."""
    step, note, completing = Steps.step, Steps.note, Claim.completing

    @asynccontextmanager
    async def last_step(
        self: Steps, name: str, connection: AsyncConnection | None = None, **details: Any
    ) -> AsyncIterator[Step]:
        async with step(self, name, connection, **details) as one:
            if name == doomed:
                _die()
            yield one

    @wraps(note)
    def last_note(self: Steps, name: str, **details: Any) -> Step:
        if name == doomed:
            _die()
        return note(self, name, **details)

    @asynccontextmanager
    async def last_end(self: Claim, *values: Any) -> AsyncIterator[AsyncConnection]:
        async with completing(self, *values) as connection:
            yield connection
        if doomed == END:
            _die()

    setattr(Steps, "step", last_step)  # noqa: B010  # mypy knows that methods are not assigned
    setattr(Steps, "note", last_note)  # noqa: B010
    setattr(Claim, "completing", last_end)  # noqa: B010


async def _live(strings: Strings, doomed: Any, dsn: str, name: str, data: Path) -> None:
    if doomed not in (None, BUSY):
        die_at(doomed)
    database = await Database.connect(
        dsn, Role.WORKER, name=name, application=APPLICATION, home=data, pool_size=3
    )
    context = context_of(database, data, attempts=MOST_ATTEMPTS if doomed != BUSY else MOST_LIVES)
    if doomed == BUSY:
        intake = [one for one in KINDS if one.name in (INGEST, INGEST_CUBE)]
        await Worker(context, intake, name="busy", slots=2).run(asyncio.Event())
    worker = Worker(context, [Kind(INGEST_CUBE, ingest_cube)], name="life", slots=1)
    await strings.tell(ran=await worker.run_one())


if __name__ == "__main__":
    # What a worker would load first, all of its siblings have.
    healpix_index(0.0, 0.0)
    main(_live, *sys.argv[1:4], Path(sys.argv[4]))
