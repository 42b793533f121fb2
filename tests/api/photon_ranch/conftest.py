"""A running interface with an archive behind it, and a site that sends to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from armillary.access.models import Permission, Scope
from armillary.access.service import create_token
from armillary.app import Application, create_app
from armillary.archive.catalog.service import own_roots
from armillary.base.postgres.server import EmbeddedServer
from armillary.context import Context
from tests.support.archive import Archive, archive
from tests.support.postgres import postgres
from tests.support.sites import as_web

__all__ = ["archive", "postgres"]


@dataclass
class Site:
    """What a site does: it asks for slots, sends files to them, and asks questions."""

    archive: Archive
    client: httpx.AsyncClient
    app: Application

    async def slot(self, name: str, **more: Any) -> httpx.Response:
        """Ask for a slot, as the observatory's program does: without a Content-Type."""
        body = {"s3_directory": "data", "object_name": name, **more}
        return await self.client.post("http://archive/api//upload/", content=json.dumps(body))

    async def send(self, name: str, content: bytes, **more: Any) -> httpx.Response:
        """Ask for a slot and send a file to it, under a name of the sender's own system."""
        slot = (await self.slot(name, **more)).json()
        return await self.client.post(
            slot["url"], data=slot["fields"], files={"file": (r"C:\data\x.tmp", content)}
        )

    async def sent(self, name: str, content: bytes, **more: Any) -> None:
        """Send a file and let the work be done that it asks for."""
        reply = await self.send(name, content, **more)
        assert (reply.status_code, reply.content) == (204, b""), reply.text
        await self.archive.drain()
        await self.no_order_failed()

    async def no_order_failed(self) -> None:
        """See that all work went well."""
        async with self.archive.context.database.begin() as connection:
            failed = await connection.exec_driver_sql(
                "SELECT kind, error FROM work_order WHERE error IS NOT NULL"
            )
            assert failed.all() == []

    async def working(self, asked: Awaitable[httpx.Response]) -> httpx.Response:
        """Return the answer to a request that waits for a worker."""
        done = asyncio.Event()
        worker = asyncio.create_task(self.archive.worker().run(done))
        try:
            return await asked
        finally:
            done.set()
            await worker

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[httpx.AsyncClient]:
        """Give a client with a key that reads everything."""
        async with self.archive.context.database.begin() as connection:
            key = await create_token(connection, "reader", [Scope.READ], now=self.archive.context.clock.now())
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(
            transport=transport, base_url=self.client.base_url, headers={"X-Api-Key": key}
        ) as one:
            yield one


@pytest.fixture
async def site(archive: Archive) -> AsyncIterator[Site]:
    """Return a site with a key for everything, below the prefix that deployed clients use."""
    async with archive.context.database.begin() as connection:
        await own_roots(connection, archive.context)
        key = await create_token(
            connection,
            "site",
            frozenset({Permission(Scope.UPLOAD)}),
            now=archive.context.clock.now(),
        )
    app = create_app(context=archive.context)
    transport = httpx.ASGITransport(app)
    headers = {"X-Api-Key": key}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://archive/api", headers=headers
    ) as client:
        yield Site(archive, client, app)


@pytest.fixture
async def web(archive: Archive, postgres: EmbeddedServer) -> AsyncIterator[Context]:
    """Open the parts of a web process."""
    async with as_web(archive, postgres) as context:
        yield context
