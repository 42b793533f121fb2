"""Who may have pixels, pictures and positions before the release, and how they are told."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from armillary.access.models import Scope
from armillary.access.service import GrantKind
from tests.api.conftest import Maker
from tests.support.patience import in_time
from tests.support.running import PATIENCE_S, Running

TODAY = datetime.now(UTC).date()
SECRET = {"RELEASE": (TODAY + timedelta(days=400)).isoformat()}


def fetch(server: Running, path: str, secret: str = "", *, cookie: bool = False) -> httpx.Response:
    """Fetch a path with a token, or as anybody."""
    headers = (
        {"Cookie": f"gemini_fits_authorization={secret}"} if cookie else {"Authorization": f"Bearer {secret}"}
    )
    with server.client(headers=headers if secret else {}) as client:
        return client.get(path)


def all_forms(name: str) -> list[str]:
    """Return every address that leads to the pixels of a file."""
    return [f"/file/{name}", f"/file/{name}.bz2", f"/v1/files/{name}/preview", f"/v1/files/{name}/thumbnail"]


def assert_open(server: Running, name: str, reason: str, secret: str = "", **options: Any) -> None:
    for path in all_forms(name):
        reply = fetch(server, path, secret, **options)
        assert reply.status_code == 200, (path, reply.text)
    assert fetch(server, f"/file/{name}", secret, **options).headers["Armillary-Reason"] == reason


def assert_hidden(server: Running, name: str, secret: str = "") -> None:
    for path in all_forms(name):
        reply = fetch(server, path, secret)
        assert (reply.status_code, reply.json()["code"]) == (403, "file_embargoed"), path
        assert "not public yet" in reply.json()["detail"]


def test_a_released_file_is_open_from_its_day_on(server: Running, a_file: Maker) -> None:
    for day in (TODAY, TODAY - timedelta(days=1)):
        assert_open(server, a_file(RELEASE=day.isoformat()), "released")
    # Midnight may pass while this runs.
    assert_hidden(server, a_file(RELEASE=(TODAY + timedelta(days=2)).isoformat()))


@pytest.mark.parametrize("release", [None, "", "soon", "2020-02-30"])
def test_a_file_without_a_release_date_is_never_public(
    server: Running, a_file: Maker, release: str | None
) -> None:
    assert_hidden(server, a_file(RELEASE=release))


def test_tokens_that_read_everything_open_it(server: Running, a_file: Maker) -> None:
    name = a_file(**SECRET)
    assert_open(server, name, "magic", server.secret(Scope.READ))
    assert_open(server, name, "magic", server.secret(Scope.READ), cookie=True)
    assert_open(server, name, "staff", server.secret(Scope.ADMIN))
    for scope in (Scope.EDIT, Scope.UPLOAD, Scope.SITE, Scope.PIPE):
        assert_hidden(server, name, server.secret(scope))
    assert_hidden(server, name, "wrong")
    for other in ("wrong", server.secret(Scope.EDIT)):
        headers = {"X-Api-Key": other, "Cookie": f"gemini_fits_authorization={server.secret(Scope.READ)}"}
        with server.client(headers=headers) as client:
            assert client.get(f"/file/{name}").status_code == 200


def test_expired_and_revoked_tokens_open_nothing(server: Running, a_file: Maker) -> None:
    name = a_file(**SECRET)
    expired = server.token("expired", Scope.READ, lifetime=timedelta(microseconds=1))
    revoked = server.token("revoked", Scope.READ, Scope.EDIT)
    assert_open(server, name, "magic", revoked)
    server.sql("UPDATE token SET revoked = now() WHERE name = 'revoked'")
    # Another process did it, so the server hears of it in a moment.
    end = time.monotonic() + PATIENCE_S
    with server.client(headers={"X-Api-Key": revoked}) as client:
        while client.get(f"/file/{name}").status_code == 200:
            in_time(end, "the revoked token still opens the file")
    for secret in (expired, revoked):
        assert_hidden(server, name, secret)
        with server.client(headers={"X-Api-Key": secret}) as client:
            assert client.post("/update_headers", json=[]).status_code == 403
            assert client.post("/upload_file/x.fits", content=b"x").status_code == 403


@pytest.mark.parametrize(
    ("kind", "subject", "reason"),
    [
        ("program", "GN-2025B-Q-777", "pi"),
        ("observation", "GN-2025B-Q-777-3", "canhaveit"),
        ("instrument", "GMOS-N", "inst_team"),
        ("file", None, "canhaveit"),
    ],
)
def test_a_grant_opens_what_it_names(
    server: Running, a_file: Maker, kind: GrantKind, subject: str | None, reason: str
) -> None:
    name = a_file(GEMPRGID="GN-2025B-Q-777", OBSID="GN-2025B-Q-777-3", **SECRET)
    grants: Mapping[GrantKind, str] = {kind: subject or name}
    secret = server.token(f"granted {kind}", Scope.PIPE, grants=grants)
    assert_open(server, name, reason, secret)
    stranger = server.token(f"other {kind}", Scope.PIPE, grants={kind: "something else"})
    assert_hidden(server, name, stranger)
    assert frames(server, name, secret)[0]["visible"] is True
    assert frames(server, name, stranger)[0]["visible"] is False
    # Granting twice is granting.
    server.token(f"granted {kind} again", Scope.PIPE, grants=grants)


def test_engineering_data_are_open(server: Running, a_file: Maker) -> None:
    assert_open(server, a_file(GEMPRGID="GN-ENG20260101", OBSID="GN-ENG20260101-1", **SECRET), "eng")


def test_a_change_of_the_release_takes_effect_at_once(server: Running, a_file: Maker) -> None:
    name = a_file(**SECRET)
    assert_hidden(server, name)
    server.edit(name, {"release": "2020-01-01"})
    assert_open(server, name, "released")
    server.edit(name, {"release": "2099-01-01"})
    assert_hidden(server, name)


def frames(server: Running, name: str, secret: str = "", **query: Any) -> list[dict[str, Any]]:
    """Return the frames of a name that a search finds."""
    with server.client(headers={"X-Api-Key": secret} if secret else {}) as client:
        reply = client.get("/v1/frames", params={"name": name, **query})
    assert reply.status_code == 200, reply.text
    return list(reply.json()["frames"])


def test_positions_of_proprietary_frames_are_neither_shown_nor_found(server: Running, a_file: Maker) -> None:
    name = a_file(RA=83.5, DEC=22.5, OBJECT="Hidden", **SECRET)
    server.edit(name, {"generic": {"PROP_MD": True}})
    public = a_file(RA=83.5, DEC=22.5, OBJECT="Hidden", **SECRET)
    read = server.secret(Scope.READ)
    for found in (frames(server, public)[0], frames(server, name, read)[0]):
        assert (found["object"], found["ra_deg"], found["dec_deg"]) == ("Hidden", 83.5, 22.5)
    hidden = frames(server, name)[0]
    assert [hidden[key] for key in ("object", "ra_deg", "dec_deg", "airmass")] == [None] * 4
    questions: list[dict[str, Any]] = [
        {"cone": "83.5,22.5,1"},
        {"object": "Hidden"},
        {"keyword": "RA>83"},
        {"keyword": "OBJECT=Hidden"},
        {"keyword": "RA!=0"},
    ]
    for question in questions:
        assert frames(server, name, **question) == [], question
        assert len(frames(server, public, **question)) == 1, question
        assert len(frames(server, name, read, **question)) == 1, question


def test_absent_files_are_told_from_hidden_ones_for_everybody(server: Running, a_file: Maker) -> None:
    name = a_file(**SECRET)
    for secret in ("", server.secret(Scope.EDIT)):
        assert fetch(server, f"/file/x{name}", secret).json()["code"] == "file_not_found"
        assert_hidden(server, name, secret)


def test_strangers_see_of_a_hidden_file_what_the_page_for_operators_says(
    server: Running, a_file: Maker
) -> None:
    """All but the pixels; with PROP_MD all but pixels and whatever tells the position."""
    plain = a_file(**SECRET, OBJECT="Sirius", RA=101.25, DEC=-16.75)
    closed = a_file(**SECRET, OBJECT="Sirius", RA=101.25, DEC=-16.75)
    server.edit(closed, {"generic": {"PROP_MD": True}})
    for name in (plain, closed):
        assert_hidden(server, name)
        assert fetch(server, f"/v1/files/{name}/content").status_code == 403
        tar = fetch(server, f"/download/filename={name}").content
        assert b"not public yet" in tar
        assert b"SIMPLE  =" not in tar
        (listed,) = fetch(server, f"/jsonfilelist/present/filename={name}").json()
        assert (listed["name"], len(listed["data_md5"])) == (name, 32)
        (summary,) = fetch(server, f"/jsonsummary/present/filename={name}").json()
        assert summary["data_label"]
        assert summary["release"] == SECRET["RELEASE"]
        assert fetch(server, f"/v1/files/{name}/versions").json()["versions"][0]["file_size"] > 0
        told = fetch(server, f"/v1/files/{name}").json()["frame"]
        headers = (f"/fullheader/{name}", f"/v1/files/{name}/headers", f"/v1/files/{name}/diff")
        shown = name == plain
        assert [fetch(server, path).status_code for path in headers] == [200 if shown else 403] * 3
        assert (summary["object"], summary["ra"]) == (("Sirius", 101.25) if shown else (None, None))
        assert (told["object"], told["ra_deg"]) == (("Sirius", 101.25) if shown else (None, None))
        for path in (f"/v1/files/{name}/edits", "/v1/edits", "/v1/orders", "/v1/status"):
            assert fetch(server, path).status_code == 401
    assert plain in fetch(server, "/jsonfilenames/present/object=Sirius").text
    assert closed not in fetch(server, "/jsonfilenames/present/object=Sirius").text
    changed = fetch(server, "/v1/changes?limit=1000").json()["changes"]
    assert {plain, closed} <= {one["name"] for one in changed}
