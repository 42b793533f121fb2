"""The rule of who sees what: as a Python test and as SQL it says the same of every frame to everybody."""

from __future__ import annotations

import asyncio
import itertools
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import ANYBODY, OPERATOR, Grants, Level, Permission, Principal, Scope, Subjects
from armillary.archive.catalog import store
from armillary.archive.catalog.models import Root
from armillary.archive.catalog.service import NewVersion, list_roots, record_versions, set_visibility
from armillary.archive.catalog.tables import frame
from armillary.archive.errors import UnknownRoot
from armillary.archive.query import visibility
from armillary.demo.frames import make_frames
from tests.support.archive import Archive, put
from tests.support.headers import a_file
from tests.support.patience import in_time

PATIENCE_S = 300.0
ARRAY = sa.ARRAY(sa.BigInteger)
TODAY = date(2026, 6, 1)
RELEASES = (None, TODAY - timedelta(1), TODAY, TODAY + timedelta(1))
FLAGS = (None, False, True)
NAMES = (None, "P1", "P2")
VIEWERS = {
    "anybody": ANYBODY,
    "operator": OPERATOR,
    "reader": Principal("reader", frozenset({Permission(Scope.READ)})),
    "editor of a site": Principal("editor", frozenset({Permission(Scope.READ, "ogg")})),
    "investigator": Principal("pi", grants=Grants(programs=frozenset({"P1"}))),
    "team": Principal("team", grants=Grants(instruments=frozenset({"P1", "P2"}))),
    "guest": Principal("guest", grants=Grants(files=frozenset({"a.fits"}), observations=frozenset({"P2"}))),
    "told": Principal(
        "told", grants=Grants(metadata=Subjects(programs=frozenset({"P1"}), files=frozenset({"a.fits"})))
    ),
    "told of some, reads others": Principal(
        "both",
        grants=Grants(
            programs=frozenset({"P2"}),
            metadata=Subjects(instruments=frozenset({"P1"}), observations=frozenset({"P2"})),
        ),
    ),
}


def variants() -> list[dict[str, Any]]:
    """Return every combination of what the rule goes by."""
    columns = {
        "visibility": (None, "open", "hidden"),
        "release": RELEASES,
        "engineering": FLAGS,
        "proprietary_coordinates": FLAGS,
        "program": NAMES,
    }
    found = [dict(zip(columns, values, strict=True)) for values in itertools.product(*columns.values())]
    # What else is granted moves with the rest, so that each value meets each of the others.
    for number, one in enumerate(found):
        one |= {"observation_id": NAMES[number % 3], "instrument": NAMES[number // 3 % 3]}
    return found


async def frames_of(connection: AsyncConnection) -> list[dict[str, Any]]:
    """Record a frame for each of the variants; return the rows with their names."""
    wanted = variants()
    names = [f"{'a' if number == 7 else number}.fits" for number in range(len(wanted))]
    query = sa.text("INSERT INTO file (name) SELECT unnest(CAST(:names AS text[])) RETURNING id, name")
    ids = {row.name: row.id for row in await connection.execute(query, {"names": names})}
    rest = {"version_id": 1, "details": {}, "keywords": {}, "warnings": []}
    rows = [{"file_id": ids[name], **rest, **one} for name, one in zip(names, wanted, strict=True)]
    await connection.execute(sa.insert(frame), rows)
    return [{**row, "name": name} for name, row in zip(names, rows, strict=True)]


async def test_python_and_sql_say_the_same(archive: Archive) -> None:
    await archive.ingest(put(archive.directory / "secret" / "x.fits"))
    await set_visibility(
        archive.context, (await root_at(archive, archive.directory / "secret")).name, Level.HIDDEN
    )
    async with archive.context.database.begin() as connection:
        rows = await frames_of(connection)
        for name, who in VIEWERS.items():
            known = visibility.known(who, TODAY)
            coordinates_shown = sa.and_(known, visibility.coordinates_visible(who, TODAY))
            conditions = visibility.visible(who, TODAY), coordinates_shown, known
            # As a WHERE takes them: what is not known does not hold.
            query = sa.select(frame.c.file_id, *(sa.func.coalesce(one, False) for one in conditions))
            among = query.where(frame.c.file_id == sa.any_(sa.cast([r["file_id"] for r in rows], ARRAY)))
            told = {file_id: rest for file_id, *rest in await connection.execute(among)}
            unknown = await visibility.unknown_among(connection, told, who, TODAY)
            hidden = await visibility.hidden_among(connection, told, who, TODAY)
            chosen = sa.select(frame.c.file_id).where(frame.c.file_id == sa.any_(sa.cast(list(told), ARRAY)))
            any_hidden = await visibility.any_hidden(connection, chosen, who, TODAY)
            assert any_hidden is bool(hidden), name
            for row in rows:
                visible = visibility.why_visible(row, who, TODAY) is not None
                coordinates = visibility.shows_coordinates(row, who, TODAY)
                is_known = visibility.is_known(row, who, TODAY)
                assert told[row["file_id"]] == [visible, coordinates, is_known], (name, row)
                assert (row["file_id"] in unknown) is not is_known, (name, row)
                # What may be seen, or located, is known.
                assert is_known >= max(visible, coordinates), (name, row)
                assert (row["file_id"] in hidden) is not coordinates, (name, row)


async def levels(archive: Archive) -> dict[str, str | None]:
    query = "SELECT name, visibility FROM frame JOIN file ON file.id = file_id"
    async with archive.context.database.begin() as connection:
        return {row.name: row.visibility for row in await connection.exec_driver_sql(query)}


async def root_at(archive: Archive, path: Path) -> Root:
    async with archive.context.database.begin() as connection:
        return next(one for one in await list_roots(connection) if one.path == path)


async def test_frames_follow_the_level_of_their_root(archive: Archive) -> None:
    here, there = archive.directory / "here", archive.directory / "there"
    await archive.ingest(put(here / "a.fits"), put(there / "b.fits", a_file(cards=[("A", 1, "")])))
    root = await root_at(archive, here)
    assert await set_visibility(archive.context, root.name, Level.OPEN) == 1
    assert await set_visibility(archive.context, root.name, Level.OPEN) == 0
    assert (await root_at(archive, here)).visibility is Level.OPEN
    await archive.ingest(put(here / "c.fits", a_file(cards=[("A", 2, "")])))
    assert await levels(archive) == {"a.fits": "open", "b.fits": None, "c.fits": "open"}
    # An edit records another version, of the same root.
    await archive.set("a.fits", OBJECT="M 1")
    assert (await levels(archive))["a.fits"] == "open"
    assert await set_visibility(archive.context, root.name, Level.METADATA) == 2
    assert set((await levels(archive)).values()) == {None}
    with pytest.raises(UnknownRoot, match="Did you mean"):
        await set_visibility(archive.context, f"{root.name}x", Level.OPEN)


async def until_blocked(archive: Archive, one: asyncio.Task[Any]) -> None:
    """Wait until somebody waits for a lock of another, while a task is under way."""
    end = time.monotonic() + PATIENCE_S
    query = "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)"
    query += " WHERE NOT granted AND datname = current_database()"
    while True:
        async with archive.context.database.begin() as connection:
            if (await connection.exec_driver_sql(query)).scalar():
                return
        assert not one.done()
        in_time(end, "nobody waits")
        await asyncio.sleep(0.01)


async def test_a_level_waits_for_what_is_being_recorded(archive: Archive) -> None:
    await archive.ingest(put(archive.directory / "in" / "a.fits"))
    root = await root_at(archive, archive.directory / "in")
    async with archive.context.database.begin() as connection:
        await record_versions(connection, new_versions(root), now=archive.context.clock.now())
        setting = asyncio.create_task(set_visibility(archive.context, root.name, Level.OPEN))
        await until_blocked(archive, setting)
    assert await setting == 4
    assert list((await levels(archive)).values()) == ["open"] * 4


async def test_what_is_recorded_waits_for_a_level(archive: Archive) -> None:
    await archive.ingest(put(archive.directory / "in" / "a.fits"))
    root = await root_at(archive, archive.directory / "in")

    async def record() -> None:
        async with archive.context.database.begin() as connection:
            await record_versions(connection, new_versions(root), now=archive.context.clock.now())

    async with archive.context.database.begin() as connection:
        assert await store.set_visibility(connection, root.id, Level.OPEN) == 1
        recording = asyncio.create_task(record())
        await until_blocked(archive, recording)
    await recording
    assert list((await levels(archive)).values()) == ["open"] * 4


def new_versions(root: Root) -> list[NewVersion]:
    """Return three frames that are to be recorded."""
    return [one for _, night in make_frames(3, root_id=root.id, seed=1) for one in night]


async def test_whoever_was_granted_a_program_is_told_that_others_are_closed(archive: Archive) -> None:
    await archive.ingest(put(archive.directory / "in" / "a.fits"))
    (found,) = (await archive.page(viewer=VIEWERS["investigator"])).frames
    assert found["visible"] is False
