"""Configurations as sites send them, and their history."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from armillary.context import Context
from armillary.settings import PhotonRanchSettings
from tests.support.archive import Archive
from tests.support.serving import key_of, serving
from tests.support.sites import a_wema, an_observatory, sent, with_settings

PATHS = ("/mrc/config", "/api/mrc/config/", "http://archive//dev//mrc/config//", "/test/mrc/config")


def good(reply: httpx.Response) -> None:
    """Check what the client checks."""
    metadata = reply.json()["ResponseMetadata"]
    assert reply.status_code == 200, reply.text
    assert list(metadata) == ["RequestId", "HTTPStatusCode", "HTTPHeaders", "RetryAttempts"]
    assert (metadata["HTTPStatusCode"], metadata["HTTPHeaders"], metadata["RetryAttempts"]) == (200, {}, 0)
    assert metadata["RequestId"] == reply.headers["x-request-id"]


async def test_a_configuration_comes_back_below_every_prefix(web: Context) -> None:
    async with serving(web, mode="compat") as client:
        for number, path in enumerate(PATHS):
            config = a_wema(number=number, text="ä \u0000 \U0001f52d", small=1e-05, big=10**300, whole=2.0)
            good(await client.put(path, content=sent(config)))
            for other in PATHS:
                reply = await client.get(other)
                assert reply.headers["content-type"] == "application/json"
                assert reply.text == json.dumps({"site": "mrc", "configuration": config}).replace(
                    json.dumps(config), json.dumps(config, separators=(",", ":"))
                )
        good(await client.put("/mrc1/config", content=sent(an_observatory())))
        every = await client.get("/api/all/config")
        assert every.json() == {"mrc": config, "mrc1": an_observatory()}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"7", 400),
        (b'{"a": NaN}', 400),
        (b'{"a": Infinity}', 400),
        (b'{"a": 1e999}', 400),
        (b"\xff\xfe", 400),
        (b"{}", 400),
        (b'{"a": "' + b"x" * 5_000_001 + b'"}', 413),
    ],
)
async def test_a_bad_body_is_an_object_and_changes_nothing(web: Context, body: bytes, status: int) -> None:
    async with serving(web, mode="compat") as client:
        await client.put("/mrc/config", content=sent(a_wema()))
        for headers in ({}, {"Content-Type": "application/json"}, {"Content-Type": "text/plain"}):
            reply = await client.put("/mrc/config", content=body, headers=headers)
            assert reply.status_code == status
            assert list(reply.json()) == ["error"]
            assert reply.headers["access-control-allow-origin"] == "*"
        assert (await client.get("/mrc/config")).json()["configuration"] == a_wema()
        assert len((await client.get("/v1/mrc/config/versions")).json()["versions"]) == 1


async def test_a_body_of_up_to_5_megabytes_is_taken(web: Context) -> None:
    async with serving(web, mode="compat") as client:
        config = a_wema(long="x" * 4_900_000)
        good(await client.put("/mrc/config", content=sent(config)))
        assert (await client.get("/mrc/config")).json()["configuration"] == config
        good(await client.put("/mrc/config?allow_empty=1", content=b"{}"))
        assert (await client.get("/mrc/config")).json() == {"site": "mrc", "configuration": {}}


async def test_names_and_unknown_sites(web: Context) -> None:
    async with serving(web, mode="compat") as client:
        for path in (
            "/nowhere/config",
            "/a%20b/config",
            f"/{'a' * 33}/config",
            "/%00/config",
            "/events/config",
        ):
            reply = await client.get(path)
            assert (reply.status_code, list(reply.json())) == (404, ["error"]), path
        for site in ("events", "pipe", "image", "api/v1", "nightlog", "a%20b", "a" * 33, "%00"):
            reply = await client.put(f"/{site}/config", content=sent(a_wema()))
            assert (reply.status_code, isinstance(reply.json(), dict)) == (400, True), site
        for method in ("PUT", "DELETE", "POST"):
            reply = await client.request(method, "/api/all/config", content=sent(a_wema()))
            assert (reply.status_code, reply.json()) == (405, {"message": "Method Not Allowed"})
        assert (await client.put("/api/config", content=sent(a_wema()))).status_code == 404
        assert (await client.get("/all/config")).json() == {}


async def test_deleting_is_done_even_if_there_is_nothing(web: Context) -> None:
    async with serving(web, mode="compat") as client:
        good(await client.delete("/mrc/config"))
        await client.put("/mrc/config", content=sent(a_wema()))
        good(await client.delete("/mrc/config"))
        assert (await client.get("/mrc/config")).status_code == 404
        found = (await client.get("/v1/mrc/config/versions")).json()["versions"]
        assert [one["sha256"] is None for one in found] == [False, True]


async def test_history_difference_and_the_way_back(web: Context) -> None:
    async with serving(web, mode="open") as client:
        first = await client.put("/mrc/config", content=sent(a_wema(latitude=95)))
        assert (first.headers["x-armillary-config-version"], first.headers["x-armillary-warnings"]) == (
            "1",
            "1",
        )
        await client.put("/mrc/config", content=sent(a_wema()))
        again = await client.put("/mrc/config", content=sent(a_wema()))
        assert (again.headers["x-armillary-config-version"], again.headers["x-armillary-warnings"]) == (
            "2",
            "0",
        )
        found = (await client.get("/v1/mrc/config/versions")).json()["versions"]
        assert [list(one) for one in found] == [["version", "created_at", "actor", "sha256", "warnings"]] * 2
        assert found[0]["warnings"] == ["latitude: 95 is not from -90 to 90 degrees"]
        whole = (await client.get("/v1/mrc/config/versions/1")).json()
        assert (whole["version"], whole["configuration"]) == (1, a_wema(latitude=95))
        difference = (await client.get("/v1/mrc/config/diff?from=1&to=2")).json()
        change = {"path": "/latitude", "old": 95, "new": a_wema()["latitude"]}
        assert difference == {"from": 1, "to": 2, "changes": [change]}
        back = await client.post("/v1/mrc/config/rollback/1")
        assert (back.json()["version"], back.json()["added"]) == (3, True)
        assert not (await client.post("/v1/mrc/config/rollback/1")).json()["added"]
        assert (await client.get("/mrc/config")).headers["etag"] == back.headers["etag"]
        await client.put("/mrc1/config", content=sent(an_observatory()))
        effective = (await client.get("/v1/mrc1/config/effective")).json()
        assert effective["configuration"]["longitude"] == a_wema()["longitude"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/mrc/config/versions/9",
        "/v1/mrc/config/versions/0",
        "/v1/mrc/config/versions/x",
        "/v1/mrc/config/versions/99999999999",
        "/v1/nowhere/config/versions",
        "/v1/nowhere/config/effective",
        "/v1/%00/config/versions",
        "/v1/a%20b/config/effective",
        "/v1/mrc/config/diff",
        "/v1/mrc/config/diff?from=1&to=9",
        "/v1/mrc/config/diff?from=x&to=1",
        "/v1/mrc/config/versions?what=1",
    ],
)
async def test_questions_about_nothing_are_refused(web: Context, path: str) -> None:
    async with serving(web) as client:
        assert (await client.get(path)).status_code in (400, 404, 422)


async def test_entity_tags_guard_what_somebody_else_changed(web: Context) -> None:
    async with serving(web, mode="compat") as client:
        etag = (await client.put("/mrc/config", content=sent(a_wema()))).headers["etag"]
        assert (await client.get("/mrc/config")).headers["etag"] == etag
        assert (await client.get("/mrc/config", headers={"If-None-Match": etag})).status_code == 304
        mine = {"If-Match": etag}
        good(await client.put("/mrc/config", content=sent(a_wema(latitude=1)), headers=mine))
        for method in ("PUT", "DELETE"):
            reply = await client.request(method, "/mrc/config", content=sent(a_wema()), headers=mine)
            assert (reply.status_code, list(reply.json())) == (412, ["error"])
        assert (await client.get("/mrc/config")).json()["configuration"]["latitude"] == 1


async def test_simultaneous_puts_leave_one_whole_configuration(web: Context) -> None:
    configs = [a_wema(writer=number, parts=[number] * 500) for number in range(32)]
    async with serving(web, mode="compat") as client:
        replies = await asyncio.gather(*(client.put("/mrc/config", content=sent(one)) for one in configs))
        assert {one.status_code for one in replies} == {200}
        stored = (await client.get("/mrc/config")).json()["configuration"]
        assert stored in configs
        found = (await client.get("/v1/mrc/config/versions")).json()["versions"]
        assert [one["version"] for one in found] == list(range(1, 33))


async def test_a_strict_site_refuses_faults_as_an_object(web: Context) -> None:
    strict = with_settings(web, photon_ranch=PhotonRanchSettings(strict_sites=("mrc",)))
    async with serving(strict, mode="compat") as client:
        reply = await client.put("/mrc/config", content=sent(a_wema(latitude=95)))
        assert (reply.status_code, "latitude" in reply.json()["error"]) == (400, True)
        assert (await client.get("/mrc/config")).status_code == 404


async def test_who_may_change_which_site(web: Context, archive: Archive) -> None:
    own = await key_of(archive, "mrc", "config:mrc")
    other = await key_of(archive, "saf", "config:saf", "read")
    body: dict[str, Any] = {"content": sent(a_wema())}
    async with serving(web) as client:
        for path in ("/mrc/config", "/v1/mrc/config/rollback/1"):
            method = "PUT" if path == "/mrc/config" else "POST"
            for headers, status in (({}, 401), ({"X-Api-Key": "no"}, 401), (other, 403)):
                reply = await client.request(method, path, headers=headers, **body)
                assert (reply.status_code, isinstance(reply.json(), dict)) == (status, True)
        assert (await client.delete("/mrc/config", headers=other)).json() == {"message": "Forbidden"}
        good(await client.put("/mrc/config", headers=own, **body))
        secret = own["X-Api-Key"]
        good(await client.put(f"/k/{secret}/api/mrc/config/", content=sent(a_wema(latitude=1))))
        assert (await client.get("/mrc/config")).json()["configuration"]["latitude"] == 1
        assert (await client.post("/v1/mrc/config/rollback/1", headers=own)).status_code == 200
        found = (await client.get("/v1/mrc/config/versions")).json()["versions"]
        assert {one["actor"] for one in found} == {"mrc"}
        good(await client.delete("/mrc/config", headers=own))
    async with serving(web, anonymous_read=False) as client:
        for path in ("/mrc/config", "/all/config", "/v1/mrc/config/versions", "/v1/mrc/config/effective"):
            assert (await client.get(path)).status_code == 401
        assert (await client.get("/v1/mrc/config/versions", headers=other)).status_code == 200
    async with serving(web, mode="compat") as client:
        good(await client.put("/mrc/config", **body))
        assert (await client.post("/v1/mrc/config/rollback/1")).status_code == 401
