"""What a client may conclude from the answer: keys that live their time, and commits whose answer got lost."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.database import Database
from armillary.context import Context
from armillary.edits.errors import KeyReused, OutcomeUnknown
from armillary.edits.status import status_of
from tests.support.archive import ORIGIN, Archive, put
from tests.support.edits import Asked, accept
from tests.support.statements import asked_of


@dataclasses.dataclass
class LateClock:
    """A clock ahead of the others."""

    ahead: timedelta
    clock: Any

    def now(self) -> datetime:
        moment: datetime = self.clock.now() + self.ahead
        return moment


@dataclasses.dataclass
class LosingDatabase:
    """A database that is lost before or after a commit."""

    database: Database
    committed: bool

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        async with self.database.begin() as connection:
            yield connection
            if not self.committed:
                raise ConnectionResetError
        raise ConnectionResetError


def a_body(*names: str, value: int = 1) -> bytes:
    return json.dumps([{"filename": name, "values": {"generic": {"A": value}}} for name in names]).encode()


async def send(archive: Archive, body: bytes, *, hours: float = 0, key: str | None = "k") -> Asked:
    context = archive.context
    clock = LateClock(timedelta(hours=hours), context.clock)
    return await accept(dataclasses.replace(context, clock=clock), body, ORIGIN, idempotency_key=key)


async def updates(archive: Archive) -> int:
    """Return how many header updates were ever queued."""
    async with archive.context.database.begin() as connection:
        query = text("SELECT count(*) FROM work_order WHERE kind = 'update_headers'")
        return int(await connection.scalar(query) or 0)


@pytest.fixture
async def archive_of_one(archive: Archive) -> Archive:
    assert (await archive.ingest(put(archive.directory / "in" / "a.fits"))).ingested == 1
    return archive


async def test_a_key_lives_its_hours_and_the_status_its_days(archive_of_one: Archive) -> None:
    archive = archive_of_one
    hours = archive.context.settings.edits.idempotency_h
    first = await send(archive, a_body("a.fits"))
    assert (await send(archive, a_body("a.fits"), hours=hours - 1)).request_id == first.request_id
    with pytest.raises(KeyReused):
        await send(archive, a_body("a.fits", value=2), hours=hours - 1)
    second = await send(archive, a_body("a.fits", value=2), hours=hours + 1)
    assert second.request_id != first.request_id
    assert first.request_id is not None
    assert (await status_of(archive.context, first.request_id)).edits[0].queued
    again = await send(archive, a_body("a.fits", value=2), hours=hours + 2)
    assert again.request_id == second.request_id


async def test_requests_with_one_key_at_once_are_one_request(archive_of_one: Archive) -> None:
    archive = archive_of_one
    answers = await asyncio.gather(*(send(archive, a_body("a.fits")) for _ in range(5)))
    assert len({one.request_id for one in answers}) == 1
    assert await updates(archive) == 1


async def test_fifty_items_are_accepted_by_a_handful_of_statements_and_one_commit(archive: Archive) -> None:
    names = [f"N20260101S{number:04d}.fits" for number in range(50)]
    report = await archive.ingest(*(put(archive.directory / "in" / name) for name in names))
    assert report.ingested == 50
    with asked_of(archive.context.database) as one:
        await send(archive, a_body(names[0]), key=None)
    with asked_of(archive.context.database) as fifty:
        await send(archive, a_body(*names), key=None)
    assert await updates(archive) == 51
    assert len(fifty.statements) == len(one.statements) <= 10, fifty.statements
    assert (one.commits, fifty.commits) == (1, 1)


def losing(archive: Archive, *, committed: bool) -> Context:
    database: Any = LosingDatabase(archive.context.database, committed)
    return dataclasses.replace(archive.context, database=database)


@pytest.mark.parametrize("committed", [True, False])
async def test_a_commit_without_an_answer_is_said_to_be_unknown(
    archive_of_one: Archive, committed: bool
) -> None:
    archive = archive_of_one
    if committed:
        with pytest.raises(OutcomeUnknown, match="same Idempotency-Key"):
            await accept(losing(archive, committed=True), a_body("a.fits"), ORIGIN, idempotency_key="k")
    else:
        with pytest.raises(ConnectionResetError):
            await accept(losing(archive, committed=False), a_body("x.fits"), ORIGIN, idempotency_key="k")
    before = await updates(archive)
    repeated = await send(archive, a_body("a.fits"))
    assert repeated.reply == [{"result": True, "id": "a.fits"}]
    assert await updates(archive) - before == (0 if committed else 1)


async def test_a_request_without_work_is_certain(archive_of_one: Archive) -> None:
    context = losing(archive_of_one, committed=True)
    with pytest.raises(ConnectionResetError):
        await accept(context, a_body("nowhere.fits"), ORIGIN, idempotency_key="k")
