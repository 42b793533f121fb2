"""Owners read by their addresses, what they read is recorded, and administrators look at all of it."""

from __future__ import annotations

import asyncio
import io
import tarfile
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from armillary.access import service
from armillary.access.models import Grantee, Holder, Scope
from armillary.archive.catalog.service import subject_of
from armillary.base.database import Role
from armillary.context import Context, open_context
from tests.api.conftest import Maker
from tests.support.patience import in_time
from tests.support.running import PATIENCE_S, Running

SECRET = {"RELEASE": (datetime.now(UTC).date() + timedelta(days=400)).isoformat()}


def owner(server: Running, name: str, email: str, *, group: str | None = None) -> str:
    """Create a token that is bound to an address, and to a group; return its secret."""

    async def action(context: Context) -> str:
        async with context.database.begin() as connection:
            return await service.create_token(
                connection, name, {Scope.INGEST}, now=context.clock.now(), emails=[email],
                groups=[group] if group else [],
            )  # fmt: skip

    return server.act(action)


def let_read(server: Running, file: str, to: Grantee) -> None:
    async def action(context: Context) -> None:
        async with context.database.begin() as connection:
            subject = file if file.startswith("/") else await subject_of(connection, file)
            await service.grant(connection, to, "file", subject, now=context.clock.now(), origin="a test")

    server.act(action)


def fetch(server: Running, path: str, secret: str, method: str = "GET", **headers: str) -> httpx.Response:
    with server.client(headers={"Authorization": f"Token {secret}", **headers}) as client:
        return client.request(method, path)


def as_owner(server: Running, statement: str) -> None:
    """Run a statement as the owner of the tables."""

    async def body() -> None:
        async with (
            open_context(server.settings, Role.OWNER) as context,
            context.database.begin() as connection,
        ):
            await connection.exec_driver_sql(statement)

    asyncio.run(body())


def audit(server: Running, **asked: Any) -> dict[str, Any]:
    with server.client(scope=Scope.ADMIN) as client:
        reply = client.get(
            "/v1/grants/audit", params={key.rstrip("_"): value for key, value in asked.items()}
        )
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def test_an_owner_reads_by_the_address_and_each_download_is_recorded(server: Running, a_file: Maker) -> None:
    name, secret = a_file(**SECRET), owner(server, "reader one", "One@Sun.Example")
    assert fetch(server, f"/file/{name}", secret).status_code == 403
    let_read(server, name, Grantee(Holder.EMAIL, "one@sun.example"))
    end = time.monotonic() + PATIENCE_S
    # The process that remembers who bears the token hears of the grant a moment later.
    while (whole := fetch(server, f"/file/{name}", secret)).status_code == 403:
        in_time(end)
    assert (whole.status_code, whole.headers["Armillary-Reason"]) == (200, "canhaveit")
    part = fetch(server, f"/file/{name}", secret, Range="bytes=100-299")
    assert (part.status_code, len(part.content)) == (206, 200)
    packed = fetch(server, f"/file/{name}.bz2", secret)
    assert packed.status_code == 200
    tar = fetch(server, f"/download/filename={name}", secret)
    with tarfile.open(fileobj=io.BytesIO(tar.content)) as opened:
        assert any(member.endswith(name) for member in opened.getnames())
    # What sends no byte of the file is no download.
    etag = whole.headers["ETag"]
    assert fetch(server, f"/file/{name}", secret, "HEAD").status_code == 200
    assert fetch(server, f"/file/{name}", secret, **{"If-None-Match": etag}).status_code == 304
    assert fetch(server, f"/file/{name}", secret, Range="bytes=99999999-").status_code == 416
    # Nor is it by a grant that somebody reads who may read everything.
    assert fetch(server, f"/file/{name}", server.secret(Scope.READ)).status_code == 200
    size = len(whole.content)
    found = audit(server, who="reader one")
    assert [(one["name"], one["reason"], one["first_byte"], one["bytes"]) for one in found["reads"]] == [
        (name, "canhaveit", 0, size),
        (name, "canhaveit", 0, None),
        (name, "canhaveit", 100, 200),
        (name, "canhaveit", 0, size),
    ]
    # The file is found by its name in what was granted and in what was read.
    of_file = audit(server, subject=name, kind="file")
    assert [(one["action"], one["principal"], one["origin"]) for one in of_file["changes"]] == [
        ("given", "one@sun.example", "a test")
    ]
    assert of_file["reads"] == found["reads"]


def test_public_files_leave_no_record(server: Running, a_file: Maker) -> None:
    name, secret = a_file(RELEASE="2020-01-01"), owner(server, "reader two", "two@sun.example")
    let_read(server, name, Grantee(Holder.EMAIL, "two@sun.example"))
    assert fetch(server, f"/file/{name}", secret).headers["Armillary-Reason"] == "released"
    assert audit(server, who="reader two")["reads"] == []


def test_nothing_is_sent_that_cannot_be_recorded(server: Running, a_file: Maker) -> None:
    name, secret = a_file(**SECRET), owner(server, "reader three", "three@sun.example", group="sealed")
    let_read(server, name, Grantee(Holder.GROUP, "sealed"))
    as_owner(server, "REVOKE INSERT ON embargoed_read FROM armillary_web")
    try:
        reply = fetch(server, f"/file/{name}", secret)
        assert reply.status_code >= 500, reply.text
        assert b"SIMPLE" not in reply.content
    finally:
        as_owner(server, "GRANT INSERT ON embargoed_read TO armillary_web")
    assert fetch(server, f"/file/{name}", secret).status_code == 200


def test_administrators_alone_see_grants_and_their_record(server: Running) -> None:
    for path in ("/v1/grants", "/v1/grants/audit"):
        with server.client() as client:
            assert client.get(path).status_code == 401
        for scope in (Scope.READ, Scope.EDIT, Scope.UPLOAD, Scope.INGEST):
            with server.client(scope=scope) as client:
                assert client.get(path).status_code == 403


def test_grants_are_listed_by_who_holds_them(server: Running) -> None:
    let_read(server, "/4242", Grantee(Holder.EMAIL, "four@sun.example"))
    let_read(server, "/4242", Grantee(Holder.GROUP, "four"))
    with server.client(scope=Scope.ADMIN) as client:
        found = client.get("/v1/grants", params={"email": "FOUR@sun.example"}).json()["grants"]
        both = client.get("/v1/grants", params={"subject": "/4242"}).json()["grants"]
    assert [
        (one["holder"], one["principal"], one["kind"], one["subject"], one["level"]) for one in found
    ] == [("email", "four@sun.example", "file", "/4242", "open")]
    assert [one["holder"] for one in both] == ["email", "group"]


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("/v1/grants", {"email": "four"}, "invalid_grantee"),
        ("/v1/grants", {"group": " "}, "invalid_grantee"),
        ("/v1/grants", {"email": "a@b.c", "group": "g"}, "bad_request"),
        ("/v1/grants", {"kind": "planet"}, "bad_request"),
        ("/v1/grants/audit", {"kind": "planet"}, "bad_request"),
        ("/v1/grants/audit", {"who": "a\x00b"}, "bad_request"),
        ("/v1/grants/audit", {"from": "yesterday"}, "invalid_parameter"),
        ("/v1/grants/audit", {"limit": "0"}, "invalid_parameter"),
        ("/v1/grants/audit", {"until": "0001-01-01T00:00:00+14:00"}, "bad_request"),
        ("/v1/embargo/calendar", {"from": "2026-02-30"}, "invalid_parameter"),
        ("/v1/embargo/calendar", {"program": "a\x00b"}, "bad_request"),
        ("/v1/embargo/calendar.ics", {"limit": "10001"}, "invalid_parameter"),
    ],
)
def test_bad_questions_are_refused(server: Running, path: str, query: dict[str, str], code: str) -> None:
    with server.client(scope=Scope.ADMIN) as client:
        reply = client.get(path, params=query)
    assert reply.status_code in (400, 422), reply.text
    assert reply.json()["code"] == code


def test_the_calendar_is_about_the_days_that_are_asked_for(server: Running, a_file: Maker) -> None:
    program = "GN-2026A-CAL-77"
    for release in ("2899-12-31", "2900-01-02", "2900-01-02", "2900-01-03"):
        a_file(RELEASE=release, GEMPRGID=program)
    with server.client() as client:

        def days(**query: str) -> list[tuple[str, int]]:
            found = client.get("/v1/embargo/calendar", params={"program": program, **query}).json()
            return [(one["day"], one["frames"]) for one in found["releases"]]

        every = [("2899-12-31", 1), ("2900-01-02", 2), ("2900-01-03", 1)]
        assert days() == every
        assert days(**{"from": "2900-01-02"}) == every[1:]
        assert days(until="2900-01-02") == every[:2]
        assert days(**{"from": "2900-01-04"}) == []
        assert days(instrument="none of that name") == []
        assert client.get(f"/v1/embargo/calendar?program={program}&limit=2").json()["more"] is True
        assert client.get(f"/v1/embargo/calendar?program={program}&limit=3").json()["more"] is False
        reply = client.get(f"/v1/embargo/calendar.ics?program={program}")
    assert reply.headers["content-type"].startswith("text/calendar")
    assert reply.text.count("SUMMARY:1 frame becomes public") == 2
    assert (
        "DTSTART;VALUE=DATE:29000102\r\nDTEND;VALUE=DATE:29000103\r\nSUMMARY:2 frames become public"
        in reply.text
    )
