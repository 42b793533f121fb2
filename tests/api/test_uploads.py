"""`POST /upload_file`: who may, what is refused, what arrives."""

from __future__ import annotations

import bz2
import hashlib
import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from armillary.access.models import Scope
from armillary.base.work import NewOrder, outcomes, submit, wait_for
from armillary.context import Context
from tests.support.night import gemini_file
from tests.support.patience import in_time
from tests.support.running import PATIENCE_S, WAIT_S, Running


def upload(server: Running, path: str, content: bytes | Iterator[bytes], **headers: str) -> httpx.Response:
    """Send a file with the cookie of the old clients."""
    cookie = {"Cookie": f"gemini_fits_upload_auth={server.secret(Scope.UPLOAD)}"}
    with server.client(headers=cookie | headers) as client:
        return client.post(f"/upload_file/{path}", content=content)


def fetch(server: Running, path: str) -> bytes:
    """Return the bytes of a file."""
    with server.client(scope=Scope.READ) as client:
        return client.get(f"/file/{path}").raise_for_status().content


@pytest.mark.parametrize("path", ["", "2026/jan", "processed_cal"])
def test_an_upload_is_ingested_and_comes_back(server: Running, path: str) -> None:
    name = f"N20260107S{len(path):04d}.fits.bz2"
    content = bz2.compress(gemini_file(DATALAB=f"GN-UPLOAD-{path}"))
    reply = upload(server, f"{path}/{name}" if path else name, content)
    stored = "" if path == "processed_cal" else path
    md5 = hashlib.md5(content).hexdigest()
    assert reply.json() == [{"filename": name, "path": stored, "size": len(content), "md5": md5}]
    assert list(reply.json()[0]) == ["filename", "path", "size", "md5"]
    server.settle()
    assert fetch(server, name) == content
    assert fetch(server, f"{stored}/{name}".strip("/")) == content


def test_a_chunked_upload_is_taken(server: Running) -> None:
    content = gemini_file(DATALAB="GN-CHUNKS")

    def pieces() -> Iterator[bytes]:
        for at in range(0, len(content), 1000):
            yield content[at : at + 1000]

    assert upload(server, "N20260107S0100.fits", pieces()).json()[0]["size"] == len(content)
    server.settle()
    assert fetch(server, "N20260107S0100.fits") == content


@pytest.mark.parametrize("scope", [None, Scope.READ, Scope.EDIT])
def test_only_tokens_for_uploads_upload(server: Running, scope: Scope | None) -> None:
    with server.client(scope=scope) as client:
        reply = client.post("/upload_file/x.fits", content=b"x")
    assert (reply.status_code, reply.json()["code"]) == (403, "magic_cookie_missing")
    assert "WWW-Authenticate" not in reply.headers


@pytest.mark.parametrize(
    "path",
    ["", "/", "%2e%2e/x.fits", "a/%2e%2e/%2e%2e/x.fits", ".hidden.fits", "a//x.fits", "%00.fits", "a%09b.fits",
     "x%5cy.fits", "x" * 300 + ".fits", "y/" * 700 + "x.fits"],
)  # fmt: skip
def test_names_that_lead_elsewhere_are_refused(server: Running, path: str) -> None:
    reply = upload(server, path, b"x")
    assert (reply.status_code, reply.json()["code"]) == (400, "bad_file_name")
    assert upload(server, "x.fits?batch=%00", b"x").status_code == 400


CONTROLS = ["%00", "%01", "%09", "%0a", "%0d%0a", "%1b%5b2J", "%7f"]
"""C0 and DEL."""
UNSEEN = [
    "%c2%80", "%c2%85", "%c2%9b", "%e2%80%a8", "%e2%80%a9", "%e2%80%8e", "%e2%80%ae", "%e2%81%a6", "%d8%9c",
    "%e2%80%8b", "%ef%bb%bf", "%c2%ad",
]  # fmt: skip
"""C1, separators of lines and paragraphs, marks and overrides of direction, what has no width."""
BROKEN = ["%85", "%ff", "%ed%a0%80", "%c0%8a", "%f5%80%80%80"]
"""No UTF-8: a single byte of C1, half a surrogate pair, an overlong line feed, too large."""
TWICE = ["%250a", "%2500", "%250d%250a", "%257f", "%25c2%2585", "%25e2%2580%25ae"]
"""For those who decode once more."""


@pytest.mark.parametrize("hidden", [*CONTROLS, *UNSEEN, *BROKEN, *TWICE])
def test_names_that_hide_control_characters_are_refused(server: Running, hidden: str) -> None:
    for path in (f"N2026{hidden}0101.fits", f"night{hidden}/N20260101S0001.fits", f"x.fits{hidden}"):
        reply = upload(server, path, b"x")
        # No route has a line feed in its path.
        refusal = (
            (404, "not_found") if hidden.endswith("%0a") and "%25" not in hidden else (400, "bad_file_name")
        )
        assert (reply.status_code, reply.json()["code"]) == refusal, path
        # The refusal shows the name so that it cannot do any harm.
        assert all(character.isprintable() for character in reply.text), path
    if hidden in (*CONTROLS, *UNSEEN):
        assert upload(server, f"x.fits?batch=a{hidden}b", b"x").status_code == 400


@pytest.mark.parametrize(
    "name", ["n%C3%BCnter.fits", "%E6%98%9F.fits", "a%20b.fits", "100%25.fits", "a%25zz.fits"]
)
def test_names_in_any_script_are_taken(server: Running, name: str) -> None:
    assert upload(server, name, gemini_file(DATALAB=f"GN-{len(name)}")).status_code == 200


def test_an_upload_that_breaks_off_leaves_nothing(server: Running) -> None:
    address, area = httpx.URL(server.url), server.settings.data / "staging"
    # Uploads of earlier tests that could not be taken in are kept there.
    kept = set(area.glob("*"))
    head = "POST /upload_file/N20260107S0200.fits HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
    with socket.create_connection((address.host, address.port or 80)) as one:
        one.sendall(f"{head}X-Api-Key: {server.secret(Scope.UPLOAD)}\r\n\r\n".encode() + b"x" * 5000)
    query = "SELECT count(*) FROM work_order WHERE kind = 'ingest_upload' AND args->>'filename' = $1"
    assert upload(server, "N20260107S0201.fits", gemini_file(DATALAB="GN-AFTER")).status_code == 200
    server.settle()
    assert server.sql(query, "N20260107S0200.fits") == [(0,)]
    deadline = time.monotonic() + PATIENCE_S
    while left := set(area.glob("*")) - kept:
        in_time(deadline, left)
        time.sleep(0.01)


def test_echo_answers_with_its_argument(server: Running) -> None:
    said = {"nested": [1, 2.5, None, "ü"]}

    async def action(context: Context) -> object:
        async with context.database.begin() as connection:
            ids = await submit(connection, [NewOrder(kind="echo", args={"echo": said})], keyed_fifo=False)
        await wait_for(context.database, context.signals, ids, WAIT_S)
        async with context.database.begin() as connection:
            return (await outcomes(connection, ids))[ids[0]].response

    response = server.act(action)
    assert (response.ok, response.error, response.value) == (True, "", said)  # type: ignore[attr-defined]
