"""Commands that serve: everything on one machine, or the parts one by one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from armillary.commands.help import PlainGroup
from armillary.commands.terminal import (
    DEFAULT_DATA,
    DataOption,
    err,
    escape,
    fail,
    guarded,
    out,
    settings_for,
    up_lock,
)

if TYPE_CHECKING:
    from armillary.base.database import Database
    from armillary.settings import Settings

T = TypeVar("T")
PortOption = Annotated[int, typer.Option(min=0, max=65535, help="TCP port; 0 takes a free one.")]
HostOption = Annotated[str, typer.Option(help="Address to listen on.")]


def up(
    data: DataOption = DEFAULT_DATA,
    port: PortOption = 8000,
    host: HostOption = "127.0.0.1",
    demo: Annotated[
        bool,
        typer.Option(
            "--demo",
            help="Take in a synthetic night and edit it a little, and a day at a solar telescope.",
        ),
    ] = False,
) -> None:
    """Start everything on one machine: database, web, workers; stop with Ctrl-C."""
    from armillary.base import log
    from armillary.commands.supervision import run_all

    settings = settings_for(data)
    log.configure(level=os.environ.get("ARMILLARY_LOG", "WARNING"))
    with up_lock(settings.data) as free:
        if not free:
            fail(f"Armillary runs on {settings.data} already; stop it first, or use another --data.")
        code = guarded(lambda: asyncio.run(run_all(settings, host, port, demo=demo)))
    raise typer.Exit(code)


def serve(
    data: DataOption = DEFAULT_DATA,
    port: PortOption = 8000,
    host: HostOption = "127.0.0.1",
    fd: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run the web process alone."""
    from armillary.base import log

    settings = settings_for(data)
    log.configure(level=os.environ.get("ARMILLARY_LOG", "WARNING"))
    from armillary.commands import serving

    serving.run(settings, host=host, port=port, fd=fd)


def worker(
    data: DataOption = DEFAULT_DATA,
    slots: Annotated[int, typer.Option(min=1, help="Orders in progress at once.")] = 4,
    until_empty: Annotated[bool, typer.Option("--until-empty", help="Stop when nothing is due.")] = False,
    name: Annotated[str, typer.Option(help="Shown as owner of its orders.")] = "worker",
) -> None:
    """Run a worker as the owner of the files: it edits, ingests, and makes products."""
    from armillary.base import log
    from armillary.commands.working import Until, work

    settings = settings_for(data)
    log.configure(level=os.environ.get("ARMILLARY_LOG", "WARNING"))
    until = Until.EMPTY if until_empty else Until.STOPPED
    guarded(lambda: asyncio.run(work(settings, name=name, slots=slots, until=until)))


db = typer.Typer(cls=PlainGroup, no_args_is_help=True, help="The database.")


@db.command("upgrade")
def upgrade(
    data: DataOption = DEFAULT_DATA,
    revision: Annotated[str, typer.Option(help="Which revision of the schema.")] = "head",
) -> None:
    """Upgrade the database schema to the version of this program."""
    from armillary.base import migrate

    settings = settings_for(data)

    async def act(database: Database) -> None:
        await migrate.upgrade(database, revision)

    guarded(lambda: asyncio.run(_as_owner(settings, act)))
    err.print(f"schema is at {revision}")


@db.command("check")
def check(data: DataOption = DEFAULT_DATA) -> None:
    """Compare the schema with the one that this version makes; exit 1 if it differs."""
    from armillary.base import migrate

    settings = settings_for(data)

    async def act(database: Database) -> tuple[str | None, list[str]]:
        revision = await migrate.current(database)
        return revision, (await migrate.differences(database)).lines()

    revision, lines = guarded(lambda: asyncio.run(_as_owner(settings, act)))
    for line in lines:
        out.print(escape(line))
    if revision != migrate.head():
        fail(
            f"The schema is at {revision or 'no revision'}, not at {migrate.head()}; run `armillary db upgrade`."
        )
    if lines:
        fail(f"The schema is at {revision} and differs from that of this version in {len(lines)} points.")
    err.print(f"schema is at {revision}, as this version makes it")


async def _as_owner(settings: Settings, act: Callable[[Database], Awaitable[T]]) -> T:
    from armillary.base.database import Database, Role
    from armillary.base.postgres.server import EmbeddedServer

    async with AsyncExitStack() as stack:
        source: str | EmbeddedServer | None = settings.database.url
        if source is None:
            source = await EmbeddedServer.acquire(
                settings.data / "postgres",
                account=settings.database.account,
                web_account=settings.database.web_account,
            )
            stack.push_async_callback(source.release)
        database = await Database.connect(source, Role.OWNER, pool_size=1)
        stack.push_async_callback(database.close)
        return await act(database)
