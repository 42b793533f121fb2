"""Clients that read a little and pause, or stop reading, over real sockets, while files change."""

from __future__ import annotations

import base64
import bz2
import contextlib
import gzip
import hashlib
import http.client
import io
import socket
import tarfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import pytest

from armillary.access.models import Scope
from tests.api.conftest import Maker, a_file, server
from tests.support.night import gemini_file, write_as
from tests.support.patience import in_time
from tests.support.running import PATIENCE_S, Running, running
from tests.support.web_process import descriptors, resident_mb, web_process

__all__ = ["a_file", "server"]

KB = 5_000
POOLED = 10
"""Connections to the database that a process may keep."""
SIP = 1 << 13
LITTLE = socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14
UNPACK: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".bz2": bz2.decompress, ".gz": gzip.decompress}


class Reader:
    """A client that reads no faster than it is told, through a socket that holds little."""

    def __init__(self, server: Running, path: str, **headers: str) -> None:
        address = httpx.URL(server.url)
        self.socket = socket.socket()
        # Before the connection is made: afterwards the window has been promised.
        self.socket.setsockopt(*LITTLE)
        self.socket.settimeout(60)
        self.socket.connect((address.host, address.port or 80))
        shown = {"Host": "archive", "X-Api-Key": server.secret(Scope.READ), **headers}
        lines = [f"GET {path} HTTP/1.1", *(f"{key}: {value}" for key, value in shown.items()), "", ""]
        self.socket.sendall("\r\n".join(lines).encode())
        self.reply = http.client.HTTPResponse(self.socket)
        self.reply.begin()
        self.received = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.reply.close()
        self.socket.close()

    def sip(self) -> None:
        """Read a few kilobytes."""
        self.received += self.reply.read(SIP)

    def finish(self) -> bytes:
        """Read the rest and return everything."""
        while piece := self.reply.read(1 << 16):
            self.received += piece
        return bytes(self.received)


def digest_of(reply: http.client.HTTPResponse) -> dict[str, str]:
    """Return the members of Repr-Digest, in hexadecimal."""
    members = (one.strip().partition("=") for one in (reply.headers["Repr-Digest"] or "").split(","))
    return {name: base64.b64decode(value.strip(":")).hex() for name, _, value in members if name}


def fetched(server: Running, path: str) -> httpx.Response:
    """Fetch something at once."""
    with server.client(scope=Scope.READ) as client:
        return client.get(path)


EDITS = (
    {"qa_state": "Fail"},
    {"generic": {f"GROW{n}": n for n in range(100)}},
    {"generic": {f"MORE{n}": "x" * 900 for n in range(20)}, "release": "2020-02-02"},
)


@pytest.mark.parametrize(
    ("container", "copy"),
    [("", True), ("", False), (".bz2", True), (".gz", False)],
    ids=["plain, in place", "plain, by copy", "bz2, in place", "gz, by copy"],
)
def test_whoever_sips_while_a_file_is_edited_gets_one_version(
    server: Running, a_file: Maker, container: str, copy: bool
) -> None:
    name = a_file(container=container, copy=copy, kb=KB)
    forms = [f"/file/{name}", f"/file/{name}.bz2", f"/file/{name}{container}", f"/download/filename={name}"]
    before = {path: fetched(server, path) for path in forms[:3]}
    plain = before[forms[0]].content
    part = {"Range": f"bytes=2000-{len(plain) - 100}"}
    with ExitStack() as stack:
        readers = [stack.enter_context(Reader(server, path)) for path in forms]
        ranged = stack.enter_context(Reader(server, forms[0], **part))
        for values in EDITS:
            for one in (*readers, ranged):
                one.sip()
            assert server.edit(name, values)["changed"] is True
        assert fetched(server, forms[0]).headers["ETag"] != before[forms[0]].headers["ETag"]
        for path, one in zip(forms[:3], readers, strict=False):
            content = one.finish()
            assert one.reply.headers["ETag"] == before[path].headers["ETag"], path
            if path == f"/file/{name}.bz2" and container != ".bz2":
                # Compressed on the way: how long it is, and its digest, are known at its end only.
                assert one.reply.headers["Content-Length"] is None
                assert bz2.decompress(content) == plain
            else:
                assert len(content) == int(one.reply.headers["Content-Length"])
                known = digest_of(one.reply)
                assert known["md5"] == hashlib.md5(content).hexdigest()
                assert known["sha-256"] == hashlib.sha256(content).hexdigest()
                assert content == before[path].content
        assert ranged.finish() == plain[2000 : len(plain) - 99]
        assert ranged.reply.status == 206
        assert int(ranged.reply.headers["Content-Length"]) == len(ranged.received)
        assert digest_of(ranged.reply)["md5"] == hashlib.md5(plain).hexdigest()
        assert_one_version(readers[3].finish(), UNPACK[container], plain)


def assert_one_version(tar: bytes, unpack: Callable[[bytes], bytes], plain: bytes) -> None:
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        first, sums, _readme = (
            (one.name, opened.extractfile(one).read())  # type: ignore[union-attr]
            for one in opened.getmembers()
        )
    assert unpack(first[1]) == plain
    assert sums[1].decode() == f"{hashlib.md5(first[1]).hexdigest()}  {first[0]}\n"


def open_files(process: Path) -> int:
    """Return how many FITS files a process holds open; connections come and go by themselves."""
    held = 0
    for descriptor in (process / "fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            held += ".fits" in str(descriptor.readlink())
    return held


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that has to come, however busy the machine."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        in_time(deadline, what)
        time.sleep(0.02)


def test_clients_that_stop_reading_hold_nobody_up_and_leave_nothing(server: Running, a_file: Maker) -> None:
    """There are more of them than connections to the database, and they stop in every kind of answer."""
    name = a_file(container=".bz2", copy=True, kb=KB)
    other = a_file(kb=KB)
    process = web_process(server)
    fetched(server, f"/file/{name}")
    files, memory = descriptors(process), resident_mb(process)
    paths = [f"/file/{name}", f"/file/{name}.bz2", f"/file/{other}.bz2", f"/download/filename={name}"]
    with ExitStack() as stack:
        readers = [stack.enter_context(Reader(server, path)) for path in paths for _ in range(8)]
        for one in readers:
            one.sip()
        assert descriptors(process) >= files + len(readers)
        for values in EDITS:
            for edited in (name, other):
                assert server.edit(edited, values)["state"] == "completed"
        assert fetched(server, f"/v1/frames?name={name}").json()["frames"][0]["qa_state"] == "Fail"
        assert len(fetched(server, f"/file/{name}").content) > KB * 1024
        # What waits for a client is a few pieces of a file, never the file.
        assert resident_mb(process) - memory < 6 * len(readers)
    until(lambda: descriptors(process) <= files + POOLED, "descriptors are left open")


def seen_reading(server: Running, path: str, process: Path) -> Reader:
    """Return a client that has begun to read, seen while the server held the file open for it.

    On a busy machine one may be dropped before anybody has looked; then another one comes.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        with contextlib.ExitStack() as unseen, contextlib.suppress(OSError, http.client.HTTPException):
            one = unseen.enter_context(Reader(server, path))
            one.sip()
            if open_files(process) == 1:
                unseen.pop_all()
                return one
        in_time(deadline, "no client was seen to hold the file")


def test_a_client_that_never_reads_on_is_dropped(tmp_path: Path) -> None:
    path = write_as(tmp_path / "N20260110S0001.fits", gemini_file(kb=KB))
    with running(tmp_path / "data", ARMILLARY_LIMITS__STALL_S="3") as server:
        server.ingest(path)
        process = web_process(server)
        with seen_reading(server, f"/file/{path.name}", process) as one:
            until(lambda: open_files(process) == 0, "the client still holds a file")
            with pytest.raises((ConnectionError, http.client.IncompleteRead)):
                one.finish()
            assert len(one.received) < path.stat().st_size
