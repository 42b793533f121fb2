"""A database that goes away: who is told that nothing was done is told the truth, and nothing is done twice.

Between the program and a real server stands a wire that can be cut in front of a COMMIT, or behind it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

from armillary.base.database import Database, Role
from armillary.base.postgres.server import EmbeddedServer
from armillary.context import Context
from armillary.errors import Unavailable
from armillary.pipe import pump, store
from armillary.pipe.models import Item
from armillary.pipe.pump import PATIENCE_S
from armillary.pipe.service import Exchange
from tests.support.archive import an_archive
from tests.support.patience import in_time
from tests.support.pipe import a_new, drained, make, value_of, wanted
from tests.support.postgres import end_sessions

COMMIT, CHAINED = b"COMMIT", b"COMMIT; BEGIN\x00"


class Wire:
    """A socket of its own in front of that of the server; one connection after the other can be cut."""

    def __init__(self, server: Path) -> None:
        self._server = server
        self.lose: str | None = None
        """What of the next commit gets lost: the ``request``, or the ``answer``."""
        self.refuses = False
        self.cuts = self.chained = 0
        self.at_chain: Callable[[], object] = lambda: None
        self.cut = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until it is cut."""
        if self.refuses:
            writer.close()
            return
        there, back = await asyncio.open_unix_connection(str(self._server))
        losing = asyncio.Event()
        ends = [
            asyncio.ensure_future(self._forth(reader, back, losing)),
            asyncio.ensure_future(self._back(there, writer, losing)),
        ]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        await asyncio.gather(*ends, return_exceptions=True)
        for one in (writer, back):
            one.close()

    async def _forth(
        self, reader: asyncio.StreamReader, server: asyncio.StreamWriter, losing: asyncio.Event
    ) -> None:
        while data := await reader.read(1 << 16):
            if CHAINED in data:
                self.at_chain()
            if COMMIT in data and self.lose:
                self.cuts += 1
                self.chained += CHAINED in data
                self.cut.set()
                lost, self.lose = self.lose, None
                if lost == "request":
                    return
                losing.set()
            server.write(data)
            await server.drain()

    async def _back(
        self, server: asyncio.StreamReader, writer: asyncio.StreamWriter, losing: asyncio.Event
    ) -> None:
        while data := await server.read(1 << 16):
            if losing.is_set():
                return
            writer.write(data)
            await writer.drain()


@pytest.fixture
async def context(postgres: EmbeddedServer, tmp_path: Path) -> AsyncIterator[Context]:
    async with an_archive(postgres, tmp_path) as archive:
        yield archive.context


@pytest.fixture
async def wire(postgres: EmbeddedServer, tmp_path: Path) -> AsyncIterator[Wire]:
    """Put a wire in front of the server."""
    host = Path(str(postgres.dsn.host))
    one = Wire(host / ".s.PGSQL.5432")
    server = await asyncio.start_unix_server(one.serve, str(tmp_path / ".s.PGSQL.5432"))
    yield one
    server.close()


@pytest.fixture
async def away(context: Context, wire: Wire, tmp_path: Path) -> AsyncIterator[Database]:
    """Open the database through the wire, as a web process does."""
    url = f"postgresql://{Role.WEB}@/{context.database.name}?host={tmp_path}"
    database = await Database.connect(url, Role.WEB, name=context.database.name, pool_size=2, away_s=0.05)
    yield database
    wire.lose, wire.refuses = None, False
    await database.close()


@pytest.fixture
async def exchange(
    request: pytest.FixtureRequest, context: Context, away: Database, wire: Wire
) -> AsyncIterator[Exchange]:
    """Open an exchange whose connections go through the wire, and which soon tries again."""
    patience_s = getattr(request, "param", PATIENCE_S)
    one = Exchange(dataclasses.replace(context, database=away), patience_s=patience_s)
    yield one
    wire.lose, wire.refuses = None, False
    await one.close()


@pytest.mark.parametrize("lost", ["request", "answer"])
async def test_items_are_stored_once_whatever_of_a_commit_is_lost(
    context: Context, exchange: Exchange, wire: Wire, lost: str
) -> None:
    await make(context)
    for number in range(6):
        wire.lose = lost if number % 2 else None
        assert value_of(await exchange.enqueue(a_new(number))) == number
    assert wire.cuts == 3
    assert await drained(exchange) == list(range(6))


@pytest.mark.parametrize("lost", ["request", "answer"])
async def test_items_are_taken_once_whatever_of_a_commit_is_lost(
    context: Context, exchange: Exchange, wire: Wire, lost: str
) -> None:
    await make(context)
    await asyncio.gather(*(exchange.enqueue(a_new(number)) for number in range(12)))
    found = []
    for _ in range(3):
        wire.lose = lost
        found += await asyncio.gather(*(exchange.dequeue(wanted()) for _ in range(4)))
    assert wire.cuts == 3
    assert [value_of(one) for one in found] == list(range(12))
    assert await drained(exchange) == []


@pytest.mark.parametrize("exchange", [0.2], indirect=True)
async def test_nobody_is_answered_before_it_is_known(
    context: Context, exchange: Exchange, wire: Wire
) -> None:
    """While the database is away, those behind a doubtful commit are told that nothing was done, and it is not."""
    await make(context)
    await exchange.enqueue(a_new(0))
    wire.lose, wire.refuses = "answer", True
    doubtful = asyncio.create_task(exchange.enqueue(a_new(1)))
    await wire.cut.wait()
    with pytest.raises(Unavailable, match="nothing was done"):
        await exchange.enqueue(a_new(2))
    assert not doubtful.done()
    wire.refuses = False
    assert value_of(await doubtful) == 1
    assert await drained(exchange) == [0, 1]


async def beside(exchange: Exchange, number: int) -> list[asyncio.Task[Item]]:
    """Send items of which all but the first wait for the end of its transaction."""
    tasks = []
    for one in range(number):
        tasks.append(asyncio.create_task(exchange.enqueue(a_new(one))))
        # One turn to ask, and for the first one more to be under way.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    return tasks


@pytest.mark.parametrize("lost", ["request", "answer"])
async def test_a_commit_with_which_the_next_transaction_begins_may_be_lost_as_well(
    context: Context, exchange: Exchange, wire: Wire, lost: str
) -> None:
    await make(context)
    for turn in range(3):
        wire.lose = lost
        stored = await asyncio.gather(*await beside(exchange, 4))
        assert [value_of(one) for one in stored] == list(range(4))
        assert (wire.cuts, wire.chained) == (turn + 1, turn + 1)
    assert await drained(exchange) == 3 * list(range(4))


async def test_a_transaction_that_nobody_needs_any_more_is_ended(
    context: Context, exchange: Exchange, wire: Wire, away: Database
) -> None:
    await make(context)
    first, second = await beside(exchange, 2)
    wire.at_chain = second.cancel
    assert value_of(await first) == 0
    with pytest.raises(asyncio.CancelledError):
        await second
    asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND state = 'idle in transaction'"
    # Whose session it is may see what it does.
    async with away.raw() as connection:
        deadline = time.monotonic() + PATIENCE_S
        while await connection.fetchval(asked, context.database.name):
            in_time(deadline, "a transaction stays open")
            await asyncio.sleep(0.01)
    assert value_of(await exchange.enqueue(a_new(2))) == 2
    assert await drained(exchange) == [0, 2]


async def test_who_comes_while_a_transaction_ends_that_nobody_needs_is_not_forgotten(
    context: Context, exchange: Exchange, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make(context)
    ending, go_on = asyncio.Event(), asyncio.Event()
    let_go = pump.let_go

    async def held(connection: asyncpg.Connection) -> None:
        ending.set()
        await go_on.wait()
        await let_go(connection)

    monkeypatch.setattr(pump, "let_go", held)
    first, second = await beside(exchange, 2)
    wire.at_chain = second.cancel
    assert value_of(await first) == 0
    async with asyncio.timeout(PATIENCE_S):
        await ending.wait()
        third = asyncio.create_task(exchange.enqueue(a_new(2)))
        await asyncio.sleep(0)
        go_on.set()
        assert value_of(await third) == 2
    assert await drained(exchange) == [0, 2]


async def test_requests_wait_for_a_server_that_ends_all_sessions(
    context: Context, exchange: Exchange, postgres: EmbeddedServer
) -> None:
    await make(context)
    assert context.database.name
    for number in range(3):
        await end_sessions(postgres, context.database.name)
        await _enqueued(exchange, number)
    assert await drained(exchange) == [0, 1, 2]


async def _enqueued(exchange: Exchange, number: int) -> None:
    assert value_of(await exchange.enqueue(a_new(number))) == number


async def test_the_mark_of_a_batch_waits_for_the_transaction(context: Context) -> None:
    """Who asks for the last batch of a writer waits for one that is under way, also if it is the first."""
    await make(context)
    writer = uuid4()
    async with context.database.raw() as slow, context.database.raw() as asking:
        await slow.execute("BEGIN")
        columns = (["sq001"], ["1_a"], [1], ["s"], ["1"], [None], [None], ["d"])
        await slow.execute(
            "SELECT * FROM pipe_enqueue($1, 7, $2, $3, $4, $5, $6, $7, $8, $9, 1, false)", writer, *columns
        )
        asked = asyncio.create_task(_asked(asking, writer))
        done, _ = await asyncio.wait([asked], timeout=0.2)
        assert not done
        await slow.execute("COMMIT")
        assert await asked == 7


async def _asked(connection: asyncpg.Connection, writer: UUID) -> int:
    return await store.ask_for_batch(connection, writer)
