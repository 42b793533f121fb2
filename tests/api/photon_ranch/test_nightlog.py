"""The note of a site as clients write it, and the log beneath it."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from armillary.context import Context
from tests.support.archive import Archive
from tests.support.clock import FakeClock
from tests.support.serving import key_of, serving
from tests.support.sites import a_wema, sent

DATA = {
    "site": "mrc",
    "username": "Ann",
    "userid": "auth0|1",
    "message": "clouds",
    "ttl_hours": 0.5,
    "selected_image": {"a": 1},
}


def body(data: Any) -> bytes:
    return json.dumps({"note_data": data}).encode()


async def log(client: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    reply = await client.get("/v1/nightlog/mrc", params=query)
    assert reply.status_code == 200, reply.text
    found: list[dict[str, Any]] = reply.json()["entries"]
    return found


async def test_the_life_of_a_note(web: Context) -> None:
    clock = FakeClock(datetime(2026, 1, 1, 12, tzinfo=UTC))
    async with serving(dataclasses.replace(web, clock=clock), mode="open") as client:
        empty = await client.get("/api/nightlog/mrc/")
        assert (empty.status_code, empty.content) == (204, b"")
        created = await client.post("http://archive//nightlog/mrc/", content=body(DATA))
        assert (created.status_code, created.text) == (200, "Note created successfully")
        found = await client.get("/dev/nightlog/mrc")
        assert found.json() == {
            "site": "mrc",
            "created_timestamp": 1767268800,
            "ttl_timestamp_seconds": 1767270600,
            "note_data": DATA,
        }
        clock.advance(1799)
        assert (await client.get("/nightlog/mrc")).status_code == 200
        clock.advance(1)
        assert (await client.get("/nightlog/mrc")).status_code == 204
        await client.post("/nightlog/mrc", content=body("just text"), headers={"Content-Type": "text/plain"})
        note = (await client.get("/nightlog/mrc")).json()
        assert note["note_data"] == {"message": "just text"}
        assert note["ttl_timestamp_seconds"] - note["created_timestamp"] == 48 * 3600
        for _ in range(2):
            gone = await client.delete("/nightlog/mrc")
            assert (gone.status_code, gone.content) == (204, b"")
        assert (await client.get("/nightlog/mrc")).status_code == 204
        # Neither its end nor its deletion is told to the log.
        assert [one["text"] for one in await log(client)] == ["just text", "clouds"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"note_data": null}',
        b'{"note_data": 5}',
        b'{"note_data": []}',
        b'{"note_data": {"ttl_hours": NaN}}',
        b'{"note_data": {"ttl_hours": 0}}',
        b'{"note_data": {"ttl_hours": "x"}}',
        b'{"note_data": {"ttl_hours": null}}',
        b'{"note_data": {"ttl_hours": -0.1}}',
        b'{"note_data": {"message": "\\u0000"}}',
        b'{"note_data": {"message": "\\ud800"}}',
        b'{"note_data": {"message": "' + b"x" * 300_000 + b'"}}',
    ],
)
async def test_what_is_no_note_is_refused_by_a_text(web: Context, content: bytes) -> None:
    async with serving(web, mode="open") as client:
        reply = await client.post("/nightlog/mrc", content=content)
        assert (reply.status_code, reply.text[:1].isalpha()) == (400, True)
        assert (await client.get("/nightlog/mrc")).status_code == 204
        assert await log(client) == []
        for method, path in (
            ("GET", "/nightlog/a%20b"),
            ("POST", "/nightlog/%00"),
            ("DELETE", "/nightlog/..%2f"),
        ):
            reply = await client.request(method, path, content=body(DATA))
            assert reply.status_code in (400, 404), path


@pytest.mark.parametrize("mode", ["compat", "enforced"])
async def test_notes_are_from_those_who_are_known(web: Context, archive: Archive, mode: str) -> None:
    own = await key_of(archive, "keeper", "note:mrc")
    other = await key_of(archive, "saf", "note:saf")
    async with serving(web, mode=mode) as client:
        for method in ("POST", "DELETE"):
            reply = await client.request(method, "/nightlog/mrc", content=body(DATA))
            assert (reply.status_code, reply.json()) == (401, {"message": "Unauthorized"})
            reply = await client.request(method, "/nightlog/mrc", content=body(DATA), headers=other)
            assert (reply.status_code, reply.json()) == (403, {"message": "Forbidden"})
        assert (await client.post("/nightlog/mrc", content=body(DATA), headers=own)).status_code == 200
        assert (await client.get("/nightlog/mrc")).json()["note_data"] == DATA
        (entry,) = await log(client)
        assert (entry["author"], entry["verified"], entry["text"]) == ("keeper", True, "clouds")
        assert (await client.post("/v1/nightlog/mrc", json={"text": "x"})).status_code == 401
        assert (await client.post("/v1/nightlog/mrc", json={"text": "x"}, headers=other)).status_code == 403
        assert (await client.delete("/nightlog/mrc", headers=own)).status_code == 204
    async with serving(web, anonymous_read=False) as client:
        for path in ("/nightlog/mrc", "/v1/nightlog/mrc", "/v1/nightlog/mrc/export"):
            assert (await client.get(path)).status_code == 401


async def test_entries_corrections_and_search(web: Context, archive: Archive) -> None:
    own = await key_of(archive, "keeper", "note:mrc")
    clock = FakeClock(datetime(2026, 1, 2, 5, tzinfo=UTC))
    async with serving(dataclasses.replace(web, clock=clock), mode="compat") as client:
        await client.put("/mrc/config", content=sent(a_wema()))
        first = await client.post("/v1/nightlog/mrc", json={"text": "wind 5"}, headers=own)
        assert first.status_code == 201
        number = first.json()["id"]
        assert first.json() == {
            "id": number,
            "site": "mrc",
            "night": "2026-01-01",
            "created_at": "2026-01-02T05:00:00Z",
            "author": "keeper",
            "verified": True,
            "text": "wind 5",
            "corrects": None,
        }
        clock.advance(86_400)
        correction = {"text": "Wind 15", "corrects": number}
        second = await client.post("/v1/nightlog/mrc", json=correction, headers=own)
        assert second.json()["corrects"] == number
        assert await log(client) == [second.json(), first.json()]
        assert await log(client, night="2026-01-01") == [first.json()]
        assert await log(client, **{"from": "2026-01-02T05:00:01"}) == [second.json()]
        assert await log(client, to="2026-01-03T05:00:00Z") == [first.json()]
        assert await log(client, q="WIND 1") == [second.json()]
        page = (await client.get("/v1/nightlog/mrc?limit=1")).json()
        assert page["entries"] == [second.json()]
        rest = (await client.get(f"/v1/nightlog/mrc?cursor={page['cursor']}")).json()
        assert rest == {"entries": [first.json()], "cursor": None}
        lines = (await client.get("/v1/nightlog/mrc/export")).text.splitlines()
        assert [json.loads(one) for one in lines] == [first.json(), second.json()]
        text = (await client.get("/v1/nightlog/mrc/export?format=text&q=15")).text
        assert text == (
            f"2026-01-02  [{second.json()['id']}]  2026-01-03T05:00:00Z  keeper  corrects {number}\n    Wind 15\n"
        )


@pytest.mark.parametrize(
    "query",
    [
        "night=yesterday",
        "night=2026-02-30",
        "from=x",
        "to=0001-01-01T00:00:00%2B14:00",
        "q=%00",
        "cursor=x",
        "cursor=99999999999999999999",
        "limit=0",
        "limit=1001",
        "who=ann",
    ],
)
async def test_questions_that_make_no_sense_are_refused(web: Context, query: str) -> None:
    async with serving(web) as client:
        assert (await client.get(f"/v1/nightlog/mrc?{query}")).status_code in (400, 422)
        if not query.startswith(("cursor", "limit")):
            assert (await client.get(f"/v1/nightlog/mrc/export?{query}")).status_code in (400, 422)


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"text": ""},
        {"text": " "},
        {"text": 5},
        {"text": "a\x00"},
        {"text": "x" * 262_145},
        {"text": "ä" * 200_000},
        {"text": "x", "corrects": 4711},
        {"text": "x", "corrects": 0},
        {"text": "x", "corrects": 1 << 70},
        {"text": "x", "author": "somebody else"},
        [],
    ],
)
async def test_what_is_no_entry_is_refused(web: Context, entry: Any) -> None:
    async with serving(web, mode="open") as client:
        reply = await client.post("/v1/nightlog/mrc", json=entry)
        assert reply.status_code in (400, 422), reply.text
        assert await log(client) == []
        assert (await client.post("/v1/nightlog/a b", json={"text": "x"})).status_code == 400
