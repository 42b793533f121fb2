"""Every route, every way to ask it, every way to show who one is: what all answers have, no route can forget."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import pytest_asyncio
from sqlalchemy import text
from structlog.testing import capture_logs

from armillary.access.models import Scope
from armillary.access.service import create_token
from armillary.api.http.policy import walk
from armillary.app import Application, create_app
from armillary.base.database import Database, Role
from armillary.base.postgres.server import EmbeddedServer
from armillary.base.work import NewOrder, submit
from armillary.console import tokens
from armillary.context import spooling_bus
from armillary.pipe import service as pipe
from tests.support.archive import Archive, an_archive, put
from tests.support.night import gemini_file
from tests.support.postgres import postgres
from tests.support.running import PATIENCE_S

__all__ = ["postgres"]
pytestmark = pytest.mark.asyncio(loop_scope="module")
NAME, HIDDEN = "N20260101S0001.fits", "N20260101S0002.fits"
NEEDS = {"authorization", "cookie", "x-api-key"}
MARK = "whose business"
"""A part of the name of every directory of this archive."""
WAYS = {
    "key": "X-Api-Key: {}",
    "bearer": "Authorization: Bearer {}",
    "reader": "Cookie: gemini_fits_authorization={}",
    "editor": "Cookie: gemini_api_authorization={}",
    "uploader": "Cookie: gemini_fits_upload_auth={}",
    "stranger": "X-Api-Key: arm_unknown",
    "guessing": "Authorization: Basic eDp5",
    "strange cookie": "Cookie: _ga=GA1.1.1",
}
"""How somebody shows who they are, or something else that a cache cannot tell from that."""


@dataclass
class Answer:
    """What an application answered, as far as it was waited for."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""

    def values(self, name: str) -> list[str]:
        """Return the members of all headers of a name, in lower case."""
        joined = ",".join(value for one, value in self.headers if one == name)
        return [member.strip().lower() for member in joined.split(",") if member.strip()]


@dataclass
class Asked:
    """An application, the archive behind it, and a token for everything."""

    app: Application
    archive: Archive
    secrets: dict[str, str] = field(default_factory=dict)

    async def ask(
        self,
        method: str,
        address: str,
        headers: Mapping[str, str] = {},
        body: bytes = b"",
        *,
        until: bytes = b"",
    ) -> Answer:
        """Ask, and go away when the answer is complete, or when a stream of events holds what is waited for."""
        parts = urlsplit(address)
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(parts.path),
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "root_path": "",
            "headers": [(b"host", b"archive"), *raw],
            "client": ("192.0.2.1", 5),
            "server": ("archive", 80),
        }
        answer, complete, gone = Answer(0, []), asyncio.Event(), asyncio.Event()
        incoming = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if incoming:
                return incoming.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = [(name.decode(), value.decode()) for name, value in message["headers"]]
            else:
                answer.body += message.get("body", b"")
                # Streams of events have no end.
                stream = "text/event-stream" in str(answer.headers)
                if not message.get("more_body") or (stream and until in answer.body):
                    complete.set()

        async def serve() -> None:
            with contextlib.suppress(Exception):  # what went wrong is in the answer
                await self.app(scope, receive, send)

        task = asyncio.create_task(serve())
        await asyncio.wait_for(complete.wait(), PATIENCE_S)
        gone.set()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return answer

    def showing(self, way: str, scope: Scope = Scope.ADMIN) -> dict[str, str]:
        """Return the header by which a token for a scope is shown."""
        name, _, value = WAYS[way].format(self.secrets[scope]).partition(": ")
        return {name: value}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asked(postgres: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asked]:
    """Take a public and a hidden file in, make tokens, and open the application in the role of the web process."""
    directory = tmp_path_factory.mktemp("answers") / MARK
    async with an_archive(postgres, directory) as archive:
        public = put(directory / "night" / NAME, gemini_file(RELEASE="2020-01-01"))
        hidden = put(directory / "night" / HIDDEN, gemini_file(RELEASE="2900-01-01", DATALAB="GN-2"))
        report = await archive.ingest(public, hidden)
        assert report.failed == []
        await archive.drain()
        await archive.set(NAME, OBSERVER="A. Newcomer")
        await archive.drain()
        name, home = archive.context.database.name, archive.context.settings.data.resolve()
        role = await Database.connect(postgres, Role.WEB, name=name, home=home, pool_size=4)
        app = create_app(archive.context.settings)
        app.state.context = replace(archive.context, database=role)
        one = Asked(app, archive)
        async with archive.context.database.begin() as connection:
            for scope in Scope:
                one.secrets[scope] = await create_token(
                    connection, f"the {scope} token", [scope], now=archive.context.clock.now()
                )
        async with (
            pipe.opened(app.state.context) as app.state.pipe,
            spooling_bus(app.state.context) as app.state.bus,
        ):
            yield one
        await role.close()


def routes(app: Application) -> Iterator[tuple[str, str]]:
    """Yield method and an address of every route."""
    values = {"name": NAME, "selection": "present", "target": "a/b.fits", "hdu": "0", "kind": "preview"}
    numbers = {"order_id": "1", "edit_id": "1", "id": "1", "action": "stop"}
    values |= {"request_id": "c305aa10-e3cb-4176-8e57-45aae8bb7592"} | numbers
    for route in walk(app.routes):
        path = str(getattr(route, "path", ""))
        address = re.sub(r"\{(\w+)(:path)?\}", lambda found: values.get(found[1], "1"), path)
        for method in sorted(getattr(route, "methods", None) or ()):
            yield method, address


def assert_marked(answer: Answer, *, shown: bool, what: object) -> None:
    """Check what every answer has."""
    assert answer.values("x-content-type-options") == ["nosniff"], what
    assert set(answer.values("vary")) >= NEEDS, what
    rules = answer.values("cache-control")
    if shown:
        strict = {"private", "no-store"} | ({"no-cache"} if "/update_headers" in str(what) else set())
        assert strict & set(rules), (what, rules)
        assert "public" not in rules, what
    names = [name for name, _ in answer.headers]
    for name in ("vary", "cache-control", "x-content-type-options"):
        assert names.count(name) <= 1, (what, name)


async def test_every_route_keeps_answers_to_whoever_showed_something_private(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No worker revokes the token that the form of the page names.
    monkeypatch.setattr(tokens, "PATIENCE_S", 0.0)
    statuses: set[int] = set()
    faults = []
    found = list(routes(asked.app))
    assert len(found) > 50
    for method, address in found:
        for way in WAYS:
            answer = await asked.ask(method, address, asked.showing(way))
            assert_marked(answer, shown=True, what=(method, address, way))
            if "room" not in address and "browser" not in address:
                # Without a provider of rooms these fail, as the deployed service does.
                statuses.add(answer.status)
                faults += [(method, address)] if answer.status >= 500 else []
        answer = await asked.ask(method, address)
        assert_marked(answer, shown=False, what=(method, address))
    assert {200, 202, 401, 403, 404} <= statuses
    assert not faults


async def test_failures_that_no_route_makes_say_the_same(asked: Asked) -> None:
    key = asked.showing("key")
    cookie = asked.showing("editor")
    for status, method, address, headers, body in (
        (404, "GET", "/nowhere", key, b""),
        (404, "GET", "//nowhere", key, b""),
        (405, "DELETE", "/v1/frames", key, b""),
        (405, "GET", "/update_headers", key, b""),
        (422, "GET", "/v1/frames?instrment=x", key, b""),
        (422, "GET", "/v1/frames?limit=0", key, b""),
        (422, "POST", "/v1/changesets", key, b"{"),
        (413, "POST", "/v1/changesets", key, b" " * (9 << 20)),
        (413, "POST", "/update_headers", cookie, b" " * (9 << 20)),
        (403, "POST", "/update_headers", cookie | {"Origin": "https://evil.example"}, b"[]"),
        (403, "POST", "/v1/edits/1/revert", cookie | {"Sec-Fetch-Site": "cross-site"}, b"{}"),
    ):
        answer = await asked.ask(method, address, headers, body)
        assert answer.status == status, (method, address, answer)
        assert_marked(answer, shown=True, what=(method, address))
        bare = {name: value for name, value in headers.items() if name not in ("X-Api-Key", "Cookie")}
        assert_marked(await asked.ask(method, address, bare, body), shown=False, what=(method, address))


async def test_a_fault_of_ours_says_the_same(asked: Asked) -> None:
    context = asked.app.state.context
    asked.app.state.context = None
    try:
        with capture_logs() as written:
            answer = await asked.ask("GET", f"/v1/files/{NAME}", asked.showing("key"))
    finally:
        asked.app.state.context = context
    assert answer.status == 500
    assert [one["event"] for one in written if one["log_level"] == "error"] == ["request failed"]
    assert_marked(answer, shown=True, what="500")


async def test_whoever_is_told_to_wait_is_told_the_same(asked: Asked) -> None:
    settings = asked.archive.context.settings
    limits = settings.limits.model_copy(update={"anonymous_per_s": 0.001, "anonymous_burst": 1})
    app = create_app(settings.model_copy(update={"limits": limits}))
    app.state.context = asked.app.state.context
    hasty = Asked(app, asked.archive, asked.secrets)
    for headers in ({"X-Api-Key": "arm_unknown"}, {}):
        while (answer := await hasty.ask("GET", "/v1/health", headers)).status != 429:
            pass
        assert_marked(answer, shown=bool(headers), what="429")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_parts_of_downloads_and_what_the_client_has_say_the_same(asked: Asked, method: str) -> None:
    whole = await asked.ask(method, f"/file/{HIDDEN}", asked.showing("reader"))
    (tag,) = whole.values("etag")
    for status, headers in (
        (200, {}),
        (206, {"Range": "bytes=0-9"}),
        (416, {"Range": "bytes=99999999-"}),
        (304, {"If-None-Match": tag}),
    ):
        for path in (f"/file/{HIDDEN}", f"/v1/files/{HIDDEN}/content"):
            answer = await asked.ask(method, path, asked.showing("reader") | headers)
            assert answer.status == status, (path, headers)
            assert_marked(answer, shown=True, what=(path, status))


async def test_answers_in_several_forms_say_so(asked: Asked) -> None:
    for path in (
        f"/v1/files/{NAME}/headers",
        f"/v1/files/{NAME}/headers/0",
        f"/v1/files/{NAME}/diff",
        "/v1/changes",
    ):
        for accepted in ("application/json", "text/plain", "text/event-stream"):
            answer = await asked.ask("GET", path, {"Accept": accepted})
            assert (answer.status, "accept" in answer.values("vary")) == (200, True), (path, accepted)


async def test_a_line_feed_at_the_end_of_a_path_leads_nowhere(asked: Asked) -> None:
    """A route would be found by its pattern, and would see the path without it."""
    for method, address in routes(asked.app):
        answer = await asked.ask(method, f"{address}%0A", asked.showing("key"))
        assert answer.status == 404, (method, address)


async def failed_orders(asked: Asked) -> list[int]:
    """Let work fail in ways whose reasons name files and directories; return the orders."""
    archive, directory = asked.archive, asked.archive.directory
    night = directory / "night"
    put(night / "damaged.fits", b"no FITS at all")
    (night / "gone.fits").symlink_to(directory / "elsewhere" / "gone.fits")
    put(directory / "elsewhere" / "gone.fits", gemini_file(DATALAB="GN-3"))
    run = await archive.submit(night / "damaged.fits")
    orders = list(run.orders)
    async with archive.context.database.begin() as connection:
        query = "SELECT id FROM root WHERE path = :path"
        root = await connection.scalar(text(query), {"path": str(night)})
        args = {"root_id": root, "path": "", "origin": "ingest", "patient": False}
        orders += await submit(
            connection,
            [
                NewOrder(kind="ingest", args={**args, "filename": name})
                for name in ("gone.fits", "absent.fits")
            ],
            keyed_fifo=False,
        )
    await archive.run(orders)
    return orders


async def test_only_administrators_are_told_where_files_are(asked: Asked) -> None:
    orders = await failed_orders(asked)
    for order in orders:
        telling = await asked.ask("GET", f"/v1/orders/{order}", asked.showing("key", Scope.ADMIN))
        assert MARK in telling.body.decode(), "otherwise there is nothing to hide"
        for scope in (Scope.READ, Scope.EDIT):
            for path in (f"/v1/orders/{order}", f"/v1/orders/{order}/events"):
                answer = await asked.ask("GET", path, asked.showing("key", scope), until=b"data: ")
                assert answer.status == 200
                assert "fits" in answer.body.decode()
                assert MARK not in answer.body.decode(), path


async def test_a_link_that_leads_out_is_refused_without_saying_where_to(asked: Asked) -> None:
    night, other = asked.archive.directory / "night", asked.archive.directory / "elsewhere"
    put(other / NAME, (night / NAME).read_bytes())
    kept = night / f"{NAME}.kept"
    (night / NAME).rename(kept)
    (night / NAME).symlink_to(other / NAME)
    try:
        for scope in (None, Scope.READ, Scope.EDIT, Scope.ADMIN):
            answer = await asked.ask("GET", f"/file/{NAME}", asked.showing("key", scope) if scope else {})
            assert b"outside_root" in answer.body, (scope, answer)
            assert (MARK.encode() in answer.body) is (scope is Scope.ADMIN), (scope, answer.body)
    finally:
        kept.replace(night / NAME)


async def test_no_route_tells_anybody_else_a_directory_of_the_server(asked: Asked) -> None:
    """Every route and error above, and records of edits that failed for want of their file."""
    path = await asked.archive.path(HIDDEN)
    kept = path.rename(path.with_name("aside"))
    try:
        with contextlib.suppress(Exception):
            await asked.archive.set(HIDDEN, OBSERVER="nobody")
    finally:
        kept.replace(path)
    for method, address in routes(asked.app):
        for scope in (None, Scope.READ, Scope.EDIT, Scope.UPLOAD):
            answer = await asked.ask(method, address, asked.showing("key", scope) if scope else {})
            if "x-tar" not in ",".join(answer.values("content-type")):
                assert MARK not in answer.body.decode("latin-1"), (method, address, scope)
