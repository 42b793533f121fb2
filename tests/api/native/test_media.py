"""Pictures and movies of cubes have the addresses of previews, and are made again where they are lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from armillary.app import create_app
from armillary.archive.products import service as products
from armillary.archive.products.objects import directory_of
from armillary.archive.products.origins import NO_TIME
from armillary.base.database import Database, Role
from armillary.base.postgres.server import EmbeddedServer
from tests.support.archive import Archive, an_archive, put
from tests.support.media import a_cube, needs_av
from tests.support.postgres import postgres

__all__ = ["postgres"]
pytestmark = needs_av
FILM, STILL = "film.fits", "still.fits"
TYPES = {"image": "image/jpeg", "thumbnail_png": "image/png", "video": "video/webm"}
BEGINNINGS = {"image": b"\xff\xd8\xff", "thumbnail_png": b"\x89PNG", "video": b"\x1aE\xdf\xa3"}


@dataclass
class Asked:
    """An archive with two cubes, and a client of its application."""

    archive: Archive
    client: httpx.AsyncClient

    async def get(self, name: str, kind: str, **headers: str) -> httpx.Response:
        """Ask for a product of a cube."""
        return await self.client.get(f"/v1/files/{name}/{kind}", headers=headers)

    async def make(self, name: str) -> None:
        """Make picture and movie of a cube."""
        version = (await self.archive.version(name)).id
        async with self.archive.context.database.begin() as connection:
            await products.submit_cube_media(connection, version, actor="test")
        await self.archive.drain()


@pytest_asyncio.fixture
async def asked(postgres: EmbeddedServer, tmp_path: Path) -> AsyncIterator[Asked]:
    """Take cubes in, and open the application in the role of the web process."""
    async with an_archive(postgres, tmp_path, visibility="open") as archive:
        film = put(tmp_path / "night" / FILM, a_cube((3, 2, 2, 30, 40)))
        report = await archive.ingest(film, put(tmp_path / "night" / STILL, a_cube((30, 40))))
        assert report.failed == []
        home = archive.context.settings.data.resolve()
        role = await Database.connect(
            postgres, Role.WEB, name=archive.context.database.name, home=home, pool_size=2
        )
        app = create_app(archive.context.settings)
        app.state.context = replace(archive.context, database=role)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://archive") as client:
            yield Asked(archive, client)
        await role.close()


@pytest.mark.parametrize("kind", TYPES)
async def test_products_of_cubes_are_sent_as_what_they_are(asked: Asked, kind: str) -> None:
    before = await asked.get(FILM, kind)
    assert (before.status_code, before.json()["code"]) == (404, "no_preview")
    await asked.make(FILM)
    reply = await asked.get(FILM, kind)
    assert (reply.status_code, reply.headers["content-type"]) == (200, TYPES[kind])
    assert reply.content.startswith(BEGINNINGS[kind])


async def test_players_of_movies_get_the_pieces_that_they_ask_for(asked: Asked) -> None:
    await asked.make(FILM)
    whole = await asked.get(FILM, "video")
    tag = whole.headers["etag"]
    assert whole.headers["accept-ranges"] == "bytes"
    for headers, status, content in [
        ({"Range": "bytes=4-9"}, 206, whole.content[4:10]),
        ({"Range": "bytes=-7"}, 206, whole.content[-7:]),
        ({"Range": "bytes=4-9", "If-Range": tag}, 206, whole.content[4:10]),
        ({"Range": "bytes=4-9", "If-Range": '"another"'}, 200, whole.content),
        ({"Range": f"bytes={len(whole.content)}-"}, 416, b""),
        ({"If-None-Match": tag}, 304, b""),
    ]:
        reply = await asked.get(FILM, "video", **headers)
        assert (reply.status_code, reply.content) == (status, content), headers
    piece = await asked.get(FILM, "video", Range="bytes=4-9")
    assert piece.headers["content-range"] == f"bytes 4-9/{len(whole.content)}"


async def test_who_asks_for_a_movie_that_there_cannot_be_is_told_why(asked: Asked) -> None:
    await asked.make(STILL)
    reply = await asked.get(STILL, "video")
    assert reply.status_code == 404
    assert reply.json()["detail"] == f"There is no video of '{STILL}': {NO_TIME}"
    assert (await asked.get(STILL, "image")).status_code == 200


@pytest.mark.parametrize("kind", TYPES)
async def test_a_lost_product_is_made_again_for_whoever_asks(asked: Asked, kind: str) -> None:
    await asked.make(FILM)
    whole = await asked.get(FILM, kind)
    digest = whole.headers["ETag"].strip('"')
    (path,) = directory_of(asked.archive.context).glob(f"{digest[:2]}/{digest}.*")
    path.unlink()
    lost = await asked.get(FILM, kind)
    assert (lost.status_code, lost.json()["code"]) == (404, "no_preview")
    assert "being made again" in lost.json()["detail"]
    await asked.archive.drain()
    assert (await asked.get(FILM, kind)).content == whole.content
