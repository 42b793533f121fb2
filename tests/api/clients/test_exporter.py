"""The conversations of a server of the old kind that exports to this one, and of the reduction software.

The exporter asks ``/jsonfilelist/present/[path=P/]filename=NAME`` and reads ``data_md5`` and ``pending_ingest`` of
the one element, or learns from an empty list that the file is not there. It posts bzip2 with its cookie: a stored
``.bz2`` with its length, anything else compressed while it is read, in chunks. Filename, size and md5 of the
reply have to be those of the bytes sent, else the file stays in its queue; while ``pending_ingest`` holds it asks
again later. DRAGONS posts plain files through urllib.
"""

from __future__ import annotations

import bz2
import hashlib
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from armillary.access.models import Scope
from tests.api.clients.wire import (
    Reply,
    Wire,
    requests_get,
    requests_post_chunks,
    requests_post_data,
    urllib_post,
)
from tests.support.night import gemini_file
from tests.support.patience import OutOfTime, in_time
from tests.support.running import PATIENCE_S, Running

COOKIE = "gemini_fits_upload_auth"


class Exporter:
    """What the old server does with one file."""

    def __init__(self, server: Running, wire: Wire) -> None:
        self.server, self.wire = server, wire
        self.cookies = {COOKIE: server.secret(Scope.UPLOAD)}

    def look(self, name: str, path: str | None = None) -> dict[str, Any] | None:
        """Return what the destination says of a file, None if it has none."""
        where = "" if path is None else f"path={quote(path, safe='')}/"
        reply = requests_get(self.wire, f"/jsonfilelist/present/{where}filename={name}", self.cookies)
        assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
        assert reply.body == json.dumps(reply.json).encode()
        assert len(reply.json) <= 1
        return reply.json[0] if reply.json else None

    def arrived(self, name: str, path: str | None = None) -> dict[str, Any]:
        """Ask again until the file is there and nothing is pending."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            found = self.look(name, path)
            if found and not found["pending_ingest"]:
                return found
        raise OutOfTime(f"{name} has not arrived: {found}")


@pytest.fixture
def exporter(server: Running) -> Iterator[Exporter]:
    with Wire(server) as wire:
        yield Exporter(server, wire)


def assert_taken(reply: Reply, name: str, path: str, sent: bytes) -> None:
    md5 = hashlib.md5(sent).hexdigest()
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert reply.body == (
        f'[{{"filename": "{name}", "path": "{path}", "size": {len(sent)}, "md5": "{md5}"}}]'.encode()
    )


def compressed(content: bytes) -> list[bytes]:
    """Return a stream as the old server makes it: one piece per megabyte read, empty ones included."""
    compressor = bz2.BZ2Compressor()
    pieces = [compressor.compress(content[at : at + 1_000_000]) for at in range(0, len(content), 1_000_000)]
    return [*pieces, compressor.flush()]


@pytest.mark.parametrize("path", ["", "2026/jan"])
def test_a_file_is_compressed_on_its_way_sent_in_chunks_and_found_again(
    exporter: Exporter, path: str
) -> None:
    name = f"N20260109S{len(path):04d}.fits"
    content = gemini_file(kb=2500, DATALAB=f"GN-EXPORT-{len(path)}")
    pieces = compressed(content)
    assert exporter.look(name, path) is None
    target = f"/upload_file/{path}/{name}.bz2" if path else f"/upload_file/{name}.bz2"
    reply = requests_post_chunks(exporter.wire, f"{target}?batch=old-server", pieces, exporter.cookies)
    assert_taken(reply, f"{name}.bz2", path, b"".join(pieces))
    there = exporter.arrived(name, path)
    assert there["data_md5"] == hashlib.md5(content).hexdigest()
    assert there["file_md5"] == there["md5"] == hashlib.md5(b"".join(pieces)).hexdigest()
    assert (there["filename"], there["path"], there["compressed"]) == (f"{name}.bz2", path, True)
    assert exporter.look(name) == there


def test_a_stored_file_is_sent_with_its_length_and_keeps_its_bytes(
    server: Running, exporter: Exporter
) -> None:
    name = "N20260109S0100.fits"
    stored = bz2.compress(gemini_file(DATALAB="GN-EXPORT-STORED"), 1)
    reply = requests_post_data(exporter.wire, f"/upload_file/{name}.bz2", stored, exporter.cookies)
    assert_taken(reply, f"{name}.bz2", "", stored)
    exporter.arrived(name)
    with server.client(scope=Scope.READ) as client:
        assert client.get(f"/file/{name}.bz2").content == stored


def test_a_file_is_pending_until_its_digests_are_known(server: Running, exporter: Exporter) -> None:
    """What the exporter compares is there as soon as it no longer waits."""
    name = "N20260109S0200.fits"
    first, second = (gemini_file(DATALAB="GN-EXPORT-TWICE", OBJECT=word) for word in ("One", "Two"))
    for content in (first, second):
        stored = bz2.compress(content)
        requests_post_data(exporter.wire, f"/upload_file/{name}.bz2", stored, exporter.cookies)
        deadline = time.monotonic() + PATIENCE_S
        while (found := exporter.look(name)) is None or found["data_md5"] != hashlib.md5(content).hexdigest():
            # Until it is the new file with its digest, it is absent or said to be pending.
            assert found is None or found["pending_ingest"] is True, found
            in_time(deadline)
    server.settle()
    assert exporter.arrived(name)["data_md5"] == hashlib.md5(second).hexdigest()


def test_an_edit_here_shows_as_pending_to_the_exporter_there(server: Running, exporter: Exporter) -> None:
    name = "N20260109S0300.fits"
    stored = bz2.compress(gemini_file(DATALAB="GN-EXPORT-EDITED"))
    requests_post_data(exporter.wire, f"/upload_file/{name}.bz2", stored, exporter.cookies)
    before = exporter.arrived(name)
    with server.held(name):
        server.post([{"filename": name, "values": {"qa_state": "Fail"}}])
        found = exporter.look(name)
        assert found is not None
        assert (found["pending_ingest"], found["data_md5"]) == (True, before["data_md5"])
    server.settle()
    assert exporter.arrived(name)["data_md5"] != before["data_md5"]


def test_an_export_without_the_cookie_is_not_taken(exporter: Exporter) -> None:
    stored = bz2.compress(gemini_file(DATALAB="GN-EXPORT-REFUSED"))
    for cookies in ({}, {COOKIE: "wrong"}, {"gemini_api_authorization": exporter.cookies[COOKIE]}):
        with Wire(exporter.server) as wire:
            reply = requests_post_data(wire, "/upload_file/N20260109S0400.fits.bz2", stored, cookies)
        assert reply.status == 403
    assert exporter.look("N20260109S0400.fits") is None


def test_damaged_bytes_never_become_a_file(server: Running, exporter: Exporter) -> None:
    """The reply tells of the bytes received, as it has to; the file is not there, and nothing is pending."""
    name = "N20260109S0500.fits"
    damaged = bz2.compress(gemini_file(DATALAB="GN-EXPORT-BAD"))[:-20]
    reply = requests_post_data(exporter.wire, f"/upload_file/{name}.bz2", damaged, exporter.cookies)
    assert_taken(reply, f"{name}.bz2", "", damaged)
    server.settle()
    assert exporter.look(name) is None


def test_reduction_software_sends_plain_files_through_urllib(server: Running, exporter: Exporter) -> None:
    name = "N20260109S0600_stack.fits"
    content = gemini_file(DATALAB="GN-EXPORT-STACK")
    cookie = f"Cookie: {COOKIE}={exporter.cookies[COOKIE]}"
    kind = "Content-Type: application/octet-stream"
    reply = urllib_post(server, f"/upload_file/processed_cal/{name}", content, kind, cookie)
    assert_taken(reply, name, "", content)
    there = exporter.arrived(name)
    assert (there["data_md5"], there["path"]) == (hashlib.md5(content).hexdigest(), "")
