"""What every service needs, built once per process and passed down."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from armillary.base import identity, revisions
from armillary.base.bus.clocks import SourceClocks
from armillary.base.bus.engine import PostgresBus
from armillary.base.bus.spooling import SpooledBus, spooled
from armillary.base.clock import Clock, SystemClock
from armillary.base.database import Database, Role
from armillary.base.feed.generations import notice_restore
from armillary.base.place import POSTGRES, PRIVATE, STAGING
from armillary.base.postgres.server import EmbeddedServer
from armillary.base.sandbox.pool import Child, Sandbox
from armillary.base.sharing import Shared
from armillary.base.signals import PostgresSignals
from armillary.base.store.stores import Stores
from armillary.errors import Unavailable
from armillary.settings import Settings
from armillary.sky.instants import tai_of_datetime

SPOOL: Final = "samples"
STRIPS: Final = 32 << 20
"""Bytes of decoded tiles that are kept for those who look at an image now."""


class SchemaOutdated(Unavailable):
    """The database has an older schema than this program, or none; run `armillary db upgrade` as its owner."""

    code, transient = "schema_outdated", False


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of a running process."""

    settings: Settings
    database: Database
    stores: Stores
    signals: PostgresSignals
    clock: Clock
    sandbox: Sandbox = field(default_factory=Sandbox)
    """Where the bytes of strangers are decoded."""
    quick: Sandbox = field(default_factory=Sandbox)
    """The same for what takes milliseconds, and waits for nothing that takes minutes."""
    strips: Shared = field(default_factory=lambda: Shared(STRIPS))
    """Tiles of images that were decoded together."""
    clocks: SourceClocks = field(default_factory=SourceClocks)
    """When samples were valid by what is in them."""

    @property
    def bus(self) -> PostgresBus:
        """The log of telemetry samples."""
        return PostgresBus(
            self.database,
            self.signals,
            self.clock,
            tai=tai_of_datetime,
            max_payload=self.settings.bus.max_payload,
            skew_ns=round(self.settings.bus.skew_s * 1e9),
            clocks=self.clocks,
        )


def spooling_bus(context: Context) -> AbstractAsyncContextManager[SpooledBus]:
    """Open a bus that keeps samples on disk while the database is away."""
    return spooled(context.bus, spool_of(context), limit=context.settings.bus.spool_bytes)


def spool_of(context: Context) -> Path:
    """Return where samples wait: in the staging area, the one place where the web process writes."""
    return context.settings.data / STAGING / SPOOL


@asynccontextmanager
async def open_context(
    settings: Settings,
    role: Role,
    *,
    application: str = "armillary",
    anywhere: bool = False,
    quick: Sequence[Child] = (),
) -> AsyncIterator[Context]:
    """Open database and stores in a role; the embedded server is started if nobody did yet.

    With ``anywhere`` it does not matter whether the database belongs to the directory: for those who say so.
    Children that were started for ``quick`` work are ended with the context.

    Raises
    ------
    SchemaOutdated, SchemaUnknown
        If an external database has not been upgraded to this version, or a database to a newer one.
    DirectoryNotClaimed
        If the database belongs to another directory.
    """
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        at_hand = Sandbox(idle=list(quick))
        stack.callback(at_hand.close)
        source = await _source(settings, role, stack)
        await _check_database(settings, source, role, anywhere=anywhere)
        database = await Database.connect(
            source,
            role,
            home=settings.data.resolve(),
            pool_size=settings.database.pool_size,
            application=application,
            statement_timeout_s=settings.database.web_patience_s if role is Role.WEB else 0.0,
        )
        stack.push_async_callback(database.close)
        if role is not Role.WEB:
            await notice_restore(database)
        signals = PostgresSignals(database)
        stack.push_async_callback(signals.close)
        stores = Stores(settings.data / PRIVATE)
        stack.callback(stores.close)
        sandbox = Sandbox()
        stack.callback(sandbox.close)
        yield Context(settings, database, stores, signals, SystemClock(), sandbox, at_hand)


async def _source(settings: Settings, role: Role, stack: AsyncExitStack) -> str | EmbeddedServer:
    url = settings.database.web_url if role is Role.WEB else None
    if url := url or settings.database.url:
        return url
    server = await EmbeddedServer.acquire(
        settings.data / POSTGRES,
        account=settings.database.account,
        web_account=settings.database.web_account,
    )
    stack.push_async_callback(server.release)
    return server


async def _check_database(
    settings: Settings, source: str | EmbeddedServer, role: Role, *, anywhere: bool
) -> None:
    """See that the database has our schema and belongs to our directory; of an embedded one we are the owner.

    An external database is looked at in the process's own role: it should have no other.
    """
    embedded = isinstance(source, EmbeddedServer)
    database = await Database.connect(source, Role.OWNER if embedded else role, pool_size=1)
    try:
        if (revision := await revisions.current(database)) != revisions.head():
            revisions.refuse_unknown(revision)
            if not embedded:
                raise SchemaOutdated
            # Only here: it takes longer to load than all that a command needs of the database otherwise.
            from armillary.base import migrate

            await migrate.upgrade(database)
        may_write = embedded or role is not Role.WEB
        try:
            await identity.settle_in(database, settings.data, own_database=embedded, may_write=may_write)
        except identity.DirectoryNotClaimed:
            if not anywhere:
                raise
    finally:
        await database.close()
