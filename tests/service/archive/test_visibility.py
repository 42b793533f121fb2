"""The rule of who sees what: as a Python test and as SQL it says the same of every frame to everybody."""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from armillary.access.models import ANYBODY, OPERATOR, Grants, Level, Permission, Principal, Scope
from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.service import list_roots, set_visibility
from armillary.archive.catalog.tables import frame
from armillary.archive.errors import UnknownRoot
from armillary.archive.query import visibility
from tests.support.archive import Archive, put
from tests.support.headers import a_file

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
}


def variants() -> list[dict[str, Any]]:
    """Return every combination of what the rule goes by."""
    columns = {
        "visibility": (None, "open"),
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


@pytest.mark.parametrize("viewer", VIEWERS)
async def test_python_and_sql_say_the_same(archive: Archive, viewer: str) -> None:
    who, wanted = VIEWERS[viewer], variants()
    names = [f"{'a' if number == 7 else number}.fits" for number in range(len(wanted))]
    async with archive.context.database.begin() as connection:
        ids = (
            await connection.execute(
                sa.text("INSERT INTO file (name) SELECT unnest(:names ::text[]) RETURNING id"),
                {"names": names},
            )
        ).scalars()
        rows = [
            {"file_id": file_id, "version_id": 1, "details": {}, "keywords": {}, "warnings": [], **one}
            for file_id, one in zip(ids, wanted, strict=True)
        ]
        await connection.execute(sa.insert(frame), rows)
        told = {
            row.file_id: (row.visible, row.coordinates)
            for row in await connection.execute(
                sa.select(
                    frame.c.file_id,
                    visibility.visible(who, TODAY).is_(sa.true()).label("visible"),
                    visibility.coordinates_visible(who, TODAY).is_(sa.true()).label("coordinates"),
                )
            )
        }
        everything = [row["file_id"] for row in rows]
        hidden = await visibility.hidden_among(connection, everything, who, TODAY)
        chosen = sa.select(frame.c.file_id)
        assert await visibility.any_hidden(connection, chosen, who, TODAY) is bool(hidden)
    for name, row in zip(names, rows, strict=True):
        known = {**row, "name": name}
        visible = visibility.why_visible(known, who, TODAY) is not None
        coordinates = visibility.shows_coordinates(known, who, TODAY)
        assert told[row["file_id"]] == (visible, coordinates), known
        assert (row["file_id"] in hidden) is not coordinates, known


async def levels(archive: Archive) -> dict[str, str | None]:
    query = "SELECT name, visibility FROM frame JOIN file ON file.id = file_id"
    async with archive.context.database.begin() as connection:
        return dict(iter(await connection.exec_driver_sql(query)))


async def root_at(archive: Archive, path: Path) -> catalog.Roots | Any:
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
