"""An archive that exports, and servers of the old kind to export to."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from armillary.base.postgres.server import EmbeddedServer
from armillary.context import Context
from armillary.exports import service
from armillary.exports.tasks import workers_of
from armillary.settings import DestinationSettings, ExportSettings
from tests.support.archive import Archive, an_archive, archive, put
from tests.support.headers import a_file
from tests.support.old_server import SECRET, OldServer, old_server
from tests.support.postgres import postgres

__all__ = ["archive", "postgres"]


@dataclasses.dataclass(frozen=True)
class Waiting:
    """An export that has not ended.

    However slow the machine is, its delay is at least ``in_s``, the seconds from now on, and at most those since
    its last run began.
    """

    name: str
    attempts: int
    not_before: datetime
    in_s: float
    started: datetime
    error: str

    @property
    def after_s(self) -> float:
        """Seconds from the beginning of the last run to the next."""
        return (self.not_before - self.started).total_seconds()


class Exporting(Archive):
    """An archive whose exports run when a test says so."""

    async def take_in(self, name: str, content: bytes | None = None, *, path: str = "") -> None:
        """Take a file in and compute its digests."""
        place = self.directory / "in" / path / name
        await self.ingest(put(place, content or a_file()))
        await self.drain()

    async def export(self, names: Sequence[str] | None = None) -> None:
        """Do the work that is due, then the exports that are, those of some destinations or of all."""
        await self.drain()
        configured = self.context.settings.exports.destinations
        for one, worker in zip(configured, workers_of(self.context, "test"), strict=True):
            if names is None or one.name in names:
                await worker.drain()

    async def due(self) -> None:
        """Let the time pass that exports wait for."""
        async with self.context.database.begin() as connection:
            await service.retry(self.context, connection, None)

    async def waiting(self, destination: str | None = None) -> list[Waiting]:
        """Return exports that have not ended, by name."""
        async with self.context.database.begin() as connection:
            rows = (await service.overview(connection, destination, 1000)).waiting
        started = dict(map(tuple, await self.rows("SELECT id, started FROM work_order")))
        now = datetime.now().astimezone()
        found = [
            Waiting(
                name=row.name,
                attempts=row.attempts,
                not_before=row.not_before,
                in_s=(row.not_before - now).total_seconds(),
                started=started[row.id],
                error=row.error or "",
            )
            for row in rows
        ]
        return sorted(found, key=lambda one: one.name)

    async def there(self) -> dict[str, dict[str, Any]]:
        """Return how files got to destinations, by name."""
        async with self.context.database.begin() as connection:
            rows = (await service.overview(connection, None, 1000)).ended
        return {row.name: dataclasses.asdict(row) for row in rows}

    async def rows(self, query: str) -> list[Any]:
        """Return the rows of a query."""
        async with self.context.database.begin() as connection:
            return list((await connection.exec_driver_sql(query)).all())

    def with_destinations(self, *destinations: DestinationSettings, **settings: Any) -> Exporting:
        """Return the same archive with other destinations."""
        exports = ExportSettings(destinations=destinations, **settings)
        context: Context = dataclasses.replace(
            self.context, settings=self.context.settings.model_copy(update={"exports": exports})
        )
        return Exporting(context, self.directory)


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "upload.secret"
    path.write_text(f"{SECRET}\n")
    return path


@pytest.fixture
def old() -> Iterator[OldServer]:
    with old_server() as server:
        yield server


Servers = Callable[[], OldServer]


@pytest.fixture
def another() -> Iterator[Servers]:
    with ExitStack() as stack:
        yield lambda: stack.enter_context(old_server())


Destined = Callable[..., DestinationSettings]


@pytest.fixture
def destined(old: OldServer, secret_file: Path) -> Destined:
    """Return a maker of settings of a destination; the old server unless they say otherwise."""

    def make(**changes: Any) -> DestinationSettings:
        known = {"name": "old", "url": old.url, "upload_secret": f"file:{secret_file}"}
        return DestinationSettings.model_validate(known | changes)

    return make


@pytest.fixture
async def exporting(postgres: EmbeddedServer, tmp_path: Path, destined: Destined) -> AsyncIterator[Exporting]:
    """Open an empty archive that exports everything to the old server."""
    async with an_archive(postgres, tmp_path) as opened:
        one = Exporting(opened.context, opened.directory).with_destinations(destined())
        await service.register(one.context, alone=True)
        yield one
