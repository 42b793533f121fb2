"""An archive that is worth saving, backups of it, and what they make when they are restored."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from armillary.archive.intake import uploads
from armillary.archive.intake.staging import stage
from armillary.base import dumps
from armillary.base.database import Role
from armillary.base.postgres.server import EmbeddedServer
from armillary.context import Context, open_context
from armillary.operations.backup import BackupReport, back_up
from armillary.operations.restore import restore
from armillary.operations.vault import Vault
from armillary.settings import DatabaseSettings, Settings
from tests.support.archive import Archive, put, sha256
from tests.support.clock import FakeClock
from tests.support.headers import a_file
from tests.support.postgres import fresh_database, server_account

CONTENT = a_file(cards=[("OBJECT", "M 1", "target"), ("FILTER", "r", "colour")], extensions=2)
OTHER = a_file(cards=[("OBJECT", "M 2", "target")])
NAMES = ("plain.fits", "spliced.fits", "zipped.fits")
LONG = {f"KEY{number}": number for number in range(80)}
Step = Callable[[], Awaitable[Any]]


@pytest.fixture
async def night(archive: Archive) -> Archive:
    """Fill the store with a file of each container, each of them edited once."""
    folder = archive.directory / "night"
    put(folder / "plain.fits", CONTENT)
    put(folder / "spliced.fits.bz2", bz2.compress(CONTENT))
    put(folder / "zipped.fits.gz", gzip.compress(CONTENT, mtime=0))
    assert (await archive.ingest(folder, copy=True)).ingested == 3
    for name in NAMES:
        await archive.set(name, OBJECT="M 31")
    return archive


def target(archive: Archive) -> Path:
    """Return where the backups go."""
    return archive.directory / "backups"


async def make(archive: Archive, **options: Any) -> BackupReport:
    """Make a backup; each comes a second after the last."""
    return await back_up(later(archive), target(archive), **options)


def later(archive: Archive) -> Context:
    """Return a context whose clock shows another second for each backup."""
    clock = FakeClock()
    clock.advance(len(Vault(target(archive)).backups()))
    return replace(archive.context, clock=clock)


def settings_of(archive: Archive, name: str = "restored") -> Settings:
    """Return settings that restore beside the archive."""
    return Settings(data=archive.directory / name, database=DatabaseSettings(account=server_account()))


@asynccontextmanager
async def empty_database(archive: Archive, directory: str = "restored") -> AsyncIterator[Settings]:
    """Make an empty database on a server that runs already; yield settings that name it."""
    server = archive.context.database.source
    assert isinstance(server, EmbeddedServer)
    async with fresh_database(server, empty=True) as name:
        url = f"postgresql://armillary_owner@/{name}?host={server.dsn.host}"
        yield Settings(data=archive.directory / directory, database=DatabaseSettings(url=url))


@asynccontextmanager
async def restored(archive: Archive, stamp: str | None = None) -> AsyncIterator[Archive]:
    """Restore the backup and open it."""
    async with empty_database(archive) as settings:
        await restore(target(archive), settings, stamp=stamp)
        async with open_context(settings, Role.WORKER) as context:
            copy = Archive(context, archive.directory)
            try:
                yield copy
            finally:
                copy.let_go()


def after_the_dump(monkeypatch: pytest.MonkeyPatch, step: Step) -> None:
    """Let something happen between the instant of the database and the copying of files."""
    dump = dumps.dump

    async def dump_and_step(*args: Any, **options: Any) -> None:
        await dump(*args, **options)
        await step()

    monkeypatch.setattr(dumps, "dump", dump_and_step)


async def same(archive: Archive, before: dict[str, str], copy: Archive) -> None:
    """Expect the files of a restored archive as they were, in its own eyes and byte for byte."""
    for name, digest in before.items():
        path = await copy.path(name)
        assert path.is_relative_to(copy.context.settings.data)
        assert sha256(path) == digest, name
    assert set((await copy.verify()).values()) == {""}


async def digests(archive: Archive) -> dict[str, str]:
    """Return the SHA-256 of the stored bytes by name."""
    return {name: sha256(await archive.path(name)) for name in NAMES}


async def upload(archive: Archive, content: bytes, name: str, *, path: str = "") -> int:
    """Accept an upload and return its order."""

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    context = archive.context
    staged = await stage(context, chunks(), declared=len(content))
    async with context.database.begin() as connection:
        return await uploads.accept_upload(
            connection, staged, path=path, name=name, actor="observer", batch=None
        )
