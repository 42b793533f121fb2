"""Everybody asks every route for every file: nobody gets pixels or positions that the oracle keeps from them."""

from __future__ import annotations

import bz2
import io
import itertools
import random
import re
import tarfile
import zipfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from sqlalchemy import text

from armillary.access.models import Holder, Level, Permission, Principal, Scope
from armillary.access.service import create_token
from armillary.api import gemini
from armillary.api.gemini import pages
from armillary.api.http.policy import policy_of, walk
from armillary.app import DIALECTS, create_app
from armillary.archive.catalog.service import list_roots, set_visibility
from armillary.archive.products import service as products
from armillary.base.database import Database, Role
from armillary.base.postgres.server import EmbeddedServer
from armillary.console.assets import find
from armillary.headers.findings.service import check_frames
from tests.support.archive import Archive, an_archive, put
from tests.support.embargo import COLLECTIONS, FILES, NOBODY, PEOPLE, Person, Sealed, sealed
from tests.support.grants import grant_all
from tests.support.media import put_movie
from tests.support.postgres import postgres
from tests.support.statements import asked_of
from tests.support.toy import TOY

__all__ = ["postgres"]
pytestmark = pytest.mark.asyncio(loop_scope="module")
PICTURES = ("preview", "thumbnail", "image", "thumbnail_png", "video")
EMPTY_SKY = (3.5, 88.25)


class Tells(Enum):
    """What a route tells of a file."""

    PIXELS = auto()
    POSITIONS = auto()
    METADATA = auto()
    SELECTIONS = auto()
    FINDINGS = auto()
    """What checks found in headers, for those who may read these."""
    RELEASES = auto()
    """How many files become public when, of those that may be found."""
    COUNTS = auto()
    """How many files there are, of those that may be found."""
    NOTHING = auto()
    SKY = auto()
    """What is computed from where sites are: no file is looked at."""
    OF_SITES = auto()
    """Nothing of files: what sites have sent, if they have sent anything."""
    CUBES = auto()
    """Cubes of ingestion roots, of which there are none here: a matrix of their own asks for these."""
    SIGNALS = auto()
    """That something happened, or nothing at all, and nothing of any file."""
    NIGHTS = auto()
    """The exposures of a night that may be found, without positions: tests of their own ask for the night."""
    DRAWINGS = auto()
    """The thumbnail of a file, or a drawing that says why it is not shown."""
    PAGES = auto()
    """Frames of searches, as pages for people: those that may be found, with positions for those who may know."""
    IMAGES = auto()
    """Images of sites and their files, in a collection of their own: their tests ask for some before release."""


CUBE = "/api/v1/data_cube/{number}"
CONTENTS = ("header", "download", "preview", "thumbnail", "video", "r0", "spectral_line", "wcs")
TILE = "/v1/files/{name:path}/tiles/{hdu}/{level}/{column}/{row}"
SURFACES = {
    "/api/v1/data_cube": Tells.CUBES,
    CUBE: Tells.CUBES,
    **{f"{CUBE}/{name}": Tells.CUBES for name in CONTENTS},
    "/": Tells.NOTHING,
    "/assets/{digest}/{name:path}": Tells.SIGNALS,
    "/docs": Tells.NOTHING,
    "/docs/{word}": Tells.SIGNALS,
    "/docs/api/{method}/{path:path}": Tells.SIGNALS,
    "/files/{name:path}": Tells.METADATA,
    "/previews/{name:path}": Tells.DRAWINGS,
    "/frames": Tells.PAGES,
    "/frames/calendar": Tells.PAGES,
    "/frames/values": Tells.PAGES,
    "/frames/words": Tells.PAGES,
    "/frames/total": Tells.PAGES,
    "/frames/download": Tells.PAGES,
    "/live": Tells.SIGNALS,
    "/nights": Tells.METADATA,
    "/nights/{site:path}": Tells.SIGNALS,
    "/nights/{site:path}/{day}": Tells.NIGHTS,
    "/sign-in": Tells.NOTHING,
    "/sign-out": Tells.SIGNALS,
    "/thumbnails/{name:path}": Tells.DRAWINGS,
    "/status": Tells.NOTHING,
    "/work": Tells.NOTHING,
    "/openapi.json": Tells.NOTHING,
    **{f"{page}{rest}": Tells.NOTHING for page in pages.PAGES for rest in ("", "/{selection:path}")},
    "/v1/health": Tells.NOTHING,
    "/v1/metrics": Tells.NOTHING,
    "/events": Tells.SKY,
    "/events/moon/rise-set-illum": Tells.SKY,
    "/v1/events": Tells.SKY,
    "/v1/events/year": Tells.SKY,
    "/v1/{site}/site-schedule": Tells.SKY,
    "/v1/changes": Tells.METADATA,
    "/toy/frames": Tells.METADATA,
    "/toy/frames/{name}": Tells.PIXELS,
    "/file/{name:path}": Tells.PIXELS,
    "/v1/files/{name:path}/preview": Tells.PIXELS,
    "/v1/files/{name:path}/thumbnail": Tells.PIXELS,
    "/v1/files/{name:path}/image": Tells.PIXELS,
    "/v1/files/{name:path}/thumbnail_png": Tells.PIXELS,
    "/v1/files/{name:path}/video": Tells.PIXELS,
    "/v1/files/{name:path}/tiles": Tells.PIXELS,
    "/v1/files/{name:path}/tiles/{hdu}": Tells.PIXELS,
    "/v1/files/{name:path}/tiles/{hdu}/sky": Tells.PIXELS,
    TILE: Tells.PIXELS,
    "/v1/files/{name:path}/content": Tells.PIXELS,
    "/v1/files/{name:path}/headers": Tells.POSITIONS,
    "/v1/files/{name:path}/headers/{hdu}": Tells.POSITIONS,
    "/v1/files/{name:path}/diff": Tells.POSITIONS,
    "/v1/files/{name:path}": Tells.METADATA,
    "/v1/files/{name:path}/versions": Tells.METADATA,
    "/v1/files/{name:path}/neighbours": Tells.METADATA,
    "/fullheader/{name:path}": Tells.POSITIONS,
    "/jsonfilelist": Tells.SELECTIONS,
    "/jsonfilelist/{selection:path}": Tells.SELECTIONS,
    "/jsonfilenames": Tells.SELECTIONS,
    "/jsonfilenames/{selection:path}": Tells.SELECTIONS,
    "/jsonsummary": Tells.SELECTIONS,
    "/jsonsummary/{selection:path}": Tells.SELECTIONS,
    "/xmlfilelist": Tells.SELECTIONS,
    "/xmlfilelist/{selection:path}": Tells.SELECTIONS,
    "/jsonqastate": Tells.SELECTIONS,
    "/jsonqastate/{selection:path}": Tells.SELECTIONS,
    "/download": Tells.SELECTIONS,
    "/download/": Tells.SELECTIONS,
    "/download/{selection:path}": Tells.SELECTIONS,
    "/v1/frames": Tells.SELECTIONS,
    "/v1/findings": Tells.FINDINGS,
    "/v1/nights": Tells.COUNTS,
    "/v1/embargo/calendar": Tells.RELEASES,
    "/v1/embargo/calendar.ics": Tells.RELEASES,
    "/v1/qa": Tells.NOTHING,
    "/all/config": Tells.OF_SITES,
    "/{site}/config": Tells.OF_SITES,
    "/nightlog/{site}": Tells.OF_SITES,
    "/control_room/{site}": Tells.OF_SITES,
    "/v1/{site}/config/versions": Tells.OF_SITES,
    "/v1/{site}/config/versions/{version}": Tells.OF_SITES,
    "/v1/{site}/config/diff": Tells.OF_SITES,
    "/v1/{site}/config/effective": Tells.OF_SITES,
    "/v1/nightlog/{site}": Tells.OF_SITES,
    "/v1/nightlog/{site}/export": Tells.OF_SITES,
    "/pipe/queues": Tells.OF_SITES,
    "/pipe/queue/{name:path}": Tells.OF_SITES,
    "/pipe/statuses": Tells.OF_SITES,
    "/pipe/status/{name:path}": Tells.OF_SITES,
    "/image/{base_filename}": Tells.IMAGES,
    "/fitsheader/{base_filename}": Tells.IMAGES,
    "/{site}/latest_images/{count}": Tells.IMAGES,
    "/latest_image_all_sites": Tells.IMAGES,
    "/filtered_images": Tells.IMAGES,
    "/infoimage/{site}/{channel}": Tells.IMAGES,
    "/recentuploads": Tells.IMAGES,
    "/downloadzip": Tells.IMAGES,
    "/zips/{id}": Tells.IMAGES,
    "/objects/{key:path}": Tells.IMAGES,
    "/image-objects/{key:path}": Tells.IMAGES,
    "/upload-slot": Tells.IMAGES,
    "/v1/stream": Tells.IMAGES,
    "/v1/ws": Tells.IMAGES,
}
"""What each route tells that lets people in who show nothing; a new one has to say it here."""


EDITORIAL = {
    "/update_headers": "whether an item was accepted",
    "/update_headers/": "the same",
    "/update_headers/{request_id}": "what the viewer sent, and whether it worked",
    "/v1/files/{name:path}/edits": "who edited what, without cards and reasons; whether an edit was accepted",
    "/v1/edits": "the same",
    "/edit/{name:path}": "what the viewer sent, and whether it would be accepted or was",
    "/revert/{name:path}": "whether it was accepted",
    "/verify/{name:path}": "whether the stored bytes are as recorded, and which copies are",
    "/v1/edits/{edit_id}/revert": "whether it was accepted",
    "/v1/orders/{order_id}": "how it stands, without arguments, response and reason",
    "/v1/orders/{order_id}/events": "the same",
    "/v1/changesets": "what the viewer sent, and how many files stand how",
    "/v1/changesets/{id}": "the same, or how many files of a dry run are withheld",
    "/v1/changesets/{id}/files": "how each file stands",
    "/v1/changesets/{id}/{action}": "whether it was accepted",
    "/orders": "that there may be one of this number",
    "/orders/{order_id}": "how it stands, without arguments, response and reason",
    "/changesets/{id}": "what the viewer sent, and how each file stands",
    "/changesets/{id}/{action}": "whether it was accepted",
    "/frames/edit": "how many frames are marked, by names that the viewer sent",
    "/frames/edit/{id}": "what a dry run found, to whom it was made for",
    "/toy/frames/{name}/cards": "whether it was accepted",
}
"""What each route tells of a hidden file that lets editors in: tests of edits under embargo ask them all."""


@dataclass
class Asked:
    """The application, its client, and the secrets of people."""

    app: FastAPI
    client: httpx.AsyncClient
    database: Database
    archive: Archive
    secrets: dict[str, str] = field(default_factory=dict)
    shift: int = field(default_factory=lambda: random.randrange(TURNS))
    """Which sixth of the questions is asked: another seed of the tests asks another one."""

    def headers(self, person: Person) -> dict[str, str]:
        """Return how a person shows who they are."""
        if person is NOBODY:
            return {}
        name, _, value = person.shown_as.format(self.secrets[person.name]).partition(": ")
        return {name: value}

    async def get(self, person: Person, path: str, method: str = "GET", **headers: str) -> httpx.Response:
        """Ask as somebody."""
        return await self.client.request(method, path, headers=self.headers(person) | headers)

    @property
    def today(self) -> Any:
        """The date for the oracle, as the application knows it."""
        return self.app.state.context.clock.now().date()

    @contextmanager
    def statements(self) -> Iterator[list[str]]:
        """Collect the statements that run in the block."""
        with asked_of(self.database) as seen:
            yield seen.statements

    @contextmanager
    def limited_to(self, rows: int) -> Iterator[None]:
        """Let open lists have so many rows."""
        context = self.app.state.context
        archive = context.settings.archive.model_copy(update={"open_limit": rows})
        settings = context.settings.model_copy(update={"archive": archive})
        self.app.state.context = replace(context, settings=settings)
        try:
            yield
        finally:
            self.app.state.context = context


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asked(postgres: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asked]:
    """Take all files in, make all tokens, and open the application in the role of the web process."""
    directory = tmp_path_factory.mktemp("embargo")
    async with an_archive(postgres, directory) as archive:
        for level in COLLECTIONS:
            theirs = [one for one in FILES if one.collection is level]
            places = [put(directory / level / one.stored, _stored(one)) for one in theirs]
            # Some were there before somebody said what strangers are told, some come afterwards.
            for portion in (places[::2], places[1::2]):
                report = await archive.ingest(*portion, in_place=True)
                assert (report.ingested, report.failed) == (len(portion), [])
                await set_visibility(archive.context, await _root_at(archive, directory / level), level)
            put_movie(directory / level / "movie.mp4", frames=2, size=(16, 16))
        await _make_media(archive)
        await archive.drain()
        name = archive.context.database.name
        home = archive.context.settings.data.resolve()
        role = await Database.connect(postgres, Role.WEB, name=name, home=home, pool_size=4)
        # These people show their tokens as they do elsewhere.
        toy = replace(TOY, carriers=gemini.DIALECT.carriers)
        app = create_app(archive.context.settings, dialects=(*DIALECTS, toy))
        app.state.context = replace(archive.context, database=role)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://archive") as client:
            one = Asked(app, client, role, archive)
            async with archive.context.database.begin() as connection:
                now = archive.context.clock.now()
                for person in PEOPLE[1:]:
                    await grant_all(connection, person.grantee, person.grants, now=now)
                    await grant_all(connection, person.grantee, person.told, now=now, level=Level.METADATA)
                    one.secrets[person.name] = await create_token(
                        connection,
                        person.name,
                        person.scopes,
                        now=now,
                        emails=person.bound(Holder.EMAIL),
                        groups=person.bound(Holder.GROUP),
                    )
            yield one
        await role.close()


async def _make_media(archive: Archive) -> None:
    """Ask for picture and movie of all files."""
    async with archive.context.database.begin() as connection:
        for version in await connection.scalars(text("SELECT id FROM version")):
            options = {"video_source": "movie.mp4"}
            await products.submit_cube_media(connection, version, options, actor="test")


async def _root_at(archive: Archive, path: Path) -> str:
    async with archive.context.database.begin() as connection:
        return next(one.name for one in await list_roots(connection) if one.path == path)


def _stored(one: Sealed) -> bytes:
    content = one.content()
    return bz2.compress(content) if one.container == ".bz2" else content


def assert_tells_nothing_hidden(asked: Asked, person: Person, content: bytes, where: str) -> None:
    """Look for positions and names that the person may not know, in the text and in the files of a tar.

    Whoever asks for a file by its name knows that.
    """
    texts = [content.decode("latin-1")]
    if content[257:262] == b"ustar":
        members = _members(content).items()
        texts += [bz2.decompress(data).decode("latin-1") for name, data in members if name.endswith(".bz2")]
    for one in FILES:
        if not person.may_know(one, asked.today):
            leaks = [secret for secret in one.secrets for text in texts if secret in text]
            assert not leaks, (where, person.name, one.kind, leaks)
        if not person.may_find(one, asked.today) and one.name not in where:
            assert not [text for text in texts if one.name in text], (where, person.name, one.kind)


def _members(content: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]


everybody = pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.name or "nobody")


async def test_every_open_route_says_what_it_tells(asked: Asked) -> None:
    open_to_all = {
        str(getattr(route, "path", ""))
        for route in walk(asked.app.routes)
        if (policy := policy_of(route)) is not None and policy.is_open
    }
    assert open_to_all - set(SURFACES) == set(), "say in SURFACES what these routes tell of files"
    assert set(SURFACES) - open_to_all == set(), "these routes are gone"


async def test_every_route_of_editors_says_what_it_tells(asked: Asked) -> None:
    of_editors = {
        str(getattr(route, "path", ""))
        for route in walk(asked.app.routes)
        if (policy := policy_of(route)) is not None and Scope.EDIT in (policy.scope, *policy.others)
    }
    assert of_editors == set(EDITORIAL), "say in EDITORIAL what these routes tell of files"


async def test_the_other_routes_let_nobody_in_who_only_reads(asked: Asked) -> None:
    for route in walk(asked.app.routes):
        policy, path = policy_of(route), str(getattr(route, "path", ""))
        if policy is None or policy.is_open or policy.scope is None:
            continue
        for method in getattr(route, "methods", None) or ():
            for person in PEOPLE:
                known = Principal("", frozenset(map(Permission, person.scopes)))
                if not any(map(known.may, (policy.scope, *policy.others))):
                    reply = await asked.get(person, re.sub(r"\{[^}]*\}", "1", path), method)
                    assert reply.status_code in (401, 403), (method, path, person.name)


def addresses(path: str, one: Sealed) -> list[str]:
    """Return the addresses that a route has for a file."""
    if path == "/file/{name:path}":
        return [f"/file/{one.name}", f"/file/{one.name}.bz2"]
    if path == TILE:
        return [f"/v1/files/{one.name}/tiles/1/0/0/0"]
    return [re.sub(r"\{[^}]*\}", "1", re.sub(r"\{name(:path)?\}", one.name, path))]


ROUTES, TURNS = list(SURFACES), 6


def turn_of(path: str, person: Person, shift: int) -> list[Sealed]:
    """Return the files for which somebody asks a route: a sixth of all, with another shift another one.

    Every route is asked by everybody and for every file, and everybody asks for every file somewhere; only the
    triples are thinned out.
    """
    shift += ROUTES.index(path) + PEOPLE.index(person)
    return [one for number, one in enumerate(FILES) if (number + number // TURNS + shift) % TURNS == 0]


async def test_turns_leave_out_no_pair() -> None:
    asked_of = {path for path, tells in SURFACES.items() if tells in (Tells.PIXELS, Tells.POSITIONS)}
    routes: dict[str, set[int]] = {path: set() for path in asked_of}
    people: dict[str, set[int]] = {person.name: set() for person in PEOPLE}
    for path, person in itertools.product(asked_of, PEOPLE):
        turn = {one.number for one in turn_of(path, person, 0)}
        assert len(turn) == len(FILES) // TURNS
        routes[path] |= turn
        people[person.name] |= turn
    everything = {one.number for one in FILES}
    assert {*map(len, (*routes.values(), *people.values()))} == {len(everything)}


@everybody
async def test_pixels_and_headers_are_for_those_whom_the_oracle_names(asked: Asked, person: Person) -> None:
    for path, tells in SURFACES.items():
        if tells not in (Tells.PIXELS, Tells.POSITIONS):
            continue
        for one in turn_of(path, person, asked.shift):
            rule = person.may_have if tells is Tells.PIXELS else person.may_know
            expected = 200 if rule(one, asked.today) else 403 if person.may_find(one, asked.today) else 404
            for address in addresses(path, one):
                reply = await asked.get(person, address)
                assert reply.status_code == expected, (address, one.kind, person.name)
                if expected != 200:
                    assert_tells_nothing_hidden(asked, person, reply.content, address)
                    assert not {"etag", "repr-digest", "last-modified", "armillary-version"} & set(
                        reply.headers
                    )


@everybody
async def test_what_is_open_to_all_tells_no_position(asked: Asked, person: Person) -> None:
    for path, tells in SURFACES.items():
        files: list[Sealed | None] = [*turn_of(path, person, asked.shift)] if "{" in path else [None]
        places = [(one, a) for one in files for a in (addresses(path, one) if one else [path])]
        if tells in (Tells.NOTHING, Tells.METADATA):
            for one, address in places:
                reply = await asked.get(person, address)
                is_told = one is None or tells is Tells.NOTHING or person.may_find(one, asked.today)
                expected = (
                    405 if "update_headers" in address or address == "/v1/qa" else 200 if is_told else 404
                )
                moved = address.startswith(pages.PAGES)
                assert reply.status_code == (303 if moved else expected), address
                assert_tells_nothing_hidden(asked, person, reply.content, address)


@everybody
async def test_pages_draw_something_in_the_place_of_pixels(asked: Asked, person: Person) -> None:
    drawn = find("embargoed.svg").content
    for path in (path for path, tells in SURFACES.items() if tells is Tells.DRAWINGS):
        for one in turn_of(path, person, asked.shift):
            reply = await asked.get(person, *addresses(path, one))
            assert reply.status_code == (200 if person.may_find(one, asked.today) else 404), one.kind
            shown = reply.status_code == 200 and reply.content != drawn
            assert shown is person.may_have(one, asked.today), (one.kind, person.name)


@everybody
async def test_nights_show_what_may_be_found_and_no_positions(asked: Asked, person: Person) -> None:
    (path,) = (path for path, tells in SURFACES.items() if tells is Tells.NIGHTS)
    found = [one for one in FILES if person.may_find(one, asked.today)]
    address = path.replace("{site:path}", "gemini-north").replace("{day}", "2026-01-01")
    reply = await asked.get(person, address)
    assert reply.status_code == 200
    assert_tells_nothing_hidden(asked, person, reply.content, address)
    assert f" {len(found)} exposures, <a" in reply.text
    over = await asked.get(person, "/nights")
    assert f"{len(found)} frames" in over.text


@everybody
async def test_what_is_told_of_sites_tells_nothing_of_files(asked: Asked, person: Person) -> None:
    for path in (path for path, tells in SURFACES.items() if tells is Tells.OF_SITES):
        address = re.sub(r"\{[^}]*\}", "1", path)
        reply = await asked.get(person, address)
        # There is no such site, and no provider of rooms for those who may have one made.
        assert reply.status_code in (200, 204, 401, 403, 404, 422, 500), address
        assert_tells_nothing_hidden(asked, person, reply.content, address)


@everybody
async def test_lists_and_searches_show_positions_to_the_entitled_only(asked: Asked, person: Person) -> None:
    known = {one.name for one in FILES if person.may_know(one, asked.today)}
    lists = ("/jsonfilelist/20260101", "/jsonsummary", "/jsonqastate/present", "/xmlfilelist")
    for address in (*lists, "/v1/frames?limit=999"):
        reply = await asked.get(person, address)
        assert reply.status_code == 200
        assert_tells_nothing_hidden(asked, person, reply.content, address)
    summary = {one["name"]: one for one in (await asked.get(person, "/jsonsummary")).json()}
    frames = {one["name"]: one for one in (await asked.get(person, "/v1/frames?limit=999")).json()["frames"]}
    found = [one for one in FILES if person.may_find(one, asked.today)]
    assert set(summary) == set(frames) == {one.name for one in found}
    for one in found:
        shown = one.place if one.name in known else (None, None)
        assert (summary[one.name]["ra"], summary[one.name]["dec"]) == shown, one.kind
        assert (frames[one.name]["ra_deg"], frames[one.name]["dec_deg"]) == shown, one.kind
        assert frames[one.name]["visible"] is person.may_have(one, asked.today), one.kind


@everybody
async def test_pages_of_searches_show_what_may_be_found(asked: Asked, person: Person) -> None:
    columns = "columns=object,ra_deg,dec_deg,airmass"
    for view in ("table", "wall"):
        address = f"/frames?limit=999&view={view}&{columns}"
        reply = await asked.get(person, address, Accept="text/html")
        assert reply.status_code in (200, 303), reply.text
        reply = await asked.get(person, reply.headers.get("location", address), Accept="text/html")
        assert_tells_nothing_hidden(asked, person, reply.content, address)
        found = set(re.findall(r"N20260111S\d{4}\.fits(?:\.fz)?", reply.text))
        assert found == {one.name for one in FILES if person.may_find(one, asked.today)}
    total = (await asked.get(person, "/frames/total?patience=1")).text
    number = re.search(r"<span>\s*(\d+) frames", total)
    assert number is None or int(number[1]) == len(found)


@everybody
async def test_files_and_tables_of_searches_hold_what_the_oracle_gives(asked: Asked, person: Person) -> None:
    findable = {one.name for one in FILES if person.may_find(one, asked.today)}
    for form in ("csv", "votable"):
        address = f"/v1/frames?format={form}"
        reply = await asked.get(person, address)
        assert reply.status_code == 200
        assert_tells_nothing_hidden(asked, person, reply.content, address)
        assert {one.name for one in FILES if one.name in reply.text} == findable
    given = {one.stored for one in FILES if person.may_have(one, asked.today)}
    withheld = {one.stored for one in FILES if one.name in findable} - given
    page = await asked.get(person, "/frames/download")
    assert_tells_nothing_hidden(asked, person, page.content, "/frames/download")
    assert f"<dd>{len(given)}</dd>" in page.text
    packed = _members((await asked.get(person, "/v1/frames?format=tar")).content)
    zipped = await asked.get(person, "/frames/download?format=zip")
    with zipfile.ZipFile(io.BytesIO(zipped.content)) as opened:
        unpacked = {name: opened.read(name) for name in opened.namelist()}
    assert int(zipped.headers["content-length"]) == len(zipped.content)
    for members in (packed, unpacked):
        readme = members.pop("README.txt").decode()
        assert set(members) - {"md5sums.txt"} == given
        assert {line.strip() for line in readme.splitlines() if line.startswith("  ")} == withheld
        for name in given:
            assert members[name] == packed[name]


@everybody
async def test_calendars_and_words_are_made_of_what_may_be_found(asked: Asked, person: Person) -> None:
    found = [one for one in FILES if person.may_find(one, asked.today)]
    calendar = (await asked.get(person, "/frames/calendar")).text
    assert f"{len(found)} frames in these months" in calendar
    offered = (await asked.get(person, "/frames/values")).text
    for program in {one.program for one in FILES}:
        assert (program in offered) is (program in {one.program for one in found})
    for address in ("/frames/values", "/frames/words", "/frames/words?selection=G"):
        assert_tells_nothing_hidden(asked, person, (await asked.get(person, address)).content, address)


@everybody
async def test_circles_around_objects_are_for_those_who_may_know_where_they_are(
    asked: Asked, person: Person
) -> None:
    for one in turn_of("/frames", person, asked.shift):
        reply = await asked.get(person, f"/frames?position={one.target}")
        if person.may_know(one, asked.today):
            assert (reply.status_code, one.name in reply.text) == (200, True), one.kind
        else:
            absent = await asked.get(person, "/frames?position=Nothing99")
            assert reply.status_code == absent.status_code == 400
            assert reply.text.replace(one.target, "Nothing99") == absent.text


@everybody
async def test_findings_are_told_to_those_who_may_read_the_headers(asked: Asked, person: Person) -> None:
    report = await check_frames(asked.archive.context, ())
    checked = {one.file.rpartition("/")[2] for one in report.findings}
    known = {one.name for one in FILES if person.may_know(one, asked.today)} & checked
    assert known < checked or person.may_know(FILES[0], asked.today)
    reply = await asked.get(person, "/v1/findings?limit=999")
    assert_tells_nothing_hidden(asked, person, reply.content, "findings")
    assert {one["file"] for one in reply.json()["findings"]} == known
    for one in FILES:
        reply = await asked.get(person, f"/v1/findings?name={one.name}")
        assert ({one.name} == {found["file"] for found in reply.json()["findings"]}) is (one.name in known)
    frames = (await asked.get(person, "/v1/frames?finding=any&limit=999")).json()["frames"]
    assert {one["name"] for one in frames} == known


@everybody
async def test_downloads_hold_what_the_oracle_gives_and_list_the_rest(asked: Asked, person: Person) -> None:
    replies = [await asked.get(person, "/download/present")]
    form = {"files": [one.stored for one in FILES]}
    replies.append(await asked.client.post("/download", data=form, headers=asked.headers(person)))
    for reply in replies:
        assert reply.status_code == 200
        members = _members(reply.content)
        names = set(members) - {"md5sums.txt", "README.txt"}
        readme, sums = members["README.txt"].decode(), members["md5sums.txt"].decode()
        given = {one.stored for one in FILES if person.may_have(one, asked.today)}
        assert names == given == {line.split("  ")[1] for line in sums.splitlines()}
        withheld = {line.strip() for line in readme.splitlines() if line.startswith("  ")}
        assert withheld == {one.stored for one in FILES if person.may_find(one, asked.today)} - given
        assert_tells_nothing_hidden(asked, person, reply.content, "download")


def questions(asked: Asked, place: tuple[float, float], word: str, numbers: dict[str, float]) -> list[str]:
    """Return every way to ask whether something is at a place, or bears a name."""
    ra, dec = place
    near = [f"ra={ra}/dec={dec}", f"ra={ra}/dec={dec}/sr=2d", f"ra={ra - 0.1:.5f}-{ra + 0.1:.5f}"]
    near += [f"object={word}", f"object={word[:-1]}*", f"object=*{word[1:]}"]
    near += [
        f"{key}={value - 0.0001:.5f}-{value + 0.0001:.5f}"
        for key, value in (
            ("az", numbers["AZIMUTH"]),
            ("el", numbers["ELEVATIO"]),
            ("crpa", numbers["CRPA"]),
        )
    ]
    surfaces = ("jsonfilelist", "jsonfilenames", "jsonsummary", "jsonqastate", "download")
    asked_for = [f"/{surface}/{one}" for surface in surfaces for one in near]
    native = [f"cone={ra},{dec},0.5", f"object={word}", f"keyword=OBJECT={word}"]
    native += [f"keyword={key}={value!r}" for key, value in numbers.items()]
    native += [f"keyword=RA>{ra - 0.1:.5f}&keyword=RA<{ra + 0.1:.5f}"]
    known = asked.app.openapi()["paths"]["/v1/frames"]["get"]["parameters"]
    if any(parameter["name"] == "selection" for parameter in known):
        native += [f"selection={quote(one, safe='')}" for one in near]
    if any(parameter["name"] == "total" for parameter in known):
        native = [*native, *(f"{one}&total=exact" for one in native)]
    return asked_for + [f"/v1/frames?{one}" for one in native]


@pytest.mark.parametrize(
    "person", [PEOPLE[0], PEOPLE[2], PEOPLE[7]], ids=lambda person: person.name or "nobody"
)
async def test_hidden_positions_are_answered_as_empty_sky_is(asked: Asked, person: Person) -> None:
    """Status, headers, bytes and statements are the same; so no clock can tell them apart either."""
    hidden = [sealed(kind, ".fz") for kind in ("proprietary", "proprietary without a release")]
    nowhere = dict.fromkeys(hidden[0].positions, 77.77001)
    for one in hidden:
        assert not person.may_know(one, asked.today)
        theirs = questions(asked, one.place, one.target, one.positions)
        empty = questions(asked, EMPTY_SKY, "Nothing99", nowhere)
        for here, there in zip(theirs, empty, strict=True):
            with asked.statements() as first:
                found = await asked.get(person, here)
            with asked.statements() as second:
                absent = await asked.get(person, there)
            assert found.status_code == absent.status_code == 200, here
            assert found.content == absent.content, here
            assert dict(found.headers) | {"x-request-id": ""} == dict(absent.headers) | {"x-request-id": ""}
            # Only how many parameters a list has may differ, as a cone has more or fewer ranges.
            assert [re.sub(r"\$\d+", "$", s) for s in first] == [re.sub(r"\$\d+", "$", s) for s in second]


async def test_those_who_may_know_find_what_is_hidden_from_others(asked: Asked) -> None:
    """Otherwise the comparison with empty sky would compare nothing with nothing."""
    reader, one = PEOPLE[4], sealed("proprietary", ".fz")
    for address in questions(asked, one.place, one.target, one.positions):
        reply = await asked.get(reader, address)
        assert reply.status_code == 200
        if address.startswith("/download"):
            assert next(iter(_members(reply.content))) == one.stored
        else:
            rows = reply.json()["frames"] if address.startswith("/v1") else reply.json()
            assert len(rows) == 1, address


async def test_hidden_rows_do_not_count_towards_truncation(asked: Asked) -> None:
    known = {
        person.name: sum(person.may_know(one, asked.today) for one in FILES) for person in (NOBODY, PEOPLE[4])
    }
    assert known[""] < known["reader"] == len(FILES)
    with asked.limited_to(known[""]):
        for person, truncated in ((NOBODY, "false"), (PEOPLE[4], "true")):
            for surface in ("jsonfilelist", "jsonfilenames", "jsonsummary"):
                reply = await asked.get(person, f"/{surface}/object=Target*")
                assert len(reply.json()) == known[""]
                assert reply.headers["armillary-truncated"] == truncated


async def test_refusals_read_alike_whatever_is_behind_them(asked: Asked) -> None:
    """A file that is not public is told from an absent one, since names are; nothing else is."""
    texts = set()
    for one in FILES:
        if NOBODY.may_have(one, asked.today) or not NOBODY.may_find(one, asked.today):
            continue
        pictures = [f"/v1/files/{one.name}/{kind}" for kind in PICTURES]
        for address in (*addresses("/file/{name:path}", one), *pictures):
            for headers in ({}, {"Range": "bytes=0-9"}, {"If-None-Match": "*"}, {"If-Range": '"x"'}):
                with asked.statements() as run:
                    reply = await asked.get(NOBODY, address, **headers)
                body = reply.text.replace(one.name, "NAME")
                shown = {key for key in reply.headers if key != "x-request-id"}
                texts.add((reply.status_code, body, frozenset(shown), len(run)))
    assert len(texts) == 1, texts
    ((status, body, *_),) = texts
    assert (status, "not public yet" in body) == (403, True)


async def test_whoever_has_the_entity_tag_still_gets_no_answer(asked: Asked) -> None:
    one, reader = sealed("proprietary", ""), PEOPLE[4]
    tag = (await asked.get(reader, f"/file/{one.name}")).headers["etag"]
    assert (await asked.get(reader, f"/file/{one.name}", **{"If-None-Match": tag})).status_code == 304
    for method in ("GET", "HEAD"):
        reply = await asked.get(NOBODY, f"/file/{one.name}", method, **{"If-None-Match": tag})
        assert reply.status_code == 403


async def test_every_kind_of_file_is_open_to_some_and_closed_to_others(asked: Asked) -> None:
    """The matrix is only worth something if the oracle says both, of pixels and of positions."""
    today = asked.today
    assert {one.kind for one in FILES if not NOBODY.may_have(one, today)} == {
        "to be released", "without a release", "proprietary", "proprietary without a release", "calibration",
    }  # fmt: skip
    for person in PEOPLE[7:]:
        opened = [one for one in FILES if person.may_have(one, today) and not NOBODY.may_have(one, today)]
        assert bool(opened) is bool(person.grants), person.name
        assert len(opened) < len(FILES), person.name
        found = [one for one in FILES if person.may_find(one, today) and not NOBODY.may_find(one, today)]
        # What these were granted is in no hidden collection.
        assert bool(found) is (person.name not in ("observer", "team", "guest")), person.name
    assert Path(FILES[0].stored).suffix == ".fits"


ABSENT = "N20260111S9999.fits"


async def test_a_file_of_which_nothing_is_told_is_answered_as_one_that_is_not_there(asked: Asked) -> None:
    paths = [path for path, tells in SURFACES.items() if "{name" in path and tells is not Tells.NOTHING]
    for one in (sealed(kind, container, Level.HIDDEN) for kind in UNRELEASED for container in ("", ".bz2")):
        absent = replace(one, number=9999)
        for path in paths:
            for here, there in zip(addresses(path, one), addresses(path, absent), strict=True):
                for method in ("GET", "HEAD"):
                    found = await asked.get(NOBODY, here, method)
                    missing = await asked.get(NOBODY, there, method)
                    assert found.status_code == missing.status_code, here
                    assert found.status_code in (404, 405), here
                    assert found.text.replace(one.name, ABSENT) == missing.text, here
                    assert set(found.headers) == set(missing.headers), here


UNRELEASED = ("to be released", "without a release", "proprietary", "proprietary without a release")


def names_of(one: Sealed) -> list[str]:
    """Return every way to ask for a file by what is public of others."""
    selections = [one.name, one.name.removesuffix(".fits"), one.observation, f"{one.observation}-001"]
    selections += [f"filepre={one.name[:-5]}", f"filename={one.stored}"]
    surfaces = ("jsonfilelist", "jsonfilenames", "jsonsummary", "jsonqastate", "download", "xmlfilelist")
    native = [f"name={one.name}", f"observation_id={one.observation}", f"data_label={one.observation}-001"]
    native += [f"{term}&total={total}" for term in native for total in ("exact", "estimate")]
    return [f"/{surface}/{text}" for surface in surfaces for text in selections] + [
        f"/v1/frames?{term}" for term in native
    ]


async def test_selections_and_totals_are_those_of_an_archive_without_it(asked: Asked) -> None:
    for kind in UNRELEASED:
        one = sealed(kind, ".bz2", Level.HIDDEN)
        absent = replace(one, number=9999)
        for here, there in zip(names_of(one), names_of(absent), strict=True):
            found, missing = await asked.get(NOBODY, here), await asked.get(NOBODY, there)
            assert found.status_code == missing.status_code, here
            # Answers may say what was asked for.
            text = found.text.replace(one.observation, absent.observation).replace(one.name[:-5], ABSENT[:-5])
            assert text == missing.text, here
            known = await asked.get(PEOPLE[4], here)
            assert known.content != found.content, here


async def test_totals_count_what_is_found(asked: Asked) -> None:
    for person in PEOPLE:
        found = sum(person.may_find(one, asked.today) for one in FILES)
        for total in ("exact", "estimate"):
            reply = (await asked.get(person, f"/v1/frames?limit=1&total={total}")).json()
            if reply["total_is"] == "exact":
                assert reply["total"] == found, person.name
            else:
                assert person.may_find(sealed("proprietary", "", Level.HIDDEN), asked.today), person.name


async def test_the_latest_are_the_latest_of_what_is_found(asked: Asked) -> None:
    for person in PEOPLE:
        reply = await asked.get(person, "/v1/frames?latest=3&per=program&limit=999")
        found: dict[str, list[str]] = {}
        for row in reply.json()["frames"]:
            found.setdefault(row["program"], []).append(row["name"])
        expected: dict[str, list[str]] = {}
        for one in FILES:
            if person.may_find(one, asked.today):
                expected.setdefault(one.program, []).append(one.name)
        # All begin at the same instant, so what was taken in last comes first.
        assert {key: len(names) for key, names in found.items()} == {
            key: min(3, len(names)) for key, names in expected.items()
        }, person.name
        assert all(set(names) <= set(expected[key]) for key, names in found.items())


async def test_the_feed_of_changes_tells_of_nothing_hidden(asked: Asked) -> None:
    for person in PEOPLE:
        names, cursor = set(), ""
        while True:
            reply = (await asked.get(person, f"/v1/changes?limit=7{cursor}")).json()
            names |= {one["name"] for one in reply["changes"]}
            cursor = f"&after={reply['cursor']}"
            if not reply["more"]:
                break
        assert names == {one.name for one in FILES if person.may_find(one, asked.today)}, person.name


async def test_nights_count_no_frame_that_may_not_be_found(asked: Asked) -> None:
    for person in PEOPLE:
        found = sum(person.may_find(one, asked.today) for one in FILES)
        for query in ("", "?by=instrument", f"?newest=9&keyword={quote('SIMPLE=T')}"):
            reply = await asked.get(person, f"/v1/nights{query}")
            # A comparison with a keyword holds for those only whose headers the person may read.
            readable = sum(person.may_know(one, asked.today) for one in FILES)
            expected = readable if "keyword" in query else found
            assert reply.json()["frames"] == expected, (person.name, query)
        total = (await asked.get(person, "/v1/frames?total=quick")).json()
        assert (total["total"], total["total_is"]) == (found, "exact")


async def test_neighbours_are_frames_that_may_be_found(asked: Asked) -> None:
    for person in PEOPLE:
        known = {one.name for one in FILES if person.may_find(one, asked.today)}
        for one in FILES[asked.shift :: TURNS]:
            reply = await asked.get(person, f"/v1/files/{one.name}/neighbours")
            if reply.status_code == 200:
                beside = {found["name"] for found in reply.json().values() if found}
                assert beside
                assert beside <= known


async def test_the_calendar_counts_no_file_that_may_not_be_found(asked: Asked) -> None:
    totals = set()
    for person in PEOPLE:
        reply = (await asked.get(person, "/v1/embargo/calendar")).json()
        found = {(one["day"], one["instrument"], one["program"]): one["frames"] for one in reply["releases"]}
        expected = Counter(
            (one.release.isoformat(), one.instrument, one.program)
            for one in FILES
            if one.release and one.release > asked.today and not one.engineering
            if person.may_find(one, asked.today)
        )
        assert found == dict(expected), person.name
        shown = (await asked.get(person, "/v1/embargo/calendar.ics")).text
        assert shown.count("BEGIN:VEVENT") == len({day for day, _, _ in expected})
        assert f"SUMMARY:{expected.total()} frames become public" in shown
        totals.add(expected.total())
    # Some see more than others, or nothing would have been compared.
    assert len(totals) > 2


async def test_routes_of_cubes_know_nothing_of_other_files(asked: Asked) -> None:
    for one in (FILES[0], sealed("proprietary", ""), sealed("without a release", "", Level.HIDDEN)):
        found = (await asked.get(NOBODY, f"/api/v1/data_cube/?filename={one.stored}")).json()
        assert found == {"count": 0, "next": None, "previous": None, "results": []}
        for number in range(1, 9):
            for below in ("", *CONTENTS):
                reply = await asked.get(NOBODY, f"/api/v1/data_cube/{number}/{below}")
                assert (reply.status_code, reply.json()["code"]) == (404, "cube_not_found")


ENDLESS = {"/v1/stream", "/v1/ws"}
"""Routes that tell of what happens from now on."""


async def test_routes_of_images_know_nothing_of_other_files(asked: Asked) -> None:
    shown = {path for path, tells in SURFACES.items() if tells is Tells.IMAGES} - ENDLESS
    for one in (FILES[0], sealed("proprietary", ""), sealed("without a release", "", Level.HIDDEN)):
        for path in sorted(shown):
            base = one.name.removesuffix(".fits")
            address = re.sub(r"\{base_filename\}|\{name:path\}", base, path)
            address = address.replace("{key:path}", f"data/{one.stored}").replace("{count}", "9")
            address = re.sub(r"\{[^}]*\}", "1", address)
            query = f"site=%25&filename=%25&object_name={one.stored}"
            query += "&start_timestamp_s=0&end_timestamp_s=9999999999"
            for method in ("GET", "POST"):
                reply = await asked.get(NOBODY, f"{address}?{query}", method)
                assert reply.status_code < 500, address
                assert not [secret for secret in one.secrets if secret in reply.text], address
                text = reply.text.replace(one.stored, "").replace(base, "")
                assert not [other.name for other in FILES if other.name in text], address
