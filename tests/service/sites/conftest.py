"""An archive with sites, as the web process sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from armillary.base.postgres.server import EmbeddedServer
from armillary.context import Context
from tests.support.archive import Archive, archive
from tests.support.postgres import postgres
from tests.support.sites import as_web, killed_while_writing_to

__all__ = ["archive", "postgres"]


@pytest.fixture
async def web(archive: Archive, postgres: EmbeddedServer) -> AsyncIterator[Context]:
    """Open the parts of a web process."""
    async with as_web(archive, postgres) as context:
        yield context


Killed = Callable[[str, Callable[[], Awaitable[Any]]], Awaitable[BaseException]]


@pytest.fixture
def killed(archive: Archive, postgres: EmbeddedServer) -> Killed:
    """Return what ends the session of an action that is about to write to a table."""
    return partial(_killed, postgres, str(archive.context.database.name))


async def _killed(
    server: EmbeddedServer, name: str, table: str, action: Callable[[], Awaitable[Any]]
) -> BaseException:
    return await killed_while_writing_to(table, server, name, action)
