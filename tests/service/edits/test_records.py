"""Every accepted edit ends in the permanent record, those too that failed where nobody could write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from armillary.edits import revert
from armillary.edits.errors import NothingToRevert
from armillary.edits.recording import record_failures
from armillary.edits.status import status_of
from tests.support.archive import ORIGIN, Archive, OrderFailed, put
from tests.support.edits import accept_one
from tests.support.headers import a_file


@pytest.fixture
async def path(archive: Archive) -> Path:
    path = put(archive.directory / "in" / "a.fits")
    assert (await archive.ingest(path)).ingested == 1
    return path


async def queue(archive: Archive, name: str = "a.fits") -> tuple[Any, int]:
    accepted = await accept_one(archive.context, {"generic": {"A": 1}}, name, ORIGIN)
    return accepted.request_id, accepted.order_ids[0]


async def sql(archive: Archive, query: str, **values: object) -> list[Any]:
    async with archive.context.database.begin() as connection:
        result = await connection.execute(text(query), values)
        return list(result.all()) if result.returns_rows else []


async def failed_edits(archive: Archive) -> list[tuple[Any, ...]]:
    query = "SELECT order_id, actor, address, why, error, version_before FROM edit WHERE outcome = 'failed'"
    return [tuple(row) for row in await sql(archive, query)]


async def test_an_order_whose_file_is_gone_is_recorded(archive: Archive, path: Path) -> None:
    request_id, order = await queue(archive)
    await sql(archive, "UPDATE version SET present = false")
    assert not (await archive.run([order]))[order].response.ok
    error = "a.fits: no present file is there any more."
    assert await failed_edits(archive) == [(order, "observer", "127.0.0.1", "a test", error, None)]
    (item,) = (await status_of(archive.context, request_id)).edits
    assert (item.state, item.error, item.code, item.before) == ("failed", error, "file_gone", None)


async def test_orders_that_died_are_recorded_once(archive: Archive, path: Path) -> None:
    request_id, order = await queue(archive)
    await sql(
        archive,
        "UPDATE work_order SET state = 'Failed', error = 'died', finished = now(),"
        """ response = '{"ok": false, "error": "died", "value": null}', expires = now() WHERE id = :id""",
        id=order,
    )
    assert await record_failures(archive.context) == 1
    assert await record_failures(archive.context) == 0
    await sql(archive, "DELETE FROM work_order WHERE id = :id", id=order)
    assert [(row[0], row[4]) for row in await failed_edits(archive)] == [(order, "died")]
    (item,) = (await status_of(archive.context, request_id)).edits
    assert (item.state, item.error, item.code) == ("failed", "died", None)
    assert len((await archive.history("a.fits")).edits) == 1


@pytest.mark.parametrize("file_id", ['"x"', "null", "999999", '"1; DROP TABLE edit"', "1.5", "-1"])
async def test_orders_about_no_file_are_not_recorded(archive: Archive, path: Path, file_id: str) -> None:
    _, order = await queue(archive)
    await sql(
        archive,
        "UPDATE work_order SET state = 'Failed', error = 'died', finished = now(), expires = now(),"
        """ response = '{"ok": false, "error": "died", "value": null}',"""
        f" args = args || '{{\"file_id\": {file_id}}}' WHERE id = :id".replace(": ", r"\: "),
        id=order,
    )
    assert await record_failures(archive.context) == 0


async def test_a_revert_keeps_to_the_file_of_its_order(archive: Archive, path: Path) -> None:
    other = put(archive.directory / "in" / "b.fits", a_file(cards=[("OBJECT", "M 2", "")]))
    assert (await archive.ingest(other)).ingested == 1
    await archive.set("a.fits", OBSERVER="one")
    await archive.set("b.fits", OBSERVER="two")
    (foreign,) = await archive.edits("b.fits")
    order = await revert.submit_revert(archive.context, "a.fits", None, ORIGIN)
    await sql(
        archive,
        "UPDATE work_order SET args = args || jsonb_build_object('edit_id', CAST(:edit AS bigint))"
        " WHERE id = :id",
        edit=foreign,
        id=order,
    )
    before = path.read_bytes()
    response = (await archive.run([order]))[order].response
    assert "another file than" in response.error
    assert path.read_bytes() == before


async def test_a_failed_edit_is_not_taken_back(archive: Archive, path: Path) -> None:
    with pytest.raises(OrderFailed):
        await archive.edit("a.fits", {"generic": {"A": 1}}, extension="NOPE")
    version = await archive.version("a.fits")
    async with archive.context.database.begin() as connection:
        number = await connection.scalar(text("SELECT max(id) FROM edit"))
        with pytest.raises(NothingToRevert, match="that changed a file"):
            await revert.undo_of(connection, number, version)


async def test_edits_that_cancel_each_other_leave_the_revert_before_them_exact(
    archive: Archive, path: Path
) -> None:
    """Two orders that share one rewrite and end where they began bear the version of the edit before them."""
    await archive.set("a.fits", OBSERVER="one")
    (first,) = await archive.edits("a.fits")
    there = (await accept_one(archive.context, {"generic": {"OBSERVER": "two"}}, "a.fits", ORIGIN)).order_ids
    back = (await accept_one(archive.context, {"generic": {"OBSERVER": "one"}}, "a.fits", ORIGIN)).order_ids
    await archive.finish([*there, *back])
    version = await archive.version("a.fits")
    async with archive.context.database.begin() as connection:
        undo = await revert.undo_of(connection, first, version)
        owners = await connection.scalar(
            text("SELECT count(*) FROM edit WHERE version_after = :id AND outcome = 'changed'"),
            {"id": version.id},
        )
    assert (undo.alone, undo.after.id, owners) == (True, version.id, 3)
