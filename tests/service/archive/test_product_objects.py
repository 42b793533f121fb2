"""Products are objects outside the database, which can be lost and made again."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from armillary.archive.catalog.models import Product
from armillary.archive.catalog.service import get_product
from armillary.archive.errors import NoPreview
from armillary.archive.products import registry
from armillary.archive.products.leftovers import settle_products
from armillary.archive.products.objects import directory_of, fetch
from armillary.archive.products.orders import ask_again
from tests.support.archive import Archive, put
from tests.support.night import gemini_file

NAME = "N20260101S0001.fits"
JPEG = b"\xff\xd8\xff"
NOTHING = {"forgotten": 0, "moved": 0, "removed": 0, "renewed": 0}


async def pictured(archive: Archive, name: str = NAME) -> Path:
    """Take a file with an image in, and return the directory of products."""
    await archive.ingest(put(archive.directory / "night" / name, gemini_file(kb=1500)))
    await archive.drain()
    return directory_of(archive.context)


async def product(archive: Archive, kind: str = "preview", name: str = NAME) -> Product:
    version = await archive.version(name)
    async with archive.context.database.begin() as connection:
        found = await get_product(connection, version.id, kind)
    assert found is not None
    return found


async def change(archive: Archive, statement: str, **values: object) -> None:
    async with archive.context.database.begin() as connection:
        await connection.execute(text(statement), values)


def objects(directory: Path) -> list[Path]:
    return sorted(one for one in directory.rglob("*") if one.is_file())


async def test_pictures_lie_outside_the_database_named_by_what_is_in_them(archive: Archive) -> None:
    directory = await pictured(archive)
    for kind in ("preview", "thumbnail"):
        found = await product(archive, kind)
        assert found.content is None
        assert found.key == f"{found.sha256[:2]}/{found.sha256}.jpg"
        assert (await fetch(archive.context, found))[:3] == JPEG
        assert (directory / found.key).stat().st_mode & 0o444
    assert len(objects(directory)) == 2
    assert await settle_products(archive.context) == NOTHING


async def test_equal_pictures_are_stored_once_and_serve_edited_versions(archive: Archive) -> None:
    directory = await pictured(archive)
    await pictured(archive, "N20260101S0002.fits")
    assert len(objects(directory)) == 2
    before = await product(archive)
    await archive.set(NAME, OBJECT="other")
    assert (await product(archive)).key == before.key


@pytest.mark.parametrize("damage", ["gone", "empty", "another"])
async def test_an_object_that_is_lost_is_told_and_made_again(archive: Archive, damage: str) -> None:
    directory = await pictured(archive)
    found = await product(archive)
    path = directory / str(found.key)
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(b"" if damage == "empty" else JPEG)
    with pytest.raises(NoPreview, match="being made again"):
        await fetch(archive.context, found)
    if damage == "gone":
        assert await settle_products(archive.context) == NOTHING | {"renewed": 1}
    else:
        # Whoever asks for it finds that out.
        async with archive.context.database.begin() as connection:
            await ask_again(connection, "preview", found.version_id)
    await archive.drain()
    assert (await fetch(archive.context, await product(archive)))[:3] == JPEG
    assert await settle_products(archive.context) == NOTHING


async def test_objects_without_a_record_go_when_they_are_old(archive: Archive) -> None:
    directory = await pictured(archive)
    kept = objects(directory)
    young, old = directory / "00" / "young.jpg", directory / "zz" / "old.jpg"
    for path in (young, old):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(JPEG)
    past = time.time() - 7 * 86_400
    os.utime(old, (past, past))
    assert await settle_products(archive.context) == NOTHING | {"removed": 1}
    assert objects(directory) == sorted([*kept, young])


async def test_conversions_are_forgotten_with_their_objects_and_made_again(archive: Archive) -> None:
    directory = await pictured(archive)
    kept = objects(directory)
    version = (await product(archive)).version_id

    async def convert() -> None:
        async with archive.context.database.begin() as connection:
            await ask_again(connection, "tif", version)
        await archive.drain()

    await convert()
    made = sorted(set(objects(directory)) - set(kept))
    assert len(made) == 2
    past = time.time() - 7 * 86_400
    for path in (*made, *kept):
        os.utime(path, (past, past))
    assert await settle_products(archive.context) == NOTHING
    # The pictures are as old, and stay.
    await change(archive, "UPDATE product SET made = made - interval '49 hours'")
    assert await settle_products(archive.context) == NOTHING | {"forgotten": 2, "removed": 2}
    assert objects(directory) == kept
    await convert()
    assert sorted(set(objects(directory)) - set(kept)) == made


async def test_pictures_of_former_versions_of_the_program_move_out_of_the_database(archive: Archive) -> None:
    directory = await pictured(archive)
    before = {
        kind: await fetch(archive.context, await product(archive, kind)) for kind in ("preview", "thumbnail")
    }
    for kind, content in before.items():
        await change(
            archive,
            "UPDATE product SET key = NULL, content = :content WHERE kind = :kind",
            content=content,
            kind=kind,
        )
    for path in objects(directory):
        path.unlink()
    for kind, content in before.items():
        assert await fetch(archive.context, await product(archive, kind)) == content
    assert await settle_products(archive.context) == NOTHING | {"moved": 2}
    assert len(objects(directory)) == 2
    for kind, content in before.items():
        found = await product(archive, kind)
        assert found.content is None
        assert await fetch(archive.context, found) == content


async def test_reasons_stay_where_they_are(archive: Archive) -> None:
    await pictured(archive)
    await change(
        archive,
        "UPDATE product SET key = NULL, content = 'too large', media_type = 'text/plain' WHERE kind = 'preview'",
    )
    assert (await settle_products(archive.context))["moved"] == 0
    assert (await product(archive)).reason == "too large"


async def test_products_of_an_earlier_step_are_made_anew(archive: Archive) -> None:
    await pictured(archive)
    await change(archive, "UPDATE product SET step = step - 1")
    assert await settle_products(archive.context) == NOTHING | {"renewed": 1}
    await archive.drain()
    assert await settle_products(archive.context) == NOTHING
    async with archive.context.database.begin() as connection:
        rows = (await connection.execute(text("SELECT kind, step, parameters, source FROM product"))).all()
    builder = registry.BY_NAME["preview"]
    assert {row.kind for row in rows} == set(builder.makes)
    assert {row.step for row in rows} == {builder.step}
    assert all(row.parameters == {"long_side_px": 1024} and len(row.source) == 24 for row in rows)
