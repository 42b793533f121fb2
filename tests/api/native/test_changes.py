"""The feed of changes over HTTP: pages, waiting, streams, and cursors that are none."""

from __future__ import annotations

import itertools
import socket
import threading
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.api.conftest import Maker
from tests.support.events import Event, Reader
from tests.support.running import Running

STREAM = {"Accept": "text/event-stream"}


def page(server: Running, **query: Any) -> dict[str, Any]:
    """Return a page of changes."""
    with server.client() as client:
        reply = client.get("/v1/changes", params=query)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def events(server: Running, number: int, reader: Reader, **query: Any) -> list[Event]:
    """Read so many events of a stream, then hang up."""
    headers = STREAM | ({"Last-Event-ID": reader.last_id} if reader.last_id else {})
    with (
        server.client() as client,
        client.stream("GET", "/v1/changes", params=query, headers=headers) as reply,
    ):
        assert reply.status_code == 200
        assert reply.headers["content-type"].startswith("text/event-stream")
        return list(itertools.islice(reader.events(reply.iter_lines()), number))


def join(server: Running, reader: Reader, **query: Any) -> None:
    """Read the first piece of a stream, which holds an id and no event, and hang up."""
    with (
        server.client() as client,
        client.stream("GET", "/v1/changes", params=query, headers=STREAM) as reply,
    ):
        head = itertools.takewhile(bool, reply.iter_lines())
        assert list(reader.events([*head, ""])) == []
    assert reader.last_id


def test_an_edit_is_told_with_its_number(server: Running, a_file: Maker) -> None:
    name = a_file()
    start = page(server, after="now")
    assert start["changes"] == []
    server.edit(name, {"generic": {"OBJECT": "M31"}})
    server.settle()  # readers see nothing before older transactions have ended
    found = page(server, after=start["cursor"])
    assert [one["kind"] for one in found["changes"]] == ["superseded", "changed"]
    old, new = found["changes"]
    assert {one["name"] for one in found["changes"]} == {name}
    assert (old["present"], old["canonical"], new["present"], new["canonical"]) == (False, False, True, True)
    assert new["previous"] == old["version"]
    assert new["origin"] == "edit"
    ((edit,),) = server.sql("SELECT id FROM edit WHERE version_after = $1", new["version"])
    assert new["edits"] == [edit]
    # Digests of a small file come with the edit, those of others later.
    assert new["data_md5"] == new["file_md5"] is not None
    assert new["entrytime"].endswith("Z")
    assert page(server, after=found["cursor"])["changes"] == []


def test_pages_of_any_size_make_the_same_feed(server: Running, shared_file: str) -> None:
    server.settle()  # what earlier tests left to do is told as well
    whole = page(server, limit=10_000)
    assert len(whole["changes"]) > 1
    assert not whole["more"]
    pieces, cursor, more = [], "", True
    while more:
        one = page(server, after=cursor, limit=3)
        pieces += one["changes"]
        cursor, more = one["cursor"], one["more"]
    assert pieces[: len(whole["changes"])] == whole["changes"]
    assert page(server, after=whole["changes"][0]["cursor"])["changes"][0] == whole["changes"][1]


def test_a_waiting_client_hears_of_a_change_at_once(server: Running, a_file: Maker) -> None:
    name, start = a_file(), page(server, after="now")["cursor"]
    answers: list[dict[str, Any]] = []
    waiting = threading.Thread(target=lambda: answers.append(page(server, after=start, wait=60)))
    waiting.start()
    server.edit(name, {"generic": {"OBJECT": "M31"}})
    waiting.join(40)
    assert not waiting.is_alive()
    assert answers[0]["changes"][0]["name"] == name


def test_a_stream_goes_on_where_it_was_cut(server: Running, a_file: Maker) -> None:
    server.settle()  # what earlier tests left to do is told as well
    reader = Reader()
    server_now = page(server, after="now")["cursor"]
    join(server, reader, after="now")
    name = a_file()
    server.edit(name, {"generic": {"OBJECT": "M31"}})
    server.settle()
    expected = page(server, after=server_now)["changes"]
    assert [one["kind"] for one in expected] == ["added", "superseded", "changed"]
    seen = [one for _ in expected for one in events(server, 1, reader, after="now")]
    assert [one.data for one in seen] == expected
    assert [(one.id, one.kind) for one in seen] == [(one["cursor"], one["kind"]) for one in expected]


def test_a_client_that_has_seen_nothing_yet_misses_nothing(server: Running, a_file: Maker) -> None:
    server.settle()  # what earlier tests left to do is told as well
    reader = Reader()
    join(server, reader, after="now")
    name = a_file()
    assert events(server, 1, reader, after="now")[0].data["name"] == name


@pytest.mark.parametrize("headers", [{}, STREAM])
@pytest.mark.parametrize(
    ("cursor", "status", "code"),
    [
        ("nonsense", 400, "bad_change_cursor"),
        ("%00", 400, "bad_change_cursor"),
        ("MS4xLjE", 410, "change_cursor_gone"),
        ("a" * 201, 422, "invalid_parameter"),
    ],
)
def test_a_cursor_that_is_none_is_refused(
    server: Running, cursor: str, status: int, code: str, headers: dict[str, str]
) -> None:
    with server.client(headers=headers) as client:
        reply = client.get(f"/v1/changes?after={cursor}")
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert reply.headers["content-type"] == "application/problem+json"


def test_a_client_that_stops_reading_holds_neither_connections_nor_memory(
    server: Running, shared_file: str
) -> None:
    address = urlsplit(server.url)
    sleepers = []
    for _ in range(20):
        one = socket.create_connection((address.hostname or "", address.port or 0))
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.sendall(b"GET /v1/changes HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")
        assert one.recv(12) == b"HTTP/1.1 200"
        sleepers.append(one)
    # More streams than the process has connections to the database, and it answers still.
    assert page(server, limit=1)["changes"]
    for one in sleepers:
        one.close()
