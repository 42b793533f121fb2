"""Of a file that was taken out nothing is served any more, by whatever address, and its pictures are forgotten."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from armillary.access.models import Scope
from armillary.archive.cubes import service as cubes
from armillary.context import Context
from tests.api.sst_archive.conftest import SunArchive

LIST = "/api/v1/data_cube/"
BELOW = ("", "/preview", "/thumbnail", "/image", "/thumbnail_png", "/content", "/headers", "/headers/0")
PRODUCTS = """
SELECT count(*) FROM product AS p JOIN version AS v ON v.id = p.version_id JOIN file AS f ON f.id = v.file_id
WHERE f.name = $1
"""


def addresses(product: dict[str, Any]) -> list[str]:
    """Return every address that tells of a cube, or has something of it."""
    name = quote(product["filename"], safe="")
    return [
        f"{LIST}{product['id']}/",
        *(link for link in product["links"].values() if link),
        *(f"/v1/files/{name}{one}" for one in BELOW),
        f"/file/{name}?",
        f"/fullheader/{name}",
    ]


def is_history(address: str) -> bool:
    """Tell whether an address has what is known of a file that is not there any more."""
    return address.startswith("/fullheader/") or address.endswith((".fits", "/headers", "/headers/0"))


def statuses(sun: SunArchive, asked: list[str], scope: Scope | None) -> dict[str, int]:
    """Return how each address answers."""
    with sun.client(scope) as client:
        return {one: client.get(one).status_code for one in asked}


def test_nothing_of_a_retired_file_is_served(sun: SunArchive) -> None:
    cube, path = sun.put()
    sun.ingest(path)
    sun.server.settle()
    with sun.client(None) as client:
        (product,) = client.get(LIST, params={"oid": cube.oid}).json()["results"]
    asked = addresses(product)
    served = [one for one, status in statuses(sun, asked, None).items() if status == 200]
    assert {f"{LIST}{product['id']}/{one}/" for one in ("preview", "thumbnail", "download", "wcs")} <= {
        *served
    }
    assert f"/file/{quote(product['filename'], safe='')}?" in served
    assert products_of(sun, product["filename"]) > 0

    assert retire(sun, cube.oid) == (cube.oid,)
    for scope in (None, Scope.INGEST, Scope.EDIT, Scope.READ, Scope.ADMIN):
        # Whoever may see everything reads the history of a file, which has its headers.
        history = [one for one in served if scope in (Scope.READ, Scope.ADMIN) and is_history(one)]
        asked = [one for one in served if one not in history]
        assert {one: status for one, status in statuses(sun, asked, scope).items() if status != 404} == {}
        assert set(statuses(sun, history, scope).values()) <= {200}
        with sun.client(scope) as client:
            assert client.get(LIST, params={"oid": cube.oid}).json()["count"] == 0
            assert product["filename"] not in client.get("/v1/frames").text
    assert products_of(sun, product["filename"]) == 0

    assert sun.ingest(path).status_code == 201
    sun.server.settle()
    with sun.client(None) as client:
        (again,) = client.get(LIST, params={"oid": cube.oid}).json()["results"]
    assert again["id"] != product["id"]
    assert set(statuses(sun, [one for one in again["links"].values() if one], None).values()) == {200}
    assert again["links"]["preview"] is not None


def retire(sun: SunArchive, oid: str) -> tuple[str, ...]:
    """Take the file of a cube out, as the command does."""

    async def action(context: Context) -> tuple[str, ...]:
        async with context.database.begin() as connection:
            place = await cubes.place_of_oid(connection, oid)
            assert place is not None
            return (await cubes.retire(connection, place, now=context.clock.now(), actor="test")).oids

    return sun.server.act(action)


def products_of(sun: SunArchive, name: str) -> int:
    """Return how many pictures and the like are on record of the file of a name."""

    async def action(context: Context) -> int:
        async with context.database.begin() as connection:
            found = await connection.exec_driver_sql(PRODUCTS, (name,))
            return int(found.scalar_one())

    return sun.server.act(action)
