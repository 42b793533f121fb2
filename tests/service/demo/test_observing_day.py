"""The day at a solar telescope comes in once, by work orders, and leaves alone what became of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from armillary.archive.cubes import service as cubes
from armillary.archive.cubes.models import Cube
from armillary.base.postgres.server import EmbeddedServer
from armillary.commands import observing_day
from armillary.commands.observing_day import STUDENT, configure, has_root, settings_text, show_day
from armillary.demo.solar import cubes_of_day, write_day
from armillary.settings import Settings
from tests.e2e.test_demonstration import at_work
from tests.support.archive import Archive, an_archive
from tests.support.postgres import postgres

__all__ = ["postgres"]
AGAIN = cubes_of_day()[-1]


@pytest.fixture
async def archive(postgres: EmbeddedServer, tmp_path: Path) -> AsyncIterator[Archive]:
    """Open an empty archive with the settings of the day."""
    configured = configure(Settings(data=tmp_path / "data"))
    sections = {"ingestion": configured.ingestion, "sst": configured.sst}
    async with an_archive(postgres, tmp_path, sections=sections) as opened:
        yield opened


async def rows(archive: Archive, statement: str, *values: Any) -> list[Any]:
    """Return the rows of a statement."""
    async with archive.context.database.begin() as connection:
        return list((await connection.exec_driver_sql(statement, values)).all())


async def cubes_there(archive: Archive) -> dict[str, Cube]:
    """Return the cubes by oid."""
    oids = [row[0] for row in await rows(archive, "SELECT oid FROM cube")]
    async with archive.context.database.begin() as connection:
        return await cubes.cubes_called(connection, oids)


async def test_the_day_comes_in_by_orders_and_comes_once(archive: Archive) -> None:
    async with at_work(archive):
        assert await show_day(archive.context) == 25
    await archive.drain()
    there = await cubes_there(archive)
    assert len(there) == 24
    assert there[AGAIN.cube.oid].path == AGAIN.path, "what was exported again takes the place"
    orders = await rows(
        archive, "SELECT state, count(*) FROM work_order WHERE kind = 'ingest_cube' GROUP BY 1"
    )
    assert [tuple(one) for one in orders] == [("Completed", 25)]
    await check_what_is_seen(archive)
    await check_what_is_restricted(archive)
    before = await rows(archive, "SELECT count(*) FROM work_order")
    async with at_work(archive):
        assert await show_day(archive.context) == 25
    assert await rows(archive, "SELECT count(*) FROM work_order") == before


async def check_what_is_seen(archive: Archive) -> None:
    """Look for pictures, movies and tags."""
    counted = (
        "SELECT kind, count(*) FROM product JOIN frame USING (version_id)"
        " WHERE kind IN ('image', 'thumbnail', 'video') GROUP BY 1"
    )
    kinds: dict[str, int] = dict(map(tuple, await rows(archive, counted)))
    assert (kinds["image"], kinds["thumbnail"]) == (24, 24)
    # Where PyAV is not installed there are none; and nothing moves in a single picture.
    assert ("video" in kinds) == (find_spec("av") is not None)
    terms = {row[0] for row in await rows(archive, "SELECT DISTINCT term FROM cube_tag")}
    assert {"Sunspot", "Light bridge", "Flare", "Surge"} <= terms
    assert "Fibril" not in terms, "it is in no vocabulary"


async def check_what_is_restricted(archive: Archive) -> None:
    """Look for the two cubes that are not public, and for who may read them nevertheless."""
    closed = await rows(archive, "SELECT count(*) FROM frame WHERE release > '2190-01-01'")
    granted = await rows(archive, "SELECT principal, count(DISTINCT subject) FROM access_grant GROUP BY 1")
    assert (closed[0][0], [tuple(one) for one in granted]) == (2, [(STUDENT, 2)])


async def test_a_day_that_was_broken_off_is_completed(archive: Archive) -> None:
    top = archive.context.settings.ingestion.roots[observing_day.ROOT]
    first, _, *rest = write_day(top)
    edited = first.read_bytes().replace(b"'AR 14100'", b"'AR 99999'", 1)
    first.write_bytes(edited)
    for path in rest:
        path.unlink()
    async with at_work(archive):
        await show_day(archive.context)
    assert first.read_bytes() == edited, "what is there stays"
    assert all(path.exists() for path in rest)
    # The first one is for the watched folder, as is whatever nobody orders; the second is exported again.
    assert len(await cubes_there(archive)) == 23


def test_an_archive_without_settings_gets_those_of_the_day(tmp_path: Path) -> None:
    data = tmp_path / 'a "day" at\\ the ☉'
    configured = configure(Settings(data=data))
    assert has_root(configured)
    assert Settings(data=data) == configured, "every command reads the same"
    assert configured.sst.vocabularies.keys() == {"FEATURES", "EVENTS"}
    for source in configured.sst.vocabularies.values():
        assert Path(source).read_text()
    file = data / "armillary.toml"
    file.write_text(f"{file.read_text()}\n[work]\nworkers = 3\n")
    again = configure(Settings(data=data))
    assert (again.work.workers, has_root(again)) == (3, True)


@pytest.mark.parametrize("said", ["", "[ingestion.roots]\nother = '/other'\n"])
def test_settings_of_somebody_stay_as_they_are(tmp_path: Path, said: str) -> None:
    file = tmp_path / "armillary.toml"
    file.write_text(said)
    settings = Settings(data=tmp_path)
    assert configure(settings) == settings
    assert not has_root(settings)
    assert file.read_text() == said
    if not said:
        # What the program says then is what helps.
        file.write_text(settings_text(settings))
        assert has_root(Settings(data=tmp_path))


def test_settings_of_the_environment_count_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARMILLARY_INGESTION__ROOTS", '{"other": "/other"}')
    settings = Settings(data=tmp_path)
    assert configure(settings) == settings
    assert list(tmp_path.iterdir()) == []
