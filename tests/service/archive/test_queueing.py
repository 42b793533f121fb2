"""How the intake of files waits in the queue: in which order, and what a second request adds."""

from __future__ import annotations

import bz2

from sqlalchemy import text

from armillary.archive.catalog.service import list_roots
from armillary.archive.intake.adoption import location_of
from armillary.archive.intake.service import submit_ingests
from tests.support.archive import OLD_NS, Archive, put
from tests.support.headers import a_file


async def waiting(archive: Archive) -> list[str]:
    """Return the names of the files that wait, in the order in which they are claimed."""
    query = (
        "SELECT args->>'filename' FROM work_order WHERE state = 'Queued' AND kind = 'ingest'"
        " ORDER BY priority DESC, id"
    )
    async with archive.context.database.begin() as connection:
        return list((await connection.scalars(text(query))).all())


async def test_the_newest_science_is_taken_in_first(archive: Archive) -> None:
    names = ["calib.fits", "N20250101S0001.fits", "img_20260101_12h.fits", "N20250101S0002.fits"]
    for name in [*names, "S20260101S0001.fits"]:
        put(archive.directory / "in" / name)
    await archive.submit(archive.directory / "in")
    assert await waiting(archive) == ["S20260101S0001.fits", *reversed(names[1::2]), *names[2::-2]]


async def test_edits_go_before_files_and_products_after_them(archive: Archive) -> None:
    # The digests of small plain files come with their intake.
    await archive.ingest(put(archive.directory / "in" / "a.fits.bz2", bz2.compress(a_file())))
    await archive.submit(put(archive.directory / "in" / "b.fits"))
    query = "SELECT kind, max(priority) FROM work_order GROUP BY kind"
    async with archive.context.database.begin() as connection:
        found = {row[0]: row[1] for row in (await connection.execute(text(query))).all()}
    assert 0 > found["ingest"] > found["digest"] > found["preview"]


async def test_a_second_request_does_not_take_the_force_of_the_first_away(archive: Archive) -> None:
    path = put(archive.directory / "in" / "a.fits", mtime_ns=OLD_NS)
    await archive.ingest(path)
    forced = await archive.submit(path, force=True)
    async with archive.context.database.begin() as connection:
        (root,) = [one for one in await list_roots(connection) if one.path == path.parent]
        place = location_of(root, path.relative_to(root.path))
        assert await submit_ingests(connection, [place], actor="watch") == list(forced.orders)
    assert [value["outcome"] for value in await archive.finish(list(forced.orders))] == ["ingested"]
    assert len((await archive.history("a.fits")).versions) == 2
