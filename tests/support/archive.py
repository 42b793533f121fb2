"""A whole archive inside a test: a database of its own, stores in a directory, work done on request."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import pytest
from sqlalchemy import text

from armillary.access.models import OPERATOR, Principal
from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Version
from armillary.archive.intake import bulk
from armillary.archive.intake.verification import Finding, verify_files
from armillary.archive.query import search
from armillary.archive.query.criteria import terms_of
from armillary.archive.query.models import Term
from armillary.base.clock import SystemClock
from armillary.base.database import Database, Role
from armillary.base.identity import settle_in
from armillary.base.postgres.server import EmbeddedServer
from armillary.base.sandbox.pool import Child, Sandbox
from armillary.base.signals import PostgresSignals
from armillary.base.store.stores import Stores
from armillary.base.work import Kind, NewOrder, Outcome, Worker, outcomes, submit
from armillary.commands.work import KINDS
from armillary.context import Context
from armillary.edits.history.service import History, history_of
from armillary.edits.models import Origin
from armillary.edits.revert import submit_revert
from armillary.errors import ArmillaryError
from armillary.operations import cleaning
from armillary.operations.kinds import CLEANING
from armillary.settings import ArchiveSettings, LimitSettings, Settings, WorkSettings
from tests.support.edits import accept_one
from tests.support.headers import a_file
from tests.support.postgres import Server, fresh_database, source_of

UNLIMITED = LimitSettings(anonymous_per_s=0, token_per_s=0)
"""Tests hammer as no client may."""
ORIGIN = Origin("observer", "127.0.0.1", "a test")
OLD_NS = 1_700_000_000_000_000_000
"""A time stamp long ago: files that bear it have come to rest."""
SMALL = a_file()
"""A small file."""


@dataclass(frozen=True)
class Archive:
    """An archive and the directory of a test."""

    context: Context
    directory: Path

    def worker(self, *, slots: int = 4) -> Worker[Context]:
        """Return a worker of all kinds."""
        return Worker(self.context, KINDS, name="test", slots=slots)

    def let_go(self) -> None:
        """Close the stores, as the end of a program does; they are opened again when they are needed."""
        with suppress(OSError):  # of a disk that a test let fail for good
            self.context.stores.close()
        self.context.sandbox.close()
        self.context.quick.close()

    async def clean(self, *, portion: int) -> None:
        """Let a worker forget what has had its time, so many rows at once."""
        kind = Kind(CLEANING, partial(cleaning.clean, portion=portion))
        async with self.context.database.begin() as connection:
            await submit(connection, [NewOrder(kind=kind.name, args={})], keyed_fifo=False)
        await Worker(self.context, [kind], name="cleaning").drain()

    async def drain(self) -> None:
        """Do all the work that is due, and what is tried again in an instant since something was in its way."""
        # However slow the machine is: what became due after the worker began may have been overlooked by it.
        soon = (
            "SELECT extract(epoch FROM max(not_before) - now())::float FROM work_order"
            " WHERE state = 'Queued' AND (attempts > 0 OR held IS NOT NULL) AND kind = ANY(:kinds)"
            " AND not_before > :began AND not_before < now() + interval '1 second'"
        )
        kinds = [kind.name for kind in KINDS]
        while True:
            async with self.context.database.begin() as connection:
                began = await connection.scalar(text("SELECT now()"))
            await self.worker().drain()
            async with self.context.database.begin() as connection:
                pause_s = await connection.scalar(text(soon), {"kinds": kinds, "began": began})
            if pause_s is None:
                return
            await asyncio.sleep(max(pause_s, 0.0))

    async def run(self, order_ids: Sequence[int]) -> dict[int, Outcome]:
        """Work until these orders have ended; return how."""
        await self.worker().run_until(order_ids)
        async with self.context.database.begin() as connection:
            return await outcomes(connection, order_ids)

    async def finish(self, order_ids: Sequence[int]) -> list[Any]:
        """Work until these orders have ended well; return their values."""
        ended = await self.run(order_ids)
        assert [one.response.error for one in ended.values() if not one.response.ok] == []
        return [ended[order].response.value for order in order_ids]

    async def submit(self, *paths: Path, **options: Any) -> bulk.Run:
        """Queue the intake of paths."""
        chosen: dict[str, Any] = {"copy": False, "force": False, "in_place": False} | options
        return await bulk.submit_paths(self.context, paths, **chosen)

    async def ingest(self, *paths: Path, **options: Any) -> bulk.IngestReport:
        """Take paths in and return the report."""
        run = await self.submit(*paths, **options)
        return bulk.collect(run, await self.run(list(run.orders)))

    async def edit(self, name: str, values: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Edit a file and return the value of the outcome; fail as the order failed."""
        accepted = await accept_one(self.context, values, name, ORIGIN, **options)
        return await self._value(accepted.order_ids[0])

    async def set(self, name: str, **cards: Any) -> dict[str, Any]:
        """Set cards of the primary header."""
        return await self.edit(name, {"generic": [[key, value] for key, value in cards.items()]})

    async def revert(self, name: str, edit_id: int | None = None) -> dict[str, Any]:
        """Take an edit back."""
        return await self._value(await submit_revert(self.context, name, edit_id, ORIGIN))

    async def _value(self, order: int) -> dict[str, Any]:
        outcome = (await self.run([order]))[order]
        if not outcome.response.ok:
            raise OrderFailed(outcome.response.error)
        value: Any = outcome.response.value
        return dict(value)

    async def version(self, name: str) -> Version:
        """Return the canonical version of a file."""
        async with self.context.database.begin() as connection:
            return await catalog.find_version(connection, name)

    async def path(self, name: str) -> Path:
        """Return where the bytes of a file are."""
        version = await self.version(name)
        async with self.context.database.begin() as connection:
            root = await catalog.root_by_id(connection, version.location.root_id)
        return root.path / version.location.key

    async def history(self, name: str) -> History:
        """Return versions and edits of a file."""
        async with self.context.database.begin() as connection:
            return await history_of(connection, name)

    async def edits(self, name: str) -> list[int]:
        """Return the ids of the edits that changed a file, oldest first."""
        return [edit.id for edit in (await self.history(name)).edits if edit.outcome == "changed"]

    async def find(
        self, *conditions: str, viewer: Principal = OPERATOR, limit: int = 1000, **criteria: Any
    ) -> list[str]:
        """Return the names of the frames that fit, in the order of the search."""
        page = await self.page(*conditions, viewer=viewer, limit=limit, **criteria)
        return [frame["name"] for frame in page.frames]

    async def page(
        self,
        *conditions: str,
        viewer: Principal = OPERATOR,
        limit: int = 1000,
        cursor: str | None = None,
        **criteria: Any,
    ) -> search.Page:
        """Return one page of frames."""
        wanted = terms_of(keywords=conditions, **criteria)
        return await self.page_of(wanted, viewer=viewer, limit=limit, cursor=cursor)

    async def page_of(
        self, terms: Sequence[Term], *, viewer: Principal, today: date | None = None, **options: Any
    ) -> search.Page:
        """Return one page of the frames of which terms hold."""
        async with self.context.database.begin() as connection:
            now = today or self.context.clock.now().date()
            return await search.search(connection, terms, viewer, today=now, **options)

    async def verify(self, *names: str) -> dict[str, str]:
        """Return the problem of each verified file by name; empty where it is sound."""
        findings: list[Finding] = [one async for one in verify_files(self.context, names)]
        return {one.name: one.problem for one in findings}

    async def unfinished(self) -> int:
        """Return how many orders have not ended."""
        query = "SELECT count(*) FROM work_order WHERE state IN ('Queued', 'Started')"
        async with self.context.database.begin() as connection:
            return int((await connection.scalar(text(query))) or 0)


class OrderFailed(ArmillaryError):
    """The order failed."""


class KeptSandbox(Sandbox):
    """A sandbox whose children wait for the next test, which would have to start others."""

    _kept: ClassVar[defaultdict[int, list[Child]]] = defaultdict(list)

    def __init__(self, memory: int) -> None:
        super().__init__(idle=self._kept[memory])

    def close(self) -> None:
        """Let the children live; they end with the process."""


@asynccontextmanager
async def an_archive(
    server: Server,
    directory: Path,
    *,
    database_name: str | None = None,
    sections: Mapping[str, Any] = MappingProxyType({}),
    **settings: Any,
) -> AsyncIterator[Archive]:
    """Open an empty archive with a database of its own, or one whose database is there.

    ``sections`` are parts of the settings besides ``archive``, of which the others are.
    """
    work = WorkSettings(retry_first_s=0.05, retry_last_s=0.5, room_s=0.05, lease_s=30.0)
    known = {"work": work, "archive": ArchiveSettings(**settings), "limits": UNLIMITED}
    chosen = Settings(data=directory / "data", **{**known, **sections})
    async with nullcontext(database_name) if database_name else fresh_database(server) as name:
        chosen.data.mkdir(parents=True, exist_ok=True)
        home = chosen.data.resolve()
        source = source_of(server, Role.WORKER)
        database = await Database.connect(source, Role.WORKER, name=name, home=home, pool_size=6)
        # Rows of a database that is there were written by an archive elsewhere, which has moved here with them.
        await settle_in(database, home, own_database=database_name is not None, may_write=True)
        signals = PostgresSignals(database)
        stores = Stores(directory / "data" / "private")
        sandbox, quick = (KeptSandbox(chosen.archive.preview_memory) for _ in range(2))
        context = Context(chosen, database, stores, signals, SystemClock(), sandbox, quick)
        opened = Archive(context, directory)
        try:
            yield opened
        finally:
            opened.let_go()
            await signals.close()
            await database.close()


@pytest.fixture
async def archive(postgres: EmbeddedServer, tmp_path: Path) -> AsyncIterator[Archive]:
    """Open an empty archive for one test."""
    async with an_archive(postgres, tmp_path) as opened:
        yield opened


@pytest.fixture
async def unique_archive(postgres: EmbeddedServer, tmp_path: Path) -> AsyncIterator[Archive]:
    """Open an empty archive of which adopted trees, too, know files by their names alone."""
    async with an_archive(postgres, tmp_path, identity="unique") as opened:
        yield opened


def put(path: Path, data: bytes | None = None, *, mtime_ns: int = OLD_NS) -> Path:
    """Write a file that came to rest long ago; a small FITS file unless the bytes are given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(SMALL if data is None else data)
    os.utime(path, ns=(mtime_ns, mtime_ns))
    return path


def sha256(path: Path) -> str:
    """Return the SHA-256 of the stored bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
