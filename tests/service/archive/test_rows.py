"""Rows of frames are what their types say: the same values in the same order, each of its kind."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec
import pytest

from armillary.access.models import ANYBODY, OPERATOR, Principal
from armillary.archive.fields import FRAME_FIELDS, HOT, POINTING
from armillary.archive.query.records import record_of
from armillary.archive.query.rows import FoundFrame, KnownFrame
from armillary.archive.query.search import search
from tests.support.archive import Archive, put
from tests.support.frames import a_header
from tests.support.headers import a_file
from tests.support.night import gemini_file

NAME = "N20260101S0001.fits"
TODAY = date(2026, 1, 2)
STRANGE = "N20260101S0002.fits"


async def two_files(archive: Archive) -> None:
    """Take in a file whose position is proprietary, and one that tells next to nothing."""
    header = a_header(RELEASE="2099-01-01") | {"PROP_MD": True}
    cards = [(keyword, value, "") for keyword, value in header.items() if keyword != "SIMPLE"]
    put(archive.directory / "in" / NAME, a_file(cards=cards))
    put(
        archive.directory / "in" / STRANGE,
        gemini_file(INSTRUME="nothing known", DATE_OBS="soon", EXPTIME="?"),
    )
    assert (await archive.ingest(archive.directory / "in")).ingested == 2


def as_described(row: Mapping[str, Any], described: Any) -> Any:
    """Return a row read by its type, as a client would read the JSON."""
    return msgspec.json.decode(msgspec.json.encode(row), type=described)


@pytest.mark.parametrize("viewer", [OPERATOR, ANYBODY], ids=["operator", "anybody"])
async def test_found_frames_are_as_described(archive: Archive, viewer: Principal) -> None:
    await two_files(archive)
    async with archive.context.database.begin() as connection:
        rows = (await search(connection, (), viewer, today=TODAY)).frames
    assert {row["name"] for row in rows} == {NAME, STRANGE}
    for row in rows:
        assert list(row) == list(FoundFrame.__annotations__)
        assert as_described(row, FoundFrame) == row
    position = next(row for row in rows if row["name"] == NAME)["ra_deg"]
    assert (position is None) == (viewer is ANYBODY)


@pytest.mark.parametrize("viewer", [OPERATOR, ANYBODY], ids=["operator", "anybody"])
async def test_the_frame_of_a_file_is_as_described(archive: Archive, viewer: Principal) -> None:
    await two_files(archive)
    for name in (NAME, STRANGE):
        async with archive.context.database.begin() as connection:
            row = (await record_of(connection, name, viewer, TODAY)).frame
        assert row is not None
        assert KnownFrame.__required_keys__ <= row.keys() <= KnownFrame.__annotations__.keys()
        assert as_described(row, KnownFrame) == row


def test_every_field_is_described_once() -> None:
    hot = [field.name for field in HOT]
    assert list(KnownFrame.__annotations__)[: len(hot)] == hot
    assert set(KnownFrame.__annotations__) == {field.name for field in FRAME_FIELDS}
    assert [name for name in FoundFrame.__annotations__ if name in hot] == hot


@pytest.mark.parametrize("field", sorted(POINTING))
def test_what_tells_a_position_may_be_null(field: str) -> None:
    (schema,), components = msgspec.json.schema_components([KnownFrame], ref_template="{name}")
    assert {"type": "null"} in components[schema["$ref"]]["properties"][field]["anyOf"]
