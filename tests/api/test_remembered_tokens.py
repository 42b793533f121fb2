"""Who bears a token is asked once in some seconds, and what is revoked opens nothing from then on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from armillary.access import service
from armillary.access.models import Credentials, Scope
from armillary.access.tokens import CHANNEL, Tokens
from armillary.app import create_app
from armillary.base.database import Database, Role
from armillary.base.postgres.server import EmbeddedServer
from armillary.context import Context
from armillary.settings import AccessSettings
from tests.support.archive import Archive, archive
from tests.support.clock import FakeClock
from tests.support.patience import in_time
from tests.support.postgres import postgres
from tests.support.statements import asked_of

__all__ = ["archive", "postgres"]
PATIENCE_S = 300.0
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Door:
    """A served application whose clock stands still: only what is told to it lets it forget."""

    archive: Archive
    client: httpx.AsyncClient
    clock: FakeClock
    tokens: Tokens
    context: Context

    async def token(self, name: str, *, lifetime: timedelta | None = None) -> str:
        async with self.archive.context.database.begin() as connection:
            scopes = {Scope.ADMIN}
            return await service.create_token(
                connection, name, scopes, now=datetime.now(UTC), lifetime=lifetime
            )

    async def ask(self, secret: str) -> int:
        """Return the status of a route for operators."""
        reply = await self.client.get("/v1/exports", headers={"X-Api-Key": secret})
        return reply.status_code

    @contextmanager
    def questions(self) -> Iterator[list[str]]:
        """Collect the statements of the block that ask who bears a token."""
        found: list[str] = []
        with asked_of(self.archive.context.database) as asked:
            yield found
        found += [one for one in asked.statements if "FROM token" in one]

    async def refuses(self, secret: str) -> None:
        """Wait until a token opens nothing any more."""
        end = time.monotonic() + PATIENCE_S
        while await self.ask(secret) != 401:
            in_time(end, "the token still opens the door")
            await asyncio.sleep(0.01)


@asynccontextmanager
async def a_door(archive: Archive, *, remember_s: float = 5.0) -> AsyncIterator[Door]:
    clock, settings = FakeClock(), archive.context.settings
    settings = settings.model_copy(update={"access": AccessSettings(remember_s=remember_s)})
    context = replace(archive.context, settings=settings, clock=clock)
    app = create_app(context=context)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield Door(archive, client, clock, app.state.authenticators[0], context)


@pytest.fixture
async def door(archive: Archive) -> AsyncIterator[Door]:
    async with a_door(archive) as one:
        yield one


async def test_a_read_makes_no_statement_for_who_asks(door: Door) -> None:
    secret, database = await door.token("ann"), door.archive.context.database
    counts = []
    for shown in ("", secret, secret):
        with asked_of(database) as asked:
            reply = await door.client.get("/v1/frames", headers={"X-Api-Key": shown})
        assert reply.status_code == 200
        counts.append(len(asked.statements))
    # The first time it is one more than for a stranger, and then as many.
    assert counts == [counts[0], counts[0] + 1, counts[0]]


async def test_it_is_asked_again_after_some_seconds(door: Door) -> None:
    secret = await door.token("ann")
    for passed_s, asked in ((0.0, 1), (4.9, 0), (0.2, 1), (4.9, 0)):
        door.clock.advance(passed_s)
        with door.questions() as questions:
            assert await door.ask(secret) == 200
        assert len(questions) == asked, passed_s


async def test_it_is_never_remembered_beyond_the_end_of_the_token(archive: Archive) -> None:
    async with a_door(archive, remember_s=60.0) as door:
        secret = await door.token("ann", lifetime=timedelta(seconds=50))
        assert await door.ask(secret) == 200
        # As if it were long ago; to the database it is now.
        door.clock.advance(50.0)
        with door.questions() as questions:
            await door.ask(secret)
        assert len(questions) == 1


async def test_secrets_of_nobody_are_not_remembered(door: Door) -> None:
    for _ in range(2):
        with door.questions() as questions:
            assert await door.ask("arm_unknown") == 401
        assert len(questions) == 1
    assert len(door.tokens.recent) == 0


async def test_nothing_is_remembered_where_that_is_set(archive: Archive) -> None:
    async with a_door(archive, remember_s=0.0) as door:
        secret = await door.token("ann")
        with door.questions() as questions:
            assert [await door.ask(secret) for _ in range(3)] == [200] * 3
        assert len(questions) == 3


async def test_what_is_revoked_in_this_process_opens_nothing_from_then_on(door: Door) -> None:
    stop = asyncio.Event()
    secrets: list[str] = []

    async def knock() -> int:
        count = 0
        while not stop.is_set():
            count += await door.ask(secrets[-1]) == 200
        return count

    secrets.append(await door.token("first"))
    knocking = [asyncio.create_task(knock()) for _ in range(3)]
    for number in range(20):
        secrets.append(await door.token(f"ann {number}"))
        assert await door.ask(secrets[-1]) == 200
        async with door.archive.context.database.begin() as connection:
            assert await service.revoke(connection, f"ann {number}", now=NOW) == 1
        # Others were asking for it all the time; none of their look-ups may come back late.
        assert [await door.ask(secrets[-1]) for _ in range(3)] == [401] * 3
    stop.set()
    assert sum(await asyncio.gather(*knocking)) > 0


async def test_a_grant_of_this_process_holds_from_then_on(door: Door) -> None:
    secret, context = await door.token("ann"), door.context
    for act, programs in (("give", {"P1"}), ("take", set())):
        before = await door.tokens.identify(context, Credentials(secret, ""))
        async with context.database.begin() as connection:
            if act == "give":
                await service.grant(connection, "ann", "program", "P1", now=context.clock.now())
            else:
                assert await service.ungrant(connection, "ann", "program", "P1", now=NOW) == 1
        after = await door.tokens.identify(context, Credentials(secret, ""))
        assert before is not None
        assert after is not None
        assert before.grants.programs != after.grants.programs == programs


async def test_what_changes_nothing_lets_nobody_forget(door: Door) -> None:
    """A new token ends those of its name that expired, and mostly there are none."""
    async with door.context.signals.subscribe(CHANNEL) as subscription:
        await door.token("ann")
        async with door.context.database.begin() as connection:
            assert await service.revoke(connection, "nobody", now=NOW) == 0
        async with door.context.database.begin() as connection:
            # What comes first was sent first.
            await door.context.signals.publish(connection, CHANNEL, "this")
        assert await subscription.wait(PATIENCE_S) == ("this",)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE token SET revoked = now() WHERE name = 'ann'",
        "DELETE FROM token WHERE name = 'ann'",
        "UPDATE token SET expires = now() WHERE name = 'ann'",
    ],
)
async def test_what_another_process_revokes_opens_nothing_soon(door: Door, statement: str) -> None:
    secret, other = await door.token("ann"), await door.token("bob")
    assert (await door.ask(secret), await door.ask(other)) == (200, 200)
    # The statement alone, as another process would send it: nothing in this one knows what it does.
    async with door.archive.context.database.begin() as connection:
        await connection.exec_driver_sql(statement)
    await door.refuses(secret)
    assert await door.ask(other) == 200


async def test_a_signal_that_was_missed_is_made_up_for(
    door: Door, archive: Archive, postgres: EmbeddedServer
) -> None:
    secret = await door.token("ann")
    assert await door.ask(secret) == 200
    owner = await Database.connect(postgres, Role.OWNER, name=archive.context.database.name, pool_size=1)
    try:
        async with owner.begin() as connection:
            for statement in (
                "ALTER TABLE token DISABLE TRIGGER token_tell",
                "UPDATE token SET revoked = now() WHERE name = 'ann'",
                "ALTER TABLE token ENABLE TRIGGER token_tell",
            ):
                await connection.exec_driver_sql(statement)
        assert await door.ask(secret) == 200
        async with archive.context.database.raw() as raw:
            lost = await raw.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
            )
        assert len(lost) == 1
    finally:
        await owner.close()
    await door.refuses(secret)
