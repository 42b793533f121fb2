"""Tiles over HTTP: numbers that a browser can take as they are, kept as long as the pixels are the same."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest_asyncio
from astropy.io import fits

from armillary.app import create_app
from armillary.base.database import Database, Role
from armillary.base.postgres.server import EmbeddedServer
from tests.support.archive import Archive, an_archive, put
from tests.support.postgres import postgres
from tests.support.tiled import Array, a_file, decoded, noise, sky_header

__all__ = ["postgres"]
NAME = "a.fits"
PLAIN = {"Accept-Encoding": "identity"}


@dataclass
class Asked:
    """An archive and a client of its application."""

    archive: Archive
    client: httpx.AsyncClient

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """Ask for something of the file."""
        return await self.client.get(f"/v1/files/{NAME}/tiles{path}", headers=headers)

    async def take_in(self, values: Array, *, drain: bool = True) -> None:
        """Take an image in."""
        height, width = values.shape
        content = a_file(fits.PrimaryHDU(values, sky_header(width, height)))
        report = await self.archive.ingest(put(self.archive.directory / "night" / NAME, content))
        assert report.failed == []
        if drain:
            await self.archive.drain()


def values_in(reply: httpx.Response) -> Array:
    """Return the values of a tile as a viewer finds them."""
    assert reply.status_code == 200, reply.text
    kind, width, height = reply.headers["armillary-tile"].split()
    scale, zero = (float(reply.headers[f"armillary-{one}"]) for one in ("scale", "zero"))
    blank: Any = reply.headers.get("armillary-blank")
    number = int(blank) if blank else None
    return decoded(reply.content, kind, int(width), int(height), scale=scale, zero=zero, blank=number)


@pytest_asyncio.fixture
async def asked(postgres: EmbeddedServer, tmp_path: Path) -> AsyncIterator[Asked]:
    """Open an archive, and its application in the role of the web process."""
    async with an_archive(postgres, tmp_path, visibility="open") as archive:
        home = archive.context.settings.data.resolve()
        name = archive.context.database.name
        role = await Database.connect(postgres, Role.WEB, name=name, home=home, pool_size=2)
        app = create_app(archive.context.settings)
        app.state.context = replace(archive.context, database=role)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://archive") as client:
            yield Asked(archive, client)
        await role.close()


async def test_tiles_come_as_numbers_compressed_or_not(asked: Asked) -> None:
    values = noise(1200, 1300, "u2")
    await asked.take_in(values)
    for level, wanted in ((0, values[256:512, 256:512]), (1, None)):
        packed = await asked.get(f"/0/{level}/1/1", **{"Accept-Encoding": "gzip"})
        plain = await asked.get(f"/0/{level}/1/1", **PLAIN)
        assert packed.headers["content-encoding"] == "gzip"
        assert "content-encoding" not in plain.headers
        assert packed.content == plain.content
        shown = values_in(plain)
        if wanted is not None:
            np.testing.assert_array_equal(shown, wanted)
        else:
            cells = values[512:1024, 512:1024].astype("f8").reshape(256, 2, 256, 2).mean(axis=(1, 3))
            assert np.abs(shown - cells).max() < 1.0


async def test_the_index_and_details_are_what_a_viewer_needs(asked: Asked) -> None:
    await asked.take_in(noise(1200, 1300))
    found = (await asked.get("")).json()
    assert (found["ready"], found["tile_px"]) == (True, 256)
    assert found["images"][0]["coarsest"] == 3
    told = (await asked.get("/0")).json()
    assert told["image"] == found["images"][0]
    assert len(told["statistics"]["percentiles"]) == 9
    assert sum(told["statistics"]["histogram"]["counts"]) > 1000
    sky = (await asked.get("/0/sky")).json()["sky"]
    assert len(sky["ra"]) == len(sky["y"])
    assert abs(sky["ra"][4][4] - 150.0) < 0.01


async def test_a_tile_is_kept_as_long_as_the_pixels_are_the_same(asked: Asked) -> None:
    await asked.take_in(noise(1200, 1300))
    data = (await asked.get("")).json()["data"]
    first = await asked.get(f"/0/1/0/0?data={data}")
    assert "immutable" in first.headers["cache-control"]
    assert first.headers["cache-control"].startswith("private")
    etag = first.headers["etag"]
    again = await asked.get("/0/1/0/0", **{"If-None-Match": etag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert again.headers["cache-control"] == "private, no-cache"
    await asked.archive.set(NAME, OBJECT="other")
    assert (await asked.get(f"/0/1/0/0?data={data}", **{"If-None-Match": etag})).status_code == 304
    old = await asked.get("/0/1/0/0?data=0123")
    assert (old.status_code, old.json()["code"]) == (409, "tiles_superseded")


async def test_an_upgraded_archive_makes_tiles_when_they_are_asked_for(asked: Asked) -> None:
    await asked.take_in(noise(1200, 1300))
    async with asked.archive.context.database.begin() as connection:
        await connection.exec_driver_sql("DELETE FROM product WHERE kind = 'tiles'")
    found = (await asked.get("")).json()
    assert (found["ready"], found["images"][0]["ready"]) == (False, False)
    assert "being prepared" in found["reason"]
    early = await asked.get("/0/1/0/0")
    assert (early.status_code, early.json()["code"]) == (404, "tiles_pending")
    await asked.archive.drain()
    assert (await asked.get("")).json()["ready"] is True
    assert (await asked.get("/0/1/0/0")).status_code == 200


async def test_a_tile_without_values_is_empty(asked: Asked) -> None:
    values = noise(1200, 1300)
    values[:512, :512] = np.nan
    await asked.take_in(values)
    empty = await asked.get("/0/1/0/0")
    assert (empty.status_code, empty.content, empty.headers["armillary-tile"]) == (200, b"", "uint16 256 256")


async def test_what_is_no_tile_is_refused(asked: Asked) -> None:
    await asked.take_in(noise(1200, 1300))
    for path, status, code in (
        ("/0/9/0/0", 404, "tile_not_found"),
        ("/0/0/6/0", 404, "tile_not_found"),
        ("/7/0/0/0", 404, "tile_not_found"),
        ("/7", 404, "tile_not_found"),
        ("/0/63/0/0", 422, "invalid_parameter"),
        ("/0/-1/0/0", 422, "invalid_parameter"),
        ("/0/0/0/0?size=3", 422, "unknown_parameter"),
    ):
        reply = await asked.get(path)
        assert (reply.status_code, reply.json()["code"]) == (status, code), path
    missing = await asked.client.get("/v1/files/none.fits/tiles")
    assert (missing.status_code, missing.json()["code"]) == (404, "file_not_found")


async def test_a_file_without_an_image_is_told_so(asked: Asked) -> None:
    report = await asked.archive.ingest(
        put(asked.archive.directory / "night" / NAME, a_file(fits.PrimaryHDU()))
    )
    assert report.failed == []
    reply = await asked.get("")
    assert (reply.status_code, reply.json()["code"]) == (404, "no_image")


def test_compressed_tiles_are_what_browsers_unpack() -> None:
    # `zlib` writes the format that Content-Encoding names, with nothing before or behind it.
    from armillary.archive.products.tiles.atlas import Writer

    writer = Writer()
    writer.add(b"pixels")
    assert gzip.decompress(writer.blobs[0]) == b"pixels"
