"""The bytes of `GET /file`: whole, in part, under conditions, converted, while edits go on."""

from __future__ import annotations

import base64
import bz2
import concurrent.futures
import gzip
import hashlib
import io
import itertools
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from astropy.io import fits

from armillary.access.models import Scope
from tests.api.conftest import Maker
from tests.support.night import gemini_file, write_as
from tests.support.running import PATIENCE_S, Running

UNPACK: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".bz2": bz2.decompress, ".gz": gzip.decompress}


def get(server: Running, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    """Fetch a path with a token that reads everything."""
    with server.client(scope=Scope.READ) as client:
        return client.request(method, path, headers=headers)


def digests(reply: httpx.Response) -> dict[str, str]:
    """Return the members of Repr-Digest, in hexadecimal."""
    members = (member.strip().partition("=") for member in reply.headers["Repr-Digest"].split(","))
    return {name: base64.b64decode(value.strip(":")).hex() for name, _, value in members}


def as_stored(container: str, content: bytes) -> bytes:
    """Return FITS bytes in a container."""
    return {"": content, ".bz2": bz2.compress(content), ".gz": gzip.compress(content, mtime=0)}[container]


@pytest.mark.parametrize("container", ["", ".bz2", ".gz"])
def test_both_forms_of_a_file_are_served_with_their_digests(
    server: Running, tmp_path: Path, container: str
) -> None:
    content = gemini_file(kb=40, DATALAB=f"GN-DOWNLOAD-{container}")
    name = f"N20260104S{len(container):04d}.fits"
    server.ingest(write_as(tmp_path / f"{name}{container}", content))
    plain = get(server, f"/file/{name}")
    assert plain.content == content
    assert plain.headers["Content-Length"] == str(len(content))
    assert plain.headers["Content-Type"] == "application/fits"
    assert plain.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert digests(plain) == {
        "sha-256": hashlib.sha256(content).hexdigest(),
        "md5": hashlib.md5(content).hexdigest(),
    }
    packed = get(server, f"/file/{name}.bz2")
    assert bz2.decompress(packed.content) == content
    assert packed.headers["Content-Type"] == "application/x-bzip2"
    assert packed.headers["ETag"] != plain.headers["ETag"]
    if container == ".bz2":
        assert packed.content == as_stored(container, content)
        assert digests(packed)["md5"] == hashlib.md5(packed.content).hexdigest()
    else:
        assert packed.headers["ETag"].startswith('W/"')
        assert "Repr-Digest" not in packed.headers
    if container == ".gz":
        stored = get(server, f"/file/{name}.gz")
        assert stored.content == as_stored(container, content)
        assert digests(stored)["sha-256"] == hashlib.sha256(stored.content).hexdigest()


def test_several_bzip2_streams_are_one_file(server: Running, tmp_path: Path) -> None:
    content = gemini_file(kb=40, DATALAB="GN-STREAMS")
    cut = 2880 * 3 + 17
    (tmp_path / "N20260104S0100.fits.bz2").write_bytes(
        bz2.compress(content[:cut]) + bz2.compress(content[cut:])
    )
    server.ingest(tmp_path / "N20260104S0100.fits.bz2")
    assert get(server, "/file/N20260104S0100.fits").content == content
    assert bz2.decompress(get(server, "/file/N20260104S0100.fits.bz2").content) == content
    server.edit("N20260104S0100.fits", {"qa_state": "Fail"})
    edited = get(server, "/file/N20260104S0100.fits.bz2").content
    decoder = bz2.BZ2Decompressor()
    assert decoder.decompress(edited) == get(server, "/file/N20260104S0100.fits").content
    assert (decoder.eof, decoder.unused_data) == (True, b"")


@pytest.mark.parametrize("container", ["", ".bz2", ".gz"])
def test_every_form_of_range_is_answered(server: Running, a_file: Maker, container: str) -> None:
    name = a_file(container=container, kb=8)
    whole = get(server, f"/file/{name}").content
    size = len(whole)
    assert get(server, f"/file/{name}").headers["Accept-Ranges"] == "bytes"
    parts = {
        "bytes=0-0": (0, 1),
        "bytes=5-2884": (5, 2885),
        f"bytes={size - 1}-": (size - 1, size),
        "bytes=100-": (100, size),
        f"bytes=0-{size * 10}": (0, size),
        "bytes=-10": (size - 10, size),
        f"bytes=-{size * 2}": (0, size),
        "bytes = 7 - 9": (7, 10),
    }
    for asked, (start, stop) in parts.items():
        reply = get(server, f"/file/{name}", Range=asked)
        assert reply.status_code == 206, asked
        assert reply.content == whole[start:stop]
        assert reply.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{size}"
        assert reply.headers["Content-Length"] == str(stop - start)
    for asked in (f"bytes={size}-", "bytes=-0", f"bytes={size * 2}-{size * 3}"):
        reply = get(server, f"/file/{name}", Range=asked)
        assert (reply.status_code, reply.headers["Content-Range"]) == (416, f"bytes */{size}")
    for asked in ("bytes=5-3", "lines=0-1", "bytes=a-b", "bytes=-", "bytes=0-1,4-5", "bytes=0x1-2", ""):
        reply = get(server, f"/file/{name}", Range=asked)
        assert (reply.status_code, reply.content) == (200, whole), asked


def test_a_range_holds_only_for_the_version_it_was_meant_for(server: Running, a_file: Maker) -> None:
    name = a_file()
    first = get(server, f"/file/{name}")
    tag, date = first.headers["ETag"], first.headers["Last-Modified"]
    for condition in (tag, date):
        assert get(server, f"/file/{name}", Range="bytes=0-9", **{"If-Range": condition}).status_code == 206
    for condition in ('"other"', f"W/{tag}", "Thu, 01 Jan 1970 00:00:00 GMT", "nonsense"):
        reply = get(server, f"/file/{name}", Range="bytes=0-9", **{"If-Range": condition})
        assert (reply.status_code, reply.content) == (200, first.content), condition
    server.edit(name, {"qa_state": "Fail"})
    reply = get(server, f"/file/{name}", Range="bytes=0-9", **{"If-Range": tag})
    assert reply.status_code == 200
    assert reply.headers["ETag"] != tag


def test_what_the_client_has_already_is_not_sent_again(server: Running, a_file: Maker) -> None:
    name = a_file()
    first = get(server, f"/file/{name}")
    tag, date = first.headers["ETag"], first.headers["Last-Modified"]
    same: list[dict[str, str]] = [
        {"If-None-Match": tag},
        {"If-None-Match": f'"x", W/{tag}'},
        {"If-None-Match": "*"},
        {"If-Modified-Since": date},
        {"If-None-Match": tag, "If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
    ]
    for headers in same:
        for method in ("GET", "HEAD"):
            reply = get(server, f"/file/{name}", method, **headers)
            assert (reply.status_code, reply.content) == (304, b""), headers
            assert reply.headers["ETag"] == tag
    other: list[dict[str, str]] = [
        {"If-None-Match": '"x"'},
        {"If-None-Match": '"x"', "If-Modified-Since": date},
        {"If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"If-Modified-Since": "yesterday"},
        {"If-Modified-Since": "Fri, 99 Zzz 99999 99:99:99 +9999"},
    ]
    for headers in other:
        assert get(server, f"/file/{name}", **headers).status_code == 200, headers


@pytest.mark.parametrize("container", ["", ".bz2", ".gz"])
def test_head_has_the_headers_of_get(server: Running, a_file: Maker, container: str) -> None:
    name = a_file(container=container)
    for asked in (name, f"{name}.bz2"):
        for headers in ({}, {"Range": "bytes=3-5"}):
            head, full = (
                get(server, f"/file/{asked}", "HEAD", **headers),
                get(server, f"/file/{asked}", **headers),
            )
            assert (head.status_code, head.content) == (full.status_code, b"")
            ignored = ("date", "transfer-encoding", "x-request-id")
            assert [h for h in head.headers.items() if h[0] not in ignored] == [
                h for h in full.headers.items() if h[0] not in ignored
            ]


@pytest.mark.parametrize(
    "name", ["has blank.fits", "päth-ü.fits", "a'b&c#d?e%41.fits", 'quo"te\\.fits', "+.fits"]
)
def test_odd_names_are_served(server: Running, tmp_path: Path, name: str) -> None:
    content = gemini_file(DATALAB=name.encode("ascii", "replace").decode().replace("?", "x"))
    (tmp_path / "deep er").mkdir()
    path = write_as(tmp_path / "deep er" / name, content)
    server.ingest(tmp_path)
    address = quote(path.name, safe="")
    reply = get(server, f"/file/{address}")
    assert (reply.status_code, reply.content) == (200, content)
    assert get(server, f"/file/deep%20er/{address}").content == content
    assert get(server, f"/file/else/where/{address}").status_code == 404
    assert reply.headers["Content-Disposition"].count('"') == 2


@pytest.mark.parametrize(
    "name", ["absent.fits", "", "%2e%2e/%2e%2e/etc/passwd", "%00", "%ff.fits", "a/b/c.fits", "x" * 3000]
)
def test_what_is_not_there_is_not_found(server: Running, name: str) -> None:
    for method in ("GET", "HEAD"):
        reply = get(server, f"/file/{name}", method)
        assert reply.status_code == 404, name
    assert get(server, f"/file/{name}").headers["content-type"] == "application/problem+json"


def test_a_name_in_two_places_needs_its_path(server: Running, tmp_path: Path) -> None:
    contents = {}
    for number, folder in enumerate(("one", "two")):
        (tmp_path / "tree" / folder).mkdir(parents=True)
        contents[folder] = gemini_file(DATALAB=f"GN-TREE-{number}")
        write_as(tmp_path / "tree" / folder / "N20260105S0001.fits", contents[folder])
    server.ingest(tmp_path / "tree")
    reply = get(server, "/file/N20260105S0001.fits")
    assert (reply.status_code, reply.json()["code"]) == (400, "file_ambiguous")
    assert get(server, "/file/three/N20260105S0001.fits").status_code == 404
    for folder, content in contents.items():
        assert get(server, f"/file/{folder}/N20260105S0001.fits").content == content


def read_slowly(
    server: Running, path: str, begun: threading.Barrier, proceed: threading.Event
) -> tuple[httpx.Response, bytes]:
    """Download a file, and stop after its first bytes until told to go on."""
    narrow = httpx.HTTPTransport(socket_options=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)])
    with server.client(scope=Scope.READ, transport=narrow) as client, client.stream("GET", path) as reply:
        pieces = reply.iter_raw(1 << 14)
        first = next(pieces)
        begun.wait(PATIENCE_S)
        # It is set in any case, behind edits that are waited for themselves.
        proceed.wait()
        return reply, first + b"".join(pieces)


@pytest.mark.parametrize("container", ["", ".bz2", ".gz"])
@pytest.mark.parametrize("copy", [True, False], ids=["store", "adopted"])
def test_a_slow_reader_gets_one_version(server: Running, a_file: Maker, container: str, copy: bool) -> None:
    # Larger than what sockets hold, so that most of it is read after the edits.
    name = a_file(container=container, copy=copy, kb=4_500)
    before = get(server, f"/file/{name}").content
    edits = [
        {"qa_state": "Fail"},
        {"generic": {f"GROW{n}": n for n in range(100)}},
        {"generic": {f"MORE{n}": "x" * 900 for n in range(20)}},
    ]
    begun, proceed = threading.Barrier(3), threading.Event()
    server.secret(Scope.READ)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        readers = [
            pool.submit(read_slowly, server, f"/file/{name}{end}", begun, proceed) for end in ("", container)
        ]
        try:
            begun.wait(PATIENCE_S)
            for values in edits:
                assert server.edit(name, values)["changed"] is True
        finally:
            proceed.set()
        for reader, unpack in zip(readers, (bytes, UNPACK[container]), strict=True):
            reply, content = reader.result()
            assert len(content) == int(reply.headers["Content-Length"])
            assert unpack(content) == before
            assert digests(reply)["md5"] == hashlib.md5(content).hexdigest()
    after = get(server, f"/file/{name}").content
    assert len(after) > len(before)
    with fits.open(io.BytesIO(before)) as old, fits.open(io.BytesIO(after)) as new:
        assert new[0].header["GROW99"] == 99
        assert (old[1].data == new[1].data).all()


@pytest.mark.parametrize("container", ["", ".bz2"])
def test_readers_beside_edits_see_whole_versions_only(server: Running, a_file: Maker, container: str) -> None:
    name = a_file(container=container, copy=True, COUNT=0)
    stop, seen, news = threading.Event(), set(), threading.Condition()

    def read() -> int:
        with server.client(scope=Scope.READ) as client:
            for number in itertools.count():
                if stop.is_set():
                    return number
                reply = client.get(f"/file/{name}")
                if reply.status_code == 503 and reply.json()["code"] == "being_changed":
                    # What a reader is told whom an edit keeps waiting between bytes and record.
                    continue
                content = reply.raise_for_status().content
                with fits.open(io.BytesIO(content)) as hdus:
                    pair = (hdus[0].header["COUNT"], hdus[0].header.get("TWIN", 0))
                assert pair[0] == pair[1]
                with news:
                    seen.add(pair[0])
                    news.notify()
        raise AssertionError("unreachable")

    server.secret(Scope.READ)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        try:
            for number in range(1, 9):
                server.edit(name, {"generic": {"COUNT": number, "TWIN": number, f"K{number}": "x" * 400}})
                if number % 2:
                    # However slow the readers are, they see some of the versions.
                    with news:
                        assert news.wait_for(lambda wanted=number: wanted in seen, PATIENCE_S)  # type: ignore[misc]
        finally:
            stop.set()
        assert sum(reader.result() for reader in readers) >= 4
    assert seen >= {1, 3, 5, 7}
