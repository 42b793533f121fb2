"""Names of tokens mean one person at a time, and what was granted to one goes with the token."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from armillary.access import service
from armillary.access.errors import TokenExists
from armillary.access.models import Grants, Scope
from tests.support.archive import Archive
from tests.support.statements import asked_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def create(archive: Archive, name: str = "ann", *, lifetime_s: float | None = None) -> str:
    lifetime = timedelta(seconds=lifetime_s) if lifetime_s else None
    now = archive.context.clock.now() - timedelta(seconds=60)
    async with archive.context.database.begin() as connection:
        return await service.create_token(connection, name, {Scope.READ}, now=now, lifetime=lifetime)


async def grants(archive: Archive, name: str = "ann") -> Grants:
    async with archive.context.database.begin() as connection:
        return await service.grants_of(connection, name)


async def give(archive: Archive, *programs: str, name: str = "ann") -> None:
    async with archive.context.database.begin() as connection:
        for program in programs:
            await service.grant(connection, name, "program", program, now=archive.context.clock.now())


async def test_one_name_is_given_once_even_at_the_same_time(archive: Archive) -> None:
    made = await asyncio.gather(*(create(archive) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(one, str) for one in made) == 1
    assert sum(isinstance(one, TokenExists) for one in made) == 4


async def test_the_name_of_an_expired_token_is_free(archive: Archive) -> None:
    old = await create(archive, lifetime_s=1)
    new = await create(archive)
    async with archive.context.database.begin() as connection:
        assert await service.authenticate(connection, old) is None
        bearer = await service.authenticate(connection, new)
    assert bearer is not None
    assert bearer.name == "ann"


async def test_a_refused_name_leaves_the_transaction_alive(archive: Archive) -> None:
    await create(archive)
    now = archive.context.clock.now()
    async with archive.context.database.begin() as connection:
        with pytest.raises(TokenExists, match="'ann' is in use"):
            await service.create_token(connection, "ann", {Scope.READ}, now=now)
        await service.create_token(connection, "bob", {Scope.READ}, now=now)
    async with archive.context.database.begin() as connection:
        assert [one["name"] for one in await service.list_tokens(connection)] == ["bob", "ann"]


async def test_a_revoked_token_takes_its_grants_along(archive: Archive) -> None:
    await create(archive)
    await give(archive, "P1", "P2")
    await give(archive, "P1", name="bob")
    async with archive.context.database.begin() as connection:
        assert await service.revoke(connection, "ann", now=NOW) == 1
    await create(archive)
    assert await grants(archive) == Grants()
    assert (await grants(archive, "bob")).programs == {"P1"}


async def test_a_grant_is_taken_back_alone(archive: Archive) -> None:
    await give(archive, "P1", "P2")
    async with archive.context.database.begin() as connection:
        assert await service.ungrant(connection, "ann", "program", "P1", now=NOW) == 1
        assert await service.ungrant(connection, "ann", "program", "P1", now=NOW) == 0
        assert await service.ungrant(connection, "ann", "instrument", "P2", now=NOW) == 0
    assert (await grants(archive)).programs == {"P2"}


async def test_who_bears_a_token_is_one_question(archive: Archive) -> None:
    secret = await create(archive)
    await give(archive, "GN-2026A-Q-1", "GN-2026A-Q-2")
    async with archive.context.database.begin() as connection:
        await service.grant(connection, "ann", "file", "a.fits", now=archive.context.clock.now())
    with asked_of(archive.context.database) as asked:
        async with archive.context.database.look() as connection:
            found = await service.authenticate(connection, secret)
    assert (len(asked.statements), asked.commits) == (1, 0)
    assert found is not None
    assert found.grants == await grants(archive)
    assert found.grants == Grants(
        programs=frozenset({"GN-2026A-Q-1", "GN-2026A-Q-2"}), files=frozenset({"a.fits"})
    )
