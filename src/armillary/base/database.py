"""The connection to PostgreSQL: a pool per process and role, which survives the loss of the server."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias, cast
from urllib.parse import parse_qsl, urlsplit
from weakref import WeakKeyDictionary

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from armillary.base.database_errors import (
    DOWN,
    REFUSED_CLASSES,
    DatabaseFull,
    DatabaseRefused,
    DatabaseUnreachable,
    TooSlow,
    driver_error,
    is_full,
    is_transient,
    is_undone,
    reason_of,
)
from armillary.base.log import get_logger
from armillary.base.postgres.errors import ServerFailed
from armillary.base.postgres.server import EmbeddedServer
from armillary.errors import ArmillaryError

log = get_logger(__name__)

AnyRow: TypeAlias = "sa.Row[*tuple[Any, ...]]"
"""A row of any columns."""

HOME = "armillary_home"
"""The execution option of an engine that says where relative paths in its database start from."""
ROLE = "armillary_role"
"""The execution option of an engine that says in which role its statements run."""
START_PATIENCE_S = 30.0
"""Seconds that a server may take to start."""
AWAY_S = 10.0
"""Seconds that one which was there may be away."""
CLOSE_S = 2.0
"""Seconds that a server has to say goodbye; asyncpg drops the connection afterwards."""


class Role(StrEnum):
    """Who a process is to the database."""

    OWNER = "armillary_owner"
    WORKER = "armillary_worker"
    WEB = "armillary_web"


class Database:
    """A pool of connections in one role."""

    def __init__(
        self,
        source: str | EmbeddedServer,
        role: Role,
        *,
        name: str | None,
        home: Path | None,
        pool_size: int,
        application: str,
        statement_timeout_s: float,
        patience_s: float,
    ) -> None:
        self.source, self.role = source, role
        self._name = name
        # A list of 2000 frames is sorted in memory with that, and on the disk with the 4 MB of the default.
        self._settings = {"work_mem": "16MB", "jit": "off", "TimeZone": "UTC"}
        self._settings["application_name"] = application
        self._impatient = statement_timeout_s > 0
        self._settings["statement_timeout"] = f"{statement_timeout_s * 1000:.0f}"
        self._assume = isinstance(source, str) and role is not Role.OWNER
        self._patience_s = patience_s
        self.engine: AsyncEngine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self._pooled,
            pool_size=pool_size,
            max_overflow=0,
            json_serializer=_dump_json,
            execution_options={HOME: home, ROLE: role},
        )
        sa.event.listen(self.engine.sync_engine, "checkout", _refuse_closed)

    @property
    def name(self) -> str | None:
        """Which database of the server this is, if not the usual one."""
        return self._name

    @classmethod
    async def connect(
        cls,
        source: str | EmbeddedServer,
        role: Role,
        *,
        name: str | None = None,
        home: Path | None = None,
        pool_size: int = 8,
        application: str = "armillary",
        statement_timeout_s: float = 0.0,
        patience_s: float = START_PATIENCE_S,
        away_s: float = AWAY_S,
    ) -> Database:
        """Open the database ``name`` of a server in ``role``, waiting ``patience_s`` for one that is starting.

        Whoever wants a connection later waits ``away_s`` for a server that has gone away.

        ``source`` is the DSN of an external server, or a share in the embedded one. With a DSN the role is
        assumed (SET ROLE) if the user of the DSN is a member of it, and otherwise left to the DSN.
        ``home`` is the directory that relative paths in the database start from.
        A statement that takes longer than ``statement_timeout_s`` fails; with 0 it may take forever.

        Raises
        ------
        DatabaseRefused
            If the server does not know the user, the password or the database, or the DSN is none.
        DatabaseUnreachable
            If there is no server, or none that is ready in time.
        """
        database = cls(
            source,
            role,
            name=name,
            home=home,
            pool_size=pool_size,
            application=application,
            statement_timeout_s=statement_timeout_s,
            patience_s=patience_s,
        )
        try:
            async with database.raw() as connection:
                await connection.execute("SELECT 1")
        except BaseException as error:
            await database.close()
            if (told := _told(driver_error(error), source)) is not None:
                raise told from error
            raise
        database._patience_s = away_s
        return database

    def has_room(self) -> bool:
        """Tell whether the server can start, as far as this process can know."""
        return not isinstance(self.source, EmbeddedServer) or self.source.has_room()

    async def close(self) -> None:
        """Close every pooled connection."""
        await self.engine.dispose()

    @asynccontextmanager
    async def begin(self, *, snapshot: bool = False) -> AsyncIterator[AsyncConnection]:
        """Open a transaction: committed at the end of the block, rolled back if that raises.

        With ``snapshot`` all its statements see the database as the first one does.

        Raises
        ------
        TooSlow
            If a statement was given up after the time that this role has.
        DatabaseFull
            If the database has no room to write; `is_undone` tells whether nothing was written for certain.
        """
        async with self._telling(), self.engine.connect() as connection:
            if snapshot:
                await connection.execution_options(isolation_level="REPEATABLE READ")
            try:
                async with connection.begin():
                    yield connection
            finally:
                # Without success, too: an error does not always mean that the commit was not made.
                for action in _afterwards.pop(connection.sync_connection, ()):
                    action()

    @asynccontextmanager
    async def look(self) -> AsyncIterator[AsyncConnection]:
        """Borrow a connection on which each statement is a transaction of its own, without the cost of one.

        Raises as `begin` does.
        """
        async with self._telling(), self.engine.connect() as connection:
            yield await connection.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def _telling(self) -> AsyncIterator[None]:
        """Call what the database refuses by the name of an error of ours, where there is one."""
        try:
            yield
        except (sa.exc.DBAPIError, asyncpg.PostgresError) as error:
            if self._impatient and isinstance(driver_error(error), asyncpg.QueryCanceledError):
                raise TooSlow from error
            _refuse_if_full(error)
            raise

    @asynccontextmanager
    async def raw(self) -> AsyncIterator[asyncpg.Connection]:
        """Borrow a connection of asyncpg, outside of any transaction: for COPY and hot statements."""
        try:
            async with self.engine.connect() as connection:
                pooled = await connection.get_raw_connection()
                yield cast(asyncpg.Connection, pooled.driver_connection)
        except (sa.exc.DBAPIError, asyncpg.PostgresError) as error:
            _refuse_if_full(error)
            raise

    async def dedicated(self, **settings: str) -> asyncpg.Connection:
        """Open a connection outside the pool with its own server settings; the caller closes it."""
        return await self._open(settings)

    async def refresh(self, *tables: str) -> None:
        """Let the planner know tables that were just filled, which the server does by itself minutes later.

        It takes the rights of the owner; where an external server does not give them, nothing happens.
        """
        owner = await Database.connect(self.source, Role.OWNER, name=self._name, pool_size=1)
        try:
            async with owner.raw() as connection:
                await connection.execute("VACUUM (ANALYZE) " + ", ".join(tables))
        finally:
            await owner.close()

    async def _pooled(self, *_args: Any, **_kwargs: Any) -> asyncpg.Connection:
        return await self._open({})

    async def _open(self, settings: dict[str, str]) -> asyncpg.Connection:
        """Connect, trying again while the server is away or starting."""
        end = time.monotonic() + self._patience_s
        pause_s = 0.02
        while True:
            try:
                return await self._attempt(settings)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                if not is_transient(error) or is_full(error) or time.monotonic() + pause_s > end:
                    raise
                log.info("database away", error=str(error))
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, 1.0)
            if isinstance(self.source, EmbeddedServer):
                await _ensure(self.source)

    async def _attempt(self, extra: dict[str, str]) -> asyncpg.Connection:
        settings = self._settings | extra
        if isinstance(self.source, EmbeddedServer):
            dsn = self.source.dsn
            return await asyncpg.connect(
                host=dsn.host,
                port=dsn.port,
                user=str(self.role),
                database=self._name or dsn.database,
                server_settings=settings,
            )
        if self._assume:
            try:
                return await self._external(settings | {"role": str(self.role)})
            except (asyncpg.InvalidParameterValueError, asyncpg.InsufficientPrivilegeError) as error:
                log.warning("role not assumed", role=str(self.role), error=str(error))
                self._assume = False
        return await self._external(settings)

    async def _external(self, settings: dict[str, str]) -> asyncpg.Connection:
        return await asyncpg.connect(self.source, database=self._name, server_settings=settings)


def _refuse_if_full(error: Exception) -> None:
    if not is_full(error):
        return
    log.warning("database full", error=reason_of(error))
    if isinstance(driver_error(error), asyncpg.DiskFullError) and not is_undone(error):
        # The server itself fell over it, perhaps after it had written the commit.
        raise DatabaseFull(
            "The database stopped, since its disk is full; what it was doing may be done."
        ) from error
    raise DatabaseFull from error


def _told(error: BaseException, source: str | EmbeddedServer) -> ArmillaryError | None:
    """Return what an operator is told of a connection that cannot be opened; None if that says nothing here."""
    where = source.top if isinstance(source, EmbeddedServer) else _without_password(source)
    said = str(error) or type(error).__name__
    if isinstance(error, asyncpg.PostgresError) and (error.sqlstate or "")[:2] in REFUSED_CLASSES:
        return DatabaseRefused(f"{where}: {said}. Check the user, password and database of the DSN.")
    if isinstance(error, asyncpg.ClientConfigurationError):
        return DatabaseRefused(f"{where}: {said}. Check the DSN.")
    if isinstance(error, OSError) or (isinstance(error, asyncpg.PostgresError) and is_transient(error)):
        return DatabaseUnreachable(f"{where}: {said}. See that the server runs, and check host and port.")
    return None


def _without_password(dsn: str) -> str:
    """Return a DSN as it may be shown."""
    parts = urlsplit(dsn)
    user, at, place = parts.netloc.rpartition("@")
    host = dict(parse_qsl(parts.query)).get("host")
    shown = f"{parts.scheme}://{user.partition(':')[0]}{at}{place}{parts.path}"
    return f"{shown} in {host}" if host else shown


_afterwards: WeakKeyDictionary[Any, list[Callable[[], None]]] = WeakKeyDictionary()


def afterwards(connection: AsyncConnection, action: Callable[[], None]) -> None:
    """Let something be done when a transaction of `Database.begin` has ended, before anybody goes on after it."""
    _afterwards.setdefault(connection.sync_connection, []).append(action)


def home_of(connection: AsyncConnection) -> Path:
    """Return the directory that relative paths in the database start from: it travels with the connection.

    The rows alone do not say where files are, and whoever reads them has a connection.
    """
    home = (
        connection.sync_connection.get_execution_options().get(HOME) if connection.sync_connection else None
    )
    if home is None:
        raise LookupError("the database was opened without the directory of the archive")
    return Path(home)


def role_of(connection: AsyncConnection) -> Role | None:
    """Return the role in which the database of a connection was opened."""
    found = connection.sync_connection
    role: Role | None = found.get_execution_options().get(ROLE) if found else None
    return role


async def _ensure(server: EmbeddedServer) -> None:
    try:
        await server.ensure()
    except ServerFailed as error:
        if not server.has_room():
            log.warning("database full", error=error.message)
            raise DatabaseFull(DOWN) from error
        raise


async def driver(connection: AsyncConnection) -> asyncpg.Connection:
    """Return the asyncpg connection below a transaction of SQLAlchemy, inside that transaction."""
    pooled = await connection.get_raw_connection()
    below = cast(asyncpg.Connection, pooled.driver_connection)
    if not below.is_in_transaction():
        # SQLAlchemy sends BEGIN with its first statement.
        await connection.exec_driver_sql("SELECT 1")
    return below


async def let_go(connection: asyncpg.Connection) -> None:
    """Close a connection; a server that is busy or away may take longer than that is worth waiting for."""
    with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
        await connection.close(timeout=CLOSE_S)


def _dump_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _refuse_closed(dbapi_connection: Any, _record: Any, _proxy: Any) -> None:
    """Let the pool replace a connection whose end asyncpg has seen: cheaper than a ping."""
    if dbapi_connection.driver_connection.is_closed():
        raise sa.exc.DisconnectionError("the server closed the connection")
