"""A plan says what an intake would do and why, and does nothing of it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text

from armillary.archive.intake.plans import Act, Planned, plan
from tests.support.archive import OLD_NS, SMALL, Archive, put


async def planned(archive: Archive, *paths: Path, **options: bool) -> dict[str, tuple[Act, str]]:
    """Return what would become of files, by their names."""
    how = {"force": False, "verify": False} | options
    found: list[Planned] = await plan(archive.context, paths, **how)
    return {Path(one.path).name: (one.act, one.why) for one in found}


async def test_every_file_is_named_with_the_reason(archive: Archive) -> None:
    tree = archive.directory / "tree"
    for name in ("same.fits", "grown.fits", "touched.fits", "gone.fits"):
        put(tree / name)
    await archive.ingest(tree)
    put(tree / "grown.fits", SMALL + bytes(2880))
    put(tree / "touched.fits", mtime_ns=OLD_NS + 1)
    (tree / "gone.fits").unlink()
    put(tree / "new.fits")
    (tree / "loop.fits").symlink_to("loop.fits")
    found = await planned(archive, tree)
    assert {name: act for name, (act, _) in found.items()} == {
        "same.fits": Act.SKIP,
        "grown.fits": Act.INGEST,
        "touched.fits": Act.INGEST,
        "gone.fits": Act.MARK_ABSENT,
        "new.fits": Act.INGEST,
        "loop.fits": Act.REFUSE,
    }
    assert found["grown.fits"][1] == f"its size was {len(SMALL)} bytes and is {len(SMALL) + 2880}"
    assert (found["new.fits"][1], found["same.fits"][1]) == (
        "the archive does not know it",
        "size and time stamp are those on record",
    )
    assert (await planned(archive, tree, force=True))["same.fits"] == (Act.INGEST, "by force")
    assert (await planned(archive, tree / "same.fits", verify=True))["same.fits"][0] is Act.INGEST


async def test_a_plan_writes_nothing(archive: Archive) -> None:
    tree = archive.directory / "tree"
    put(tree / "new.fits")
    before = await rows(archive)
    await planned(archive, tree)
    assert await rows(archive) == before
    assert [one.name for one in tree.iterdir()] == ["new.fits"]


async def rows(archive: Archive) -> list[int]:
    """Return how many rows tables have that an intake writes."""
    tables = ("root", "file", "version", "frame", "work_order")
    async with archive.context.database.begin() as connection:
        return [int(await connection.scalar(text(f"SELECT count(*) FROM {one}")) or 0) for one in tables]


async def test_bytes_are_compared_if_that_is_asked(archive: Archive) -> None:
    tree = archive.directory / "tree"
    path = put(tree / "a.fits")
    await archive.ingest(tree)
    changed = bytearray(SMALL)
    changed[-1] ^= 1
    put(path, bytes(changed))
    unseen = await archive.ingest(tree)
    assert (unseen.ingested, unseen.skipped) == (0, 1)
    seen = await archive.ingest(tree, verify=True)
    assert (seen.ingested, seen.skipped) == (1, 0)
    again = await archive.ingest(tree, verify=True)
    assert (again.ingested, again.skipped) == (0, 1)
