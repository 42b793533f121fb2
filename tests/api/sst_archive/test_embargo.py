"""Everybody asks every route for cubes of every kind, under both policies: an oracle says who may have what.

A cube is restricted until 00:00 UTC of its release date, and without one for ever. Allowed are those who may read
everything, and those whom a grant to their token, address or group lets. Where metadata are told, keywords and
header text are public, while file, pictures and derived data are not. Where a cube is hidden, nothing tells that
it is there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

import httpx
import pytest
import pytest_asyncio

from armillary.access import service as access
from armillary.access.models import Grantee, Holder, Level, Scope
from armillary.app import create_app
from armillary.archive.catalog import service as catalog
from armillary.archive.products import service as products
from armillary.base.database import Database, Role
from armillary.base.postgres.server import EmbeddedServer
from armillary.demo.solar import SolarCube
from armillary.settings import SstSettings
from tests.support.ingestion import TINY, Observatory, an_observatory
from tests.support.postgres import postgres

__all__ = ["postgres"]
pytestmark = pytest.mark.asyncio(loop_scope="module")
LIST = "/api/v1/data_cube/"
PRIVATE = ("download", "preview", "thumbnail", "video", "r0", "spectral_line", "wcs")
SECRET_X = 777.125
OPEN, SEALED, UNDATED, OWNED = "open", "sealed", "undated", "owned"
RELEASES = {OPEN: "2020-01-01", SEALED: "2199-01-01", UNDATED: None, OWNED: "2199-01-01"}
OWNER, GROUP = "owner@sun.example", "swedish"


@dataclass(frozen=True)
class Viewer:
    """Somebody who asks, and what the oracle knows of them."""

    name: str
    scopes: tuple[Scope, ...] = ()
    email: str = ""
    group: str = ""
    may_have: tuple[str, ...] = (OPEN,)
    told: tuple[str, ...] = ()


EVERYTHING = tuple(RELEASES)
VIEWERS = (
    Viewer(""),
    Viewer("stranger"),
    Viewer("ingester", (Scope.INGEST,)),
    Viewer("editor", (Scope.EDIT,)),
    Viewer("reader", (Scope.READ,), may_have=EVERYTHING),
    Viewer("staff", (Scope.ADMIN,), may_have=EVERYTHING),
    Viewer("owner", (Scope.INGEST,), email="Owner@Sun.EXAMPLE", may_have=(OPEN, OWNED)),
    Viewer("member", (Scope.NOTE,), group=GROUP, may_have=(OPEN, OWNED)),
    Viewer("another", (Scope.INGEST,), email="owner@sun.example.org", group="Swedish"),
    Viewer("courier", (Scope.NOTE,), told=(SEALED,)),
)


@dataclass
class Asked:
    """An application in the role of the web process, and its cubes by their kinds."""

    policy: str
    client: httpx.AsyncClient
    cubes: dict[str, int]
    oids: dict[str, str]
    secrets: dict[str, str]

    async def get(self, viewer: Viewer, path: str, method: str = "GET") -> httpx.Response:
        """Ask as somebody."""
        secret = self.secrets.get(viewer.name, "arm_unknown")
        shown = {"Authorization": f"Token {secret}"} if viewer.name else {}
        return await self.client.request(method, path, headers=shown)

    def may_find(self, viewer: Viewer, kind: str) -> bool:
        """Tell whether somebody may know of a cube."""
        return self.policy == "metadata" or kind in (*viewer.may_have, *viewer.told)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["metadata", "hidden"])
async def asked(
    request: pytest.FixtureRequest, postgres: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Asked]:
    """Take cubes in, make tokens, and open the application."""
    policy: Literal["metadata", "hidden"] = request.param
    directory = tmp_path_factory.mktemp(policy)
    sst = SstSettings(strangers=policy, swedish_group=GROUP)
    async with an_observatory(postgres, directory, sst=sst) as observatory:
        oids = await _take_in(observatory)
        cubes = {kind: (await observatory.present(oid)).id for kind, oid in oids.items()}
        secrets = await _tokens(observatory, cubes, oids)
        context = observatory.context
        home = context.settings.data.resolve()
        role = await Database.connect(postgres, Role.WEB, name=context.database.name, home=home, pool_size=4)
        app = create_app(context.settings)
        app.state.context = replace(context, database=role)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://archive") as client:
            yield Asked(policy, client, cubes, oids, secrets)
        await role.close()


async def _take_in(observatory: Observatory) -> dict[str, str]:
    oids = {}
    for number, (kind, release) in enumerate(RELEASES.items()):
        cube = SolarCube(**TINY, release=release, centre_arcsec=(SECRET_X, 100.0 * number))
        cube = replace(cube, begin=cube.begin + timedelta(hours=number))
        owners = {"owner_email_addresses": [OWNER], "swedish_data": True} if kind == OWNED else {}
        order = await observatory.take_in(observatory.put(cube), **owners)
        assert order.error is None
        oids[kind] = cube.oid
    async with observatory.context.database.begin() as connection:
        for oid in oids.values():
            cube_ = await observatory.present(oid)
            (version,) = await catalog.present_of_files(connection, [cube_.file_id])
            await products.submit_cube_media(connection, version.id, {}, actor="test")
    await observatory.drain()
    return oids


async def _tokens(observatory: Observatory, cubes: dict[str, int], oids: dict[str, str]) -> dict[str, str]:
    secrets, now = {}, observatory.context.clock.now()
    sealed = await observatory.present(oids[SEALED])
    async with observatory.context.database.begin() as connection:
        for one in VIEWERS[2:]:
            secrets[one.name] = await access.create_token(
                connection,
                one.name,
                one.scopes,
                now=now,
                emails=[one.email] if one.email else [],
                groups=[one.group] if one.group else [],
            )
        courier = Grantee(Holder.TOKEN, "courier")
        subject = (await catalog.file_subjects(connection, sealed.file_id))[0]
        await access.grant(connection, courier, "file", subject, now=now, level=Level.METADATA)
    return secrets


everybody = pytest.mark.parametrize("viewer", VIEWERS, ids=lambda one: one.name or "nobody")


@everybody
async def test_what_is_private_is_for_those_whom_the_oracle_names(asked: Asked, viewer: Viewer) -> None:
    for kind, number in asked.cubes.items():
        for below in PRIVATE:
            for method in ("GET", "HEAD"):
                reply = await asked.get(viewer, f"{LIST}{number}/{below}/", method)
                if kind in viewer.may_have:
                    assert reply.status_code == 200, (kind, below, reply.text)
                elif asked.may_find(viewer, kind):
                    assert reply.status_code in (401, 403), (kind, below, reply.text)
                    assert str(SECRET_X) not in reply.text
                else:
                    assert reply.status_code == 404, (kind, below)


@everybody
async def test_metadata_are_public_where_they_are_told(asked: Asked, viewer: Viewer) -> None:
    for kind, number in asked.cubes.items():
        one = await asked.get(viewer, f"{LIST}{number}/")
        header = await asked.get(viewer, f"{LIST}{number}/header/?format=json")
        if asked.may_find(viewer, kind):
            assert (one.status_code, one.json()["oid"]) == (200, asked.oids[kind])
            assert one.json()["metadata"]["instrume"] == "CRISP"
            assert header.json()["metadata"] == one.json()["metadata"]
        else:
            assert (one.status_code, header.status_code) == (404, 404)


@everybody
async def test_lists_count_what_may_be_known_and_nothing_else(asked: Asked, viewer: Viewer) -> None:
    expected = {asked.oids[kind] for kind in RELEASES if asked.may_find(viewer, kind)}
    found = (await asked.get(viewer, LIST)).json()
    assert found["count"] == len(expected)
    assert {one["oid"] for one in found["results"]} == expected
    page = (await asked.get(viewer, f"{LIST}?page_size=1&page={len(expected)}")).json()
    assert (page["count"], page["next"]) == (len(expected), None)
    for kind, oid in asked.oids.items():
        one = (await asked.get(viewer, f"{LIST}?oid={oid.replace('+', '%2B')}")).json()
        assert one["count"] == int(asked.may_find(viewer, kind))


@everybody
async def test_no_place_on_the_disk_is_found_out_by_searching(asked: Asked, viewer: Viewer) -> None:
    found = (await asked.get(viewer, f"{LIST}?x={SECRET_X}&y=0&radius=5000")).json()
    assert {one["oid"] for one in found["results"]} == {asked.oids[kind] for kind in viewer.may_have}
    assert found["count"] == len(viewer.may_have)


async def test_a_hidden_cube_is_answered_as_one_that_is_not_there(asked: Asked) -> None:
    nobody = VIEWERS[0]
    for kind, number in asked.cubes.items():
        for below in ("", "header/", *(f"{one}/" for one in PRIVATE)):
            here = await asked.get(nobody, f"{LIST}{number}/{below}")
            there = await asked.get(nobody, f"{LIST}99999999/{below}")
            if asked.may_find(nobody, kind):
                assert here.status_code != 404
                continue
            assert here.status_code == there.status_code == 404
            assert here.content == there.content
            differ = {name for name, value in here.headers.items() if there.headers.get(name) != value}
            assert differ <= {"x-request-id"}


async def test_owners_and_members_leave_a_record_of_what_they_read(asked: Asked) -> None:
    number = asked.cubes[OWNED]
    for viewer in VIEWERS:
        await asked.get(viewer, f"{LIST}{number}/download/")
    staff = next(one for one in VIEWERS if one.name == "staff")
    reads = (await asked.get(staff, "/v1/grants/audit?limit=10000")).json()["reads"]
    assert {one["viewer"] for one in reads} == {"owner", "member"}
