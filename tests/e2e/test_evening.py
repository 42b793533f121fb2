"""An evening of two sites, as their programs send it: nothing dropped, nothing doubled, whatever the base path.

Requests are made by hand on sockets: no Content-Type, slashes too many, JSON in the body of anything.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from armillary.access.models import Permission, Scope
from armillary.access.service import create_token
from armillary.base import migrate
from armillary.base.database import Database, Role
from armillary.context import Context
from tests.support.debian import debian_server, needs_debian
from tests.support.patience import in_time
from tests.support.postgres import admin
from tests.support.ranch import header_text, picture
from tests.support.running import PATIENCE_S, Running, running

EXPOSURES = 6
SITES = ("saf", "mrc")
ACTIONS = (Scope.UPLOAD, Scope.CONFIG, Scope.NOTE, Scope.PIPE)


class Program:
    """A program of a site: it has a base URL, and nothing else of the server."""

    def __init__(self, base: str) -> None:
        parts = urlsplit(base)
        self._host, self._path = parts.netloc, parts.path

    def ask(self, method: str, path: str, body: Any = None, *, token: str = "") -> tuple[int, str]:
        """Send a request as it is, without a Content-Type; return status and text of the reply."""
        content = b"" if body is None else json.dumps(body).encode()
        shown = {"Authorization": f"Bearer {token}"} if token else {}
        return self._send(method, self._path + path, content, shown)

    def _send(self, method: str, path: str, content: bytes, headers: dict[str, str]) -> tuple[int, str]:
        connection = http.client.HTTPConnection(self._host, timeout=PATIENCE_S)
        try:
            connection.request(method, path, content or None, headers)
            reply = connection.getresponse()
            assert not 300 <= reply.status < 400, (path, reply.status)
            return reply.status, reply.read().decode()
        finally:
            connection.close()

    def upload(self, name: str, content: bytes, **more: Any) -> None:
        """Ask for a slot and post the file to it, once; a program drops what fails."""
        asked = {"s3_directory": "data", "object_name": name, **more}
        status, text = self.ask("POST", "//upload/", asked)
        assert status == 200, text
        slot = json.loads(text)
        boundary = secrets.token_hex(16)
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
            for key, value in slot["fields"].items()
        ]
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="C:\\{name}"\r\n\r\n'
        form = b"".join(parts) + head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
        url = urlsplit(slot["url"])
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        assert self._send("POST", url.path, form, kind) == (204, "")


def evening(program: Program, site: str) -> None:
    """Do what the programs of a site do in an evening."""
    wema = {
        "instance_type": "wema",
        "wema_name": f"{site}w",
        "obsp_ids": [site],
        "latitude": "34.0",
        "longitude": -119,
        "elevation": [300.0],
        "reference_ambient": 10,
        "reference_pressure": 980,
        "TZ_database_name": "America/Los_Angeles",
        "events": {"day_directory": "20261130"},
    }
    for name, config in ((f"{site}w", wema), (site, {"instance_type": "obs", "wema_name": f"{site}w"})):
        status, text = program.ask("PUT", f"/{name}/config/", config)
        assert json.loads(text)["ResponseMetadata"]["HTTPStatusCode"] == status == 200
    status, text = program.ask("GET", f"/{site}w/config/")
    assert json.loads(text)["configuration"]["events"]["day_directory"] == "20261130"
    for number in range(EXPOSURES):
        expose(program, site, number)
    program.upload(f"{site}-20261130.token", b"done")


def expose(program: Program, site: str, number: int) -> None:
    base = f"{site}-sq003ms-20261130-{number:08d}"
    when = f"2026-11-30T02:{number:02d}:00"
    program.upload(f"{base}-EX00.txt", header_text(**{"DATE-OBS": when, "SITEID": site}))
    program.upload(f"{base}-EX10.jpg", picture(320, 200))
    if number == EXPOSURES - 1:
        program.upload(f"{base}-EX10.jpg", picture(), s3_directory="info-images", info_channel=2)
    names = {"request": "reduce", "request_content": [f"{base}-EX00.fits.fz"]}
    item = {"queue_name": site, "sender": site, "payload": names}
    status, text = program.ask("POST", "/pipe/enqueue", item)
    assert (status, json.loads(text)["payload"]) == (200, names)


def reduce(program: Program, site: str, found: list[str], done: threading.Event) -> None:
    """Do what the machine does that reduces: create the queue again and again, take items until told to stop."""
    while True:
        status, text = program.ask("POST", "/pipe/queue", {"queue_name": site})
        assert status in (200, 409), text
        last = done.is_set()
        status, text = program.ask("POST", f"/pipe/queue/{site}/dequeue")
        if status == 200:
            found += json.loads(text)["payload"]["request_content"]
        elif status == 404:
            if last:
                return
            time.sleep(0.05)
        else:
            raise AssertionError(text)


def looks(program: Program) -> None:
    """Do what the web interface asks when somebody looks; see that all is there once."""
    _, text = program.ask("GET", "/all/config")
    assert {"saf", "safw", "mrc", "mrcw"} <= json.loads(text).keys()
    newest = json.loads(program.ask("GET", "/latest_image_all_sites")[1])
    assert newest.keys() >= set(SITES)
    for site in SITES:
        path = f"/filtered_images?site={site}&start_date=2026-11-29+12:00:00&end_date=2026-11-30+12:00:00"
        bases = [one["base_filename"] for one in json.loads(program.ask("GET", path)[1])]
        assert bases == [f"{site}-sq003ms-20261130-{n:08d}" for n in reversed(range(EXPOSURES))]
        (latest,) = json.loads(program.ask("GET", f"/{site}/latest_images/1")[1])
        assert latest["base_filename"] == bases[0]
        assert latest["jpg_small_exists"] is True
        assert urlsplit(newest[site]).path == urlsplit(latest["jpg_url"]).path
        assert program.ask("GET", f"/infoimage/{site}/1")[0] == 204
        info = json.loads(program.ask("GET", f"/infoimage/{site}/2")[1])
        assert (info["base_filename"], info["jpg_medium_exists"]) == (bases[0], True)
        header = json.loads(program.ask("GET", f"/fitsheader/{bases[0]}/")[1])
        assert header["SITEID"] == site
        uploads = json.loads(program.ask("GET", f"/recentuploads?site={site}")[1])
        assert len(uploads) == 2 * EXPOSURES + 2
        note = json.loads(program.ask("GET", f"/nightlog/{site}")[1])
        assert note["note_data"]["message"] == "clear"
        events = json.loads(program.ask("GET", f"/events?site={site}&when=1796308460")[1])
        assert "Sun Set" in events
    moon = "/events/moon/rise-set-illum?lat=34&lng=-119&start=2020-10-02T02:00:00Z&end=2020-10-02T15:00:00Z"
    assert json.loads(program.ask("GET", moon)[1])[0]["rise"] == "2020-10-02T02:02:06Z"


def wait_until_all_is_in(program: Program) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        counts = Counter[str]()
        for one in json.loads(program.ask("GET", "/filtered_images")[1]):
            counts[one["site"]] += one["jpg_small_exists"] is True and one["capture_date"] is not None
        slots = [program.ask("GET", f"/infoimage/{site}/2")[0] for site in SITES]
        logged = [len(json.loads(program.ask("GET", f"/recentuploads?site={site}")[1])) for site in SITES]
        if (
            all(counts[s] == EXPOSURES for s in SITES)
            and slots == [200] * 2
            and min(logged) >= 2 * EXPOSURES + 2
        ):
            return
        in_time(deadline, f"{counts} {slots} {logged}")
        time.sleep(0.2)


def a_key(server: Running) -> str:
    """Return a key for both sites and their enclosures."""
    places = [place for site in SITES for place in (site, f"{site}w")]

    async def make(context: Context) -> str:
        async with context.database.begin() as connection:
            scopes = [Permission(action, place) for action in ACTIONS for place in places]
            return await create_token(connection, "both", scopes, now=context.clock.now())

    return server.act(make)


EMBEDDED, EXTERNAL = "the embedded database", "PostgreSQL of Debian"


@contextmanager
def database_of(kind: str) -> Iterator[dict[str, str]]:
    """Say in the environment which database a server has, and run it where it is none of the server's own."""
    if kind == EMBEDDED:
        yield {}
        return
    with debian_server() as debian:
        make = "CREATE DATABASE evening OWNER armillary_owner"
        asyncio.run(admin(debian, make, user="postgres"))
        url = replace(debian.dsn, database="evening").url("armillary_owner")
        # As its owner does: `up` changes the schema of no database but its own.
        asyncio.run(upgraded(url))
        yield {"ARMILLARY_DATABASE__URL": url}


async def upgraded(url: str) -> None:
    """Give a database the schema of this program."""
    database = await Database.connect(url, Role.OWNER, pool_size=1)
    try:
        await migrate.upgrade(database)
    finally:
        await database.close()


@pytest.fixture(
    params=[
        ("compat", EMBEDDED),
        ("enforced", EMBEDDED),
        pytest.param(("compat", EXTERNAL), marks=needs_debian),
    ],
    ids=", ".join,
)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    """Run a server in a mode, on a database."""
    mode, kind = request.param
    with (
        database_of(kind) as environment,
        running(tmp_path / "data", ARMILLARY_AUTH__MODE=mode, **environment) as one,
    ):
        one.mode = mode  # type: ignore[attr-defined]
        yield one


def test_an_evening_of_two_sites(server: Running) -> None:
    mode: str = server.mode  # type: ignore[attr-defined]
    key = a_key(server)
    paths = ["/api", "/dev"] if mode == "compat" else [f"/k/{key}/api"] * 2
    programs = dict(zip(SITES, (Program(server.url + path) for path in paths), strict=True))
    done, found = threading.Event(), {site: list[str]() for site in SITES}
    failed: list[BaseException] = []

    def tried(action: Any, *args: Any) -> None:
        try:
            action(*args)
        except BaseException as error:
            failed.append(error)

    observing = [threading.Thread(target=tried, args=(evening, programs[site], site)) for site in SITES]
    reducing = [
        threading.Thread(target=tried, args=(reduce, programs[site], site, found[site], done))
        for site in SITES
    ]
    for site, program in programs.items():
        assert program.ask("POST", "/pipe/queue", {"queue_name": site})[0] == 200
    for thread in (*observing, *reducing):
        thread.start()
    for thread in observing:
        thread.join()
    done.set()
    for thread in reducing:
        thread.join()
    assert not failed, failed
    for site in SITES:
        assert found[site] == [f"{site}-sq003ms-20261130-{n:08d}-EX00.fits.fz" for n in range(EXPOSURES)]
    # The web interface shows no key.
    ui = Program(server.url + ("" if mode == "compat" else "/api"))
    for site in SITES:
        note = {"note_data": {"site": site, "message": "clear", "ttl_hours": 1}}
        assert ui.ask("POST", f"/nightlog/{site}", note)[0] == 401
        assert ui.ask("POST", f"/nightlog/{site}", note, token=key) == (200, "Note created successfully")
    wait_until_all_is_in(ui)
    looks(ui)


def test_a_key_is_for_its_sites_alone(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        base = f"/k/{a_key(server)}/api"
        for path, status in ((base, 403), ("/api", 401)):
            program = Program(server.url + path)
            assert program.ask("PUT", "/other/config", {"a": 1})[0] == status
            assert program.ask("POST", "/upload", {"object_name": "other-x-EX00.txt"})[0] == status
            assert program.ask("POST", "/pipe/enqueue", {"queue_name": "other"})[0] == status
