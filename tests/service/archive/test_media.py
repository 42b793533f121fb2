"""Files of other media beside the FITS files: taken in, found, handed out and verified, and never edited."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from armillary.access.models import OPERATOR
from armillary.archive.catalog.media import MEDIA, media_type
from armillary.archive.catalog.models import Location
from armillary.archive.catalog.service import get_product, store_of, store_root
from armillary.archive.download.service import open_download, stream, version_to_serve
from armillary.archive.intake.service import submit_ingests
from armillary.edits.errors import NoHeaders
from tests.support.archive import Archive
from tests.support.headers import a_file

NOTES = "eco1-0m35-20260101-0001-EX00.txt"
PICTURES = "eco1-0m35-20260101-0001-EX10.jpg"


async def take_in(archive: Archive, place: str, contents: dict[str, bytes]) -> Sequence[str]:
    """Put files below a place of the store and take them in; return the errors of those that failed."""
    async with archive.context.database.begin() as connection:
        root = await store_root(connection, archive.context)
    objects = store_of(archive.context, root)
    for name, content in contents.items():
        await objects.write(f"{place}/{name}", content, mtime_ns=10**18)
    async with archive.context.database.begin() as connection:
        places = [Location(root.id, place, name) for name in contents]
        ids = await submit_ingests(connection, places, actor="test", patient=False)
    ended = await archive.run(ids)
    await archive.drain()
    return [one.response.error or "" for one in ended.values() if not one.response.ok]


async def served(archive: Archive, name: str) -> tuple[str, bytes]:
    """Return media type and bytes of a download."""
    async with archive.context.database.begin() as connection:
        found = await version_to_serve(connection, name, OPERATOR, now=archive.context.clock.now())
    download = await open_download(store_of(archive.context, found.root), found, name, max_unpacked=1 << 30)
    return download.media_type, b"".join([chunk async for chunk in stream(download)])


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff" + bytes(300_000), b"OBJECT  M 31\n"])
async def test_any_medium_is_taken_in_handed_out_and_verified(archive: Archive, content: bytes) -> None:
    assert await take_in(archive, "info-images/eco", {PICTURES: content, NOTES: content}) == []
    assert await served(archive, PICTURES) == ("image/jpeg", content)
    assert await served(archive, NOTES) == ("text/plain; charset=utf-8", content)
    version = await archive.version(PICTURES)
    assert (version.hdus, version.headers(), version.data_size) == ((), (), len(content))
    assert version.file_sha256
    assert version.file_sha256 == version.data_sha256
    assert sorted(await archive.find()) == [NOTES, PICTURES]
    assert (await archive.verify())[PICTURES] == ""
    async with archive.context.database.begin() as connection:
        assert await get_product(connection, version.id, "preview") is None


async def test_new_bytes_are_a_new_version_and_damage_is_found(archive: Archive) -> None:
    await take_in(archive, "data", {NOTES: b"first"})
    path = archive.context.settings.data / "store" / "data" / NOTES
    path.write_bytes(b"outside")
    assert "ingest it again" in (await archive.verify())[NOTES]
    async with archive.context.database.begin() as connection:
        root = await store_root(connection, archive.context)
        place = Location(root.id, "data", NOTES)
        ids = await submit_ingests(connection, [place], actor="test", patient=False)
    await archive.finish(ids)
    assert (await archive.version(NOTES)).file_size == len(b"outside")
    assert (await archive.verify())[NOTES] == ""


async def test_what_has_no_headers_is_not_edited_and_says_so(archive: Archive) -> None:
    await take_in(archive, "data", {PICTURES: b"\xff\xd8\xff"})
    with pytest.raises(NoHeaders, match="has no headers; only FITS files can be edited"):
        await archive.set(PICTURES, OBJECT="M 31")


async def test_a_name_of_fits_still_has_to_hold_fits(archive: Archive) -> None:
    (error,) = await take_in(archive, "data", {"N20260101S0001.fits": b"\xff\xd8\xff"})
    assert "N20260101S0001.fits" in error
    assert await take_in(archive, "data", {"N20260101S0002.fits": a_file()}) == []


def test_no_type_is_one_that_browsers_run() -> None:
    assert not {kind for kind in MEDIA.values() if "html" in kind or "svg" in kind or "script" in kind}
    assert media_type("a.fits") == media_type("a.fits.fz") == media_type("unknown") == "application/fits"
    assert media_type("A.JPG") == "image/jpeg"
