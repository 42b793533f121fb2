"""An archive that publishes, and a virtual observatory on a real socket."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from armillary.base.postgres.server import EmbeddedServer
from armillary.demo.svo import Svo
from armillary.demo.svo import running as serving
from armillary.publish.svo import service
from armillary.publish.svo.documents import RunReport
from armillary.publish.svo.service import Options
from armillary.publish.svo.tasks import workers_of
from armillary.settings import SvoSettings
from tests.support.archive import Archive, an_archive, archive, put
from tests.support.cubes import a_cube, a_day
from tests.support.postgres import postgres
from tests.support.svo import DATASET, KEY, OWNER, a_world

__all__ = ["archive", "postgres"]
PUBLIC = "https://archive.example"


class Publishing(Archive):
    """An archive whose frames are published when a test says so."""

    async def take(self, name: str, path: str = "", **cards: Any) -> Path:
        """Take a cube in."""
        place = put(self.directory / "in" / path / name, a_cube(**cards))
        report = await self.ingest(place)
        assert not report.failed, report.failed
        return place

    async def take_day(self, count: int) -> None:
        """Take cubes in that differ in their begin."""
        for number in range(count):
            put(self.directory / "in" / f"cube{number:04}.fits", a_cube(**a_day(number)))
        report = await self.ingest(self.directory / "in")
        assert not report.failed, report.failed

    async def sync(self, **options: Any) -> RunReport:
        """Make the observatory say what the archive says."""
        return await service.run(self.context, Options(**{"updating": True} | options))

    async def publish(self, *oids: str, **options: Any) -> RunReport:
        """Create or update records."""
        chosen = {"updating": True, "deleting": False, "whole": False, "oids": oids or None}
        return await service.run(self.context, Options(**chosen | options))

    async def work(self) -> None:
        """Do the work of publishing that is due."""
        for worker in workers_of(self.context, "test"):
            await worker.drain()

    async def sql(self, statement: str, *values: object) -> list[Any]:
        """Return the rows of a statement."""
        async with self.context.database.begin() as connection:
            found = await connection.exec_driver_sql(statement, values)
            return list(found.all()) if found.returns_rows else []

    async def retire(self, name: str) -> None:
        """Let the catalog know a file no more."""
        file_id = (await self.version(name)).file_id
        for table in ("frame", "version", "file"):
            column = "id" if table == "file" else "file_id"
            await self.sql(f"DELETE FROM {table} WHERE {column} = $1", file_id)

    def with_settings(self, **changes: Any) -> Publishing:
        """Return the same archive with other settings of publishing."""
        svo = self.context.settings.svo.model_copy(update=changes)
        settings = self.context.settings.model_copy(update={"svo": svo})
        return Publishing(dataclasses.replace(self.context, settings=settings), self.directory)


def totals(report: RunReport) -> dict[str, int]:
    """Return what a run came to, without zeros."""
    return {name: count for name, count in report.totals.items() if count}


@pytest.fixture
def svo() -> Iterator[Svo]:
    with serving(a_world()) as one:
        yield one


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a key into the environment, and return what puts another one there."""

    def put_there(text: str) -> None:
        monkeypatch.setenv("SVO_API_KEY", text)

    monkeypatch.delenv("SVO_API_URL", raising=False)
    monkeypatch.delenv("SVO_API_KEY_FILE", raising=False)
    monkeypatch.setenv("SVO_USERNAME", OWNER.name)
    put_there(KEY)
    return put_there


@pytest.fixture
async def publishing(postgres: EmbeddedServer, tmp_path: Path, svo: Svo) -> AsyncIterator[Publishing]:
    """Open an empty archive that publishes CHROMIS."""
    async with an_archive(postgres, tmp_path) as opened:
        known = SvoSettings(
            url=svo.url,
            datasets={"CHROMIS": DATASET},
            public_url=PUBLIC,
            timeout_s=10.0,
            retry_first_s=0.01,
            retry_last_s=0.2,
        )
        settings = opened.context.settings.model_copy(update={"svo": known})
        yield Publishing(dataclasses.replace(opened.context, settings=settings), opened.directory)
