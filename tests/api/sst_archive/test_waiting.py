"""A request that waits is answered when its time is up: the order goes on, or what fails may pass."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from armillary.access import service as access
from armillary.access.models import Scope
from armillary.app import create_app
from armillary.base.database import Database, Role
from armillary.base.postgres.server import EmbeddedServer
from armillary.demo.solar import SolarCube
from armillary.settings import IngestionSettings
from tests.api.sst_archive.conftest import INGEST
from tests.support.ingestion import TINY, Observatory, an_observatory
from tests.support.postgres import postgres
from tests.support.taking_in import run_one

__all__ = ["postgres"]
CUBE = SolarCube(**TINY)


@dataclass
class Asked:
    """An application whose workers are the test, and an address to ask."""

    observatory: Observatory
    client: httpx.AsyncClient

    async def ingest(self, path: Path, **fields: Any) -> httpx.Response:
        """Ask for a file to be taken in."""
        return await self.client.post(INGEST, json={"relative_path": path.name, **fields})


@pytest_asyncio.fixture
async def asked(postgres: EmbeddedServer, tmp_path: Path) -> AsyncIterator[Asked]:
    """Open an application that waits for a moment only."""
    ingestion = IngestionSettings(roots={"sst": tmp_path / "sst"}, wait_s=0.1)
    async with an_observatory(postgres, tmp_path, ingestion=ingestion) as observatory:
        context = observatory.context
        async with context.database.begin() as connection:
            now = context.clock.now()
            secret = await access.create_token(connection, "submitter", (Scope.INGEST,), now=now)
        home = context.settings.data.resolve()
        role = await Database.connect(postgres, Role.WEB, name=context.database.name, home=home, pool_size=2)
        app = create_app(context.settings)
        app.state.context = replace(context, database=role)
        shown = {"Authorization": f"Token {secret}"}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://archive", headers=shown) as client:
            yield Asked(observatory, client)
        await role.close()


async def test_when_the_time_is_up_the_order_is_named(asked: Asked) -> None:
    reply = await asked.ingest(asked.observatory.put(CUBE))
    assert reply.status_code == 202, reply.text
    assert reply.headers["Location"] == f"{INGEST}orders/{reply.json()['order']}/"
    assert await run_one(asked.observatory)
    order = (await asked.client.get(reply.headers["Location"])).json()
    assert (order["state"], order["oid"]) == ("Completed", CUBE.oid)


async def test_a_failure_that_may_pass_is_to_be_asked_again(asked: Asked) -> None:
    path = asked.observatory.put(CUBE)
    assert (await asked.ingest(path, mode="async")).status_code == 202
    read = os.pread

    def fails(fd: int, size: int, offset: int) -> bytes:
        if Path(f"/proc/self/fd/{fd}").readlink() == path:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return read(fd, size, offset)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "pread", fails)
        assert await run_one(asked.observatory)
    reply = await asked.ingest(path)
    assert reply.status_code == 503, reply.text
    assert int(reply.headers["Retry-After"]) > 0
    told = reply.json()
    assert set(told) == {"kind", "step", "message", "order"}
    assert (told["kind"], told["step"]) == ("transient", "read")
    assert str(asked.observatory.root) not in reply.text
    order = (await asked.client.get(reply.headers["Location"])).text
    assert str(asked.observatory.root) not in order
