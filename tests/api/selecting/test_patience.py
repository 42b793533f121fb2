"""A request that keeps the database busy for too long ends with a problem, and the server goes on."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from armillary.base.database import Database, Role
from armillary.base.postgres.server import EmbeddedServer
from armillary.context import open_context
from armillary.settings import DatabaseSettings, Settings
from tests.api.selecting.conftest import Lists
from tests.support.patience import in_time

pytestmark = pytest.mark.asyncio(loop_scope="module")
PATIENCE_S = 1.0


@asynccontextmanager
async def in_a_hurry(postgres: EmbeddedServer, lists: Lists) -> AsyncIterator[None]:
    """Let the application give statements up soon."""
    app = lists.app
    usual = app.state.context
    hurried = await Database.connect(
        postgres,
        Role.WEB,
        name=usual.database.name,
        home=usual.settings.data.resolve(),
        pool_size=2,
        statement_timeout_s=PATIENCE_S,
    )
    app.state.context = dataclasses.replace(usual, database=hurried)
    try:
        yield
    finally:
        app.state.context = usual
        await hurried.close()


@asynccontextmanager
async def held_up(postgres: EmbeddedServer, lists: Lists) -> AsyncIterator[None]:
    """Let every statement on frames wait."""
    owner = await Database.connect(
        postgres, Role.OWNER, name=lists.archive.context.database.name, pool_size=1
    )
    async with owner.begin() as connection:
        await connection.exec_driver_sql("LOCK TABLE frame IN ACCESS EXCLUSIVE MODE")
        yield
    await owner.close()


@pytest.mark.parametrize(
    "path", ["/jsonsummary/GMOS-N", "/jsonqastate/GMOS-N", "/v1/frames?instrument=GMOS-N"]
)
async def test_what_takes_too_long_is_answered_with_503_and_advice(
    postgres: EmbeddedServer, lists: Lists, path: str
) -> None:
    async with in_a_hurry(postgres, lists):
        async with held_up(postgres, lists):
            reply = await lists.get(path)
            assert (reply.status_code, reply.json()["code"]) == (503, "too_slow")
            assert reply.headers["content-type"] == "application/problem+json"
            assert "Narrow it by date" in reply.json()["detail"]
        # A busy machine may need more than its patience for anything.
        deadline = time.monotonic() + 60
        while (reply := await lists.get(path)).status_code != 200:
            assert (reply.status_code, reply.json()["code"]) == (503, "too_slow")
            in_time(deadline)


@pytest.mark.parametrize(("role", "shown"), [(Role.WEB, "7s"), (Role.WORKER, "0")])
async def test_only_the_web_process_is_in_a_hurry(
    postgres: EmbeddedServer, lists: Lists, role: Role, shown: str
) -> None:
    dsn = dataclasses.replace(postgres.dsn, database=lists.archive.context.database.name or "")
    there = DatabaseSettings(url=dsn.url(Role.WORKER), web_url=dsn.url(Role.WEB), web_patience_s=7)
    async with (
        open_context(Settings(data=lists.archive.context.settings.data, database=there), role) as context,
        context.database.begin() as connection,
    ):
        assert (await connection.exec_driver_sql("SHOW statement_timeout")).scalar() == shown
