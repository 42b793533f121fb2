"""The bytes of `POST /update_headers`: transport, authentication, whole requests that are refused."""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from armillary.access.models import Scope
from tests.api.conftest import Maker
from tests.support.running import ANSWER_S, COOKIE, Running
from tests.support.web_process import web_process

NO_COOKIE = (
    b'{ "error": "This resource can only be accessed by providing a valid magic cookie, '
    b'which this request did not." }'
)
NO_FILE = "No present file found for filename or datalabel"
ABSENT = [{"filename": "absent.fits", "values": {}}]


def raw(
    server: Running, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body as they come over the socket."""
    connection = http.client.HTTPConnection(httpx.URL(server.url).netloc.decode(), timeout=ANSWER_S)
    try:
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        return reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read()
    finally:
        connection.close()


def assert_dialect(headers: dict[str, str]) -> None:
    assert headers["cache-control"] == "no-cache"
    assert headers["expired"] == "-1"
    assert headers["content-type"] == "application/json"


def refusal(reply: httpx.Response, status: int) -> str:
    """Return the reason of a refused request, after a look at its form."""
    assert reply.status_code == status, reply.text
    assert_dialect(dict(reply.headers))
    assert "armillary-request" not in reply.headers
    (element,) = reply.json()
    assert list(element) == ["result", "error"]
    assert element["result"] is False
    assert reply.content == json.dumps(reply.json()).encode()
    return str(element["error"])


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/update_headers", "/update_headers/"])
def test_other_methods_are_not_allowed_whoever_asks(server: Running, method: str, path: str) -> None:
    status, headers, body = raw(server, method, path)
    assert (status, body) == (405, f"method not allowed: /update_headers, {method}".encode())
    assert headers["content-type"].split(";")[0] == "text/html"
    assert headers["allow"] == "POST"
    assert (headers["cache-control"], headers["expired"]) == ("no-cache", "-1")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Cookie": f"{COOKIE}="},
        {"Cookie": f"{COOKIE}=wrong"},
        {"Cookie": "gemini_fits_upload_auth=wrong; session=x"},
        {"X-Api-Key": "x" * 5000},
        {"Authorization": "Basic dXNlcjpwYXNz"},
    ],
)
def test_without_a_valid_cookie_the_body_is_the_magic_words(server: Running, headers: dict[str, str]) -> None:
    status, answered, body = raw(server, "POST", "/update_headers", b"not even JSON", **headers)
    assert (status, body) == (403, NO_COOKIE)
    assert_dialect(answered)


@pytest.mark.parametrize("scope", [Scope.READ, Scope.UPLOAD, Scope.SITE, Scope.PIPE])
def test_a_token_for_something_else_does_not_edit(server: Running, scope: Scope) -> None:
    cookie = {"Cookie": f"{COOKIE}={server.secret(scope)}"}
    assert raw(server, "POST", "/update_headers", b"[]", **cookie)[::2] == (403, NO_COOKIE)
    assert raw(server, "GET", "/update_headers/x", **cookie)[::2] == (403, NO_COOKIE)


def test_the_secret_of_any_valid_token_works_in_every_coat(server: Running) -> None:
    edit, other, read = server.secret(Scope.EDIT), server.secret(Scope.ADMIN), server.secret(Scope.READ)
    coats: list[dict[str, str]] = [
        {"Cookie": f"{COOKIE}={edit}"},
        {"Cookie": f"{COOKIE}={other}"},
        {"Authorization": f"Bearer {edit}"},
        {"authorization": f"bearer  {edit} "},
        {"X-Api-Key": edit},
        {"X-Api-Key": read, "Cookie": f"{COOKIE}={edit}"},
    ]
    for coat in coats:
        assert raw(server, "POST", "/update_headers", b"[]", **coat)[::2] == (200, b"[]"), coat


@pytest.mark.parametrize("path", ["/update_headers", "/update_headers/"])
@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "image/jpeg; q=x"])
def test_any_content_type_and_one_trailing_slash_are_taken(server: Running, path: str, kind: str) -> None:
    headers = {"Cookie": f"{COOKIE}={server.secret(Scope.EDIT)}"} | ({"Content-Type": kind} if kind else {})
    status, answered, body = raw(server, "POST", path, json.dumps(ABSENT).encode(), **headers)
    assert (status, json.loads(body)[0]["error"]) == (200, NO_FILE)
    assert_dialect(answered)


def test_two_trailing_slashes_are_another_address(server: Running) -> None:
    cookie = {"Cookie": f"{COOKIE}={server.secret(Scope.EDIT)}"}
    assert raw(server, "POST", "/update_headers//", b"[]", **cookie)[0] in (404, 405)


def test_an_empty_list_is_answered_by_an_empty_list(server: Running) -> None:
    for request in ([], {"request": []}, {"request": [], "batch": True}):
        reply = server.post(request)
        assert (reply.status_code, reply.content) == (200, b"[]")
        assert_dialect(dict(reply.headers))
        assert "armillary-request" not in reply.headers


def test_a_chunked_body_is_read(server: Running, a_file: Maker) -> None:
    name = a_file()
    text = json.dumps([{"filename": name, "values": {}}])

    def pieces() -> Iterator[bytes]:
        for character in text:
            yield character.encode()

    with server.client(scope=Scope.EDIT) as client:
        reply = client.post("/update_headers", content=pieces())
    assert reply.request.headers["transfer-encoding"] == "chunked"
    assert reply.content == json.dumps([{"result": True, "id": name}]).encode()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the request has no body; send JSON"),
        (b" \n", "the request has no body; send JSON"),
        (b"{", "the body is not valid JSON"),
        (b"[{},]", "the body is not valid JSON"),
        (b"{'request': []}", "the body is not valid JSON"),
        (b"\xff\xfe[]", "the body is not UTF-8"),
        (b"\xef\xbb\xbf[]", "the body is not valid JSON"),
        (b"[" * 100_000, "the JSON is nested too deeply"),
        (b"null", "the request should be a list of items"),
        (b"5", "the request should be a list of items"),
        (b"1e999", "the request should be a list of items"),
        (b'"x"', "the request should be a list of items"),
        (b"NaN", "the request should be a list of items"),
        (b"{}", "the object has no list named request"),
        (b'{"requests": []}', "the object has no list named request"),
        (b'{"request": {}}', "request should be a list of items"),
        (b'{"request": null}', "request should be a list of items"),
        (b"[null]", "item 0 is not an object"),
        (b"[[]]", "item 0 is not an object"),
        (b'{"request": ["x"]}', "item 0 is not an object"),
        (b'[{"filename": 5, "values": {}}]', "filename of item 0 is not a string"),
        (b'[{"filename": null, "values": {}}]', "filename of item 0 is not a string"),
        (b'[{"data_label": ["x"], "values": {}}]', "data_label of item 0 is not a string"),
        (b'[{"filename": "a", "data_label": 5}]', "data_label of item 0 is not a string"),
    ],
)
def test_a_malformed_request_is_refused_as_a_whole(server: Running, body: bytes, reason: str) -> None:
    assert refusal(server.post(body), 400).startswith(reason)


def test_good_items_before_a_malformed_one_are_not_queued(server: Running, a_file: Maker) -> None:
    name = a_file()
    before = server.sql("SELECT count(*) FROM work_order WHERE kind = 'update_headers'")
    good = {"filename": name, "values": {"qa_state": "Fail"}}
    assert refusal(server.post([good, good, "x"]), 400) == "item 2 is not an object"
    many = {"filename": name, "values": {"generic": {f"K{n}": n for n in range(501)}}}
    assert "item 1 has 501 cards" in refusal(server.post([good, many]), 413)
    assert server.sql("SELECT count(*) FROM work_order WHERE kind = 'update_headers'") == before


def test_limits_are_told_with_413(server: Running) -> None:
    item = {"filename": "absent.fits", "values": {}}
    assert "10001 items" in refusal(server.post([item] * 10_001), 413)
    site = {"filename": "absent.fits", "values": {"raw_site": ["iq20"] * 500, "release": "2026-01-01"}}
    assert "501 cards" in refusal(server.post([site]), 413)
    assert "over the limit" in refusal(server.post(b" " * (8 * 1024 * 1024 + 1)), 413)

    def pieces() -> Iterator[bytes]:
        for _ in range(9):
            yield b" " * (1024 * 1024)

    with server.client(scope=Scope.EDIT) as client:
        assert "over the limit" in refusal(client.post("/update_headers", content=pieces()), 413)


def test_exactly_the_limits_are_taken(server: Running, a_file: Maker) -> None:
    name = a_file()
    reply = server.post([{"filename": "absent.fits", "values": {}}] * 10_000)
    assert reply.json() == [{"result": False, "error": NO_FILE, "id": "absent.fits"}] * 10_000
    item = server.edit(name, {"generic": {f"K{n}": n for n in range(500)}})
    assert (item["state"], len(item["changes"])) == ("completed", 500)
    text = json.dumps([{"filename": "absent.fits", "values": {}}]).encode()
    assert server.post(text.ljust(8 * 1024 * 1024)).status_code == 200


def busy_s(process: Path) -> float:
    """Return the seconds for which a process has had a processor."""
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_ten_thousand_items_of_one_file_are_accepted_within_seconds(server: Running, a_file: Maker) -> None:
    name = a_file(K=0)
    with server.held(name):
        request = [
            {"filename": name, "values": {"generic": {"K": n}}, "reject_new": True} for n in range(10_000)
        ]
        process = web_process(server)
        before_s = busy_s(process)
        reply = server.post(request)
        assert reply.json() == [{"result": True, "id": name}] * 10_000
        # Its own time, which others on the machine do not lengthen; the database has 20 s for each statement.
        assert busy_s(process) - before_s < 20
        document = server.status(reply, wait=0)
        assert [item["state"] for item in document["items"]] == ["queued"] * 10_000
        server.sql("DELETE FROM work_order WHERE kind = 'update_headers' AND state = 'Queued'")


def test_the_reply_has_the_byte_form_of_json_dumps(server: Running, a_file: Maker) -> None:
    name = a_file()
    odd = 'Ä\u2028"\\\t\x00\ud800\U0001f52d/.fits'
    request = [{"filename": name, "values": {}}, {"filename": odd, "values": {}}, {"values": {}}]
    reply = server.post(request)
    assert reply.content == (
        b'[{"result": true, "id": "' + name.encode() + b'"}, '
        b'{"result": false, "error": "No present file found for filename or datalabel", '
        b'"id": "\\u00c4\\u2028\\"\\\\\\t\\u0000\\ud800\\ud83d\\udd2d/.fits"}, '
        b'{"result": false, "error": "No filename or data_label given"}]'
    )
    document = server.status(reply)
    assert [item["id"] for item in document["items"]] == [name, odd, None]
    with server.client(scope=Scope.EDIT) as client:
        answer = client.get(reply.headers["Location"])
    assert answer.content == json.dumps(answer.json()).encode()
    assert_dialect(dict(answer.headers))


def test_a_client_that_goes_away_in_its_body_leaves_nothing(server: Running) -> None:
    before = server.sql("SELECT count(*) FROM update_request")
    address = httpx.URL(server.url)
    with socket.create_connection((address.host, address.port or 80)) as one:
        one.sendall(
            b"POST /update_headers HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
            b"Cookie: " + f"{COOKIE}={server.secret(Scope.EDIT)}".encode() + b"\r\n\r\n["
        )
    assert server.post([]).content == b"[]"
    assert server.sql("SELECT count(*) FROM update_request") == before


def test_no_spelling_of_a_body_is_an_error_of_ours(server: Running) -> None:
    spellings = [
        f'[{{"filename": "x", "values": {{"generic": {{"A": {value}}}}}}}]'
        for value in ("NaN", "-Infinity", "1e400", "9" * 5000, "-" + "9" * 5000, '"\\ud800"', '"\\u0000"')
    ] + ['[{"filename": "\\ud800\\u0000", "values": {}}]', '[{"data_label": "\\u0000", "values": {}}]']
    for text in spellings:
        assert [one["error"] for one in server.post(text.encode()).json()] == [NO_FILE], text


def test_deep_nesting_is_an_error_of_the_request_or_the_item(server: Running, a_file: Maker) -> None:
    name = a_file()
    with server.client(scope=Scope.EDIT) as client:
        for depth in (100, 300, 500, 900, 960, 980, 990, 994, 996, 998, 1000, 1100, 5000, 50_000):
            for action in ("qa_state", "raw_site", "release", "generic"):
                body = f'[{{"filename": "{name}", "values": {{"{action}": {"[" * depth}{"]" * depth}}}}}]'
                reply = client.post("/update_headers", content=body.encode())
                assert reply.status_code in (200, 400), (depth, action, reply.text)
                assert reply.json()[0]["result"] is False
