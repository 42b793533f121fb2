"""Headers over HTTP: commands, pull by image id, consumers that are away, the annex, reconciling."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from armillary.access.models import Scope
from armillary.context import Context
from armillary.headers import service
from tests.support.beside import Beside, RemoteCamera, serving
from tests.support.exposing import INSTRUMENT, SECOND
from tests.support.running import PATIENCE_S, Running

NIGHT = "20261130"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def beside(server: Running) -> Iterator[Beside]:
    with serving(server), server.client(scope=Scope.OPERATOR) as client:
        one = Beside(server, client, RemoteCamera(f"boot{os.getpid()}"))
        one.enable()
        yield one


@pytest.fixture
def images() -> list[str]:
    """Return ids of images that no other test knows."""
    return [f"AT_O_{NIGHT}_{next(_numbers):06d}" for _ in range(3)]


@pytest.fixture
def consumer(beside: Beside) -> str:
    """Return a consumer that wants what comes from now on."""
    return register(beside, start="latest")


def register(beside: Beside, **wanted: Any) -> str:
    name = f"pixels-{next(_numbers)}"
    reply = beside.client.put(f"/v1/consumers/{name}", json={"instruments": [INSTRUMENT], **wanted})
    assert reply.status_code == 200, reply.text
    return name


def pending(beside: Beside, name: str, **asked: Any) -> dict[str, Any]:
    reply = beside.client.get("/v1/headers", params={"consumer": name, **asked})
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def told(page: dict[str, Any]) -> list[tuple[str, int]]:
    return [(one["image_id"], one["revision"]) for one in page["headers"]]


def acknowledge(beside: Beside, name: str, **taken: Any) -> httpx.Response:
    return beside.client.post(f"/v1/consumers/{name}/ack", json=taken)


def test_commands_lead_from_state_to_state(beside: Beside) -> None:
    try:
        assert beside.command("enable").json()["code"] == "command_refused"
        steps = [
            ("disable", "DISABLED"),
            ("standby", "STANDBY"),
            ("start", "DISABLED"),
            ("enable", "ENABLED"),
        ]
        for name, state in steps:
            reply = beside.command(name)
            assert (reply.status_code, reply.json()["state"]) == (200, state)
            assert beside.client.get(f"/v1/services/{INSTRUMENT}").json()["state"] == state
        refused = beside.command("start")
        assert (refused.status_code, refused.json()["code"]) == (409, "command_refused")
        assert "ENABLED" in refused.json()["detail"]
    finally:
        beside.enable()
    listed = beside.client.get("/v1/services").json()["services"]
    assert [one["alive"] for one in listed if one["instrument"] == INSTRUMENT] == [True]


def test_commands_that_are_none_are_refused(beside: Beside) -> None:
    client, path = beside.client, f"/v1/services/{INSTRUMENT}/commands"
    assert client.post(f"{path}/explode").status_code == 422
    assert client.post("/v1/services/nobody/commands/start").json()["code"] == "unknown_instrument"
    assert client.get("/v1/services/nobody").json()["code"] == "unknown_instrument"
    assert client.post(f"{path}/status", content=b"[1]").json()["code"] == "bad_request"
    assert beside.command("set_log_level", level="LOUD").json()["code"] == "command_refused"
    assert beside.command("rebuild", image_id="AT_O_20200101_000001").json()["code"] == "image_unknown"
    with beside.server.client(scope=Scope.READ) as reader:
        assert reader.get(f"/v1/services/{INSTRUMENT}").status_code == 200
        assert reader.post(f"{path}/disable").status_code == 403
    with beside.server.client() as stranger:
        assert stranger.post(f"{path}/disable").status_code == 401
    assert beside.command("status").json()["state"] == "ENABLED"


def test_a_configuration_that_lint_refuses_is_told_by_line(beside: Beside) -> None:
    settings = beside.server.settings
    path = settings.headers.at(settings.data) / "instruments" / f"{INSTRUMENT}.yaml"
    good = path.read_text()
    path.write_text(good.replace("field: airmass", "field: airmess"))
    try:
        reply = beside.command("reload_config")
    finally:
        path.write_text(good)
    assert (reply.status_code, reply.json()["code"]) == (409, "header_configuration_refused")
    assert f"instruments/{INSTRUMENT}.yaml:" in reply.json()["detail"]
    assert beside.command("reload_config").json()["state"] == "ENABLED"


def test_four_answers_tell_how_it_stands_with_a_header(beside: Beside, images: list[str]) -> None:
    client, (first, *_), camera = beside.client, images, beside.camera
    unknown = client.get(beside.path(first))
    assert (unknown.status_code, unknown.json()["code"]) == (404, "image_unknown")
    assert client.get(f"/v1/headers/nobody/{first}").json()["code"] == "unknown_instrument"
    t = beside.next_t()
    beside.publish(camera.start(first, t, exposure=3600.0))
    opened = beside.until(lambda: _with_status(client, beside.path(first), 202))
    assert opened.json() == {"state": "not_yet"}
    assert int(opened.headers["retry-after"]) > 0
    assert client.get(beside.path(first), params={"rev": 1}).status_code == 202
    beside.publish(camera.readout(first, t + SECOND), camera.end(first, t + SECOND))
    reply = beside.header(first)
    assert (reply.json()["image_id"], reply.json()["revision"]) == (first, 1)
    assert client.get(beside.path(first), params={"rev": 2}).json()["code"] == "unknown_header_revision"
    assert client.get(beside.path(first), params={"product": "x"}).status_code == 404
    assert client.get(beside.path(first), params={"detector": "R99_S99"}).status_code == 404


def _with_status(client: httpx.Client, path: str, status: int) -> httpx.Response | None:
    reply = client.get(path)
    return reply if reply.status_code == status else None


def test_every_form_has_its_media_type_and_one_hash(beside: Beside, images: list[str]) -> None:
    beside.expose(images[0])
    path, client = beside.path(images[0]), beside.client
    media = {
        "fits": "application/fits",
        "json": "application/json",
        "yaml": "application/yaml",
        "correction": "application/yaml",
    }
    replies = {form: client.get(path, params={"format": form}) for form in media}
    assert {form: one.headers["content-type"].partition(";")[0] for form, one in replies.items()} == media
    (etag,) = {one.headers["etag"] for one in replies.values()}
    assert etag == f'"{replies["json"].json()["content_hash"]}"'
    again = client.get(path, headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    accepted = client.get(path, headers={"Accept": "application/fits"})
    assert accepted.content == replies["fits"].content
    assert accepted.content.startswith(b"SIMPLE  =")


def test_a_consumer_is_given_each_header_until_it_takes_it(
    beside: Beside, consumer: str, images: list[str]
) -> None:
    beside.expose(*images)
    wanted = [(image, 1) for image in images]
    page = pending(beside, consumer)
    assert sorted(told(page)) == wanted
    # Whoever loses an announcement is given it again.
    assert pending(beside, consumer) == page
    first, second, third = (one for one in page["headers"])
    items = [{"image_id": second["image_id"], "product": "raw", "revision": 1}]
    assert acknowledge(beside, consumer, items=items).status_code == 200
    assert told(pending(beside, consumer)) == [(one["image_id"], 1) for one in (first, third)]
    assert acknowledge(beside, consumer, cursor=first["cursor"]).status_code == 200
    assert told(pending(beside, consumer, limit=1)) == [(third["image_id"], 1)]
    assert acknowledge(beside, consumer, cursor=third["cursor"]).status_code == 200
    # What was taken is not given back by who acknowledges less.
    assert acknowledge(beside, consumer, cursor=first["cursor"]).status_code == 200
    assert told(pending(beside, consumer)) == []
    (listed,) = [
        one for one in beside.client.get("/v1/consumers").json()["consumers"] if one["name"] == consumer
    ]
    assert listed["pending"] == 0


def test_acknowledgements_that_are_none_are_refused(beside: Beside, consumer: str) -> None:
    assert acknowledge(beside, "nobody", items=[]).json()["code"] == "unknown_header_consumer"
    assert acknowledge(beside, consumer).json()["code"] == "bad_request"
    assert acknowledge(beside, consumer, cursor="x", items=[]).json()["code"] == "bad_request"
    assert acknowledge(beside, consumer, cursor="x").status_code == 400
    assert beside.client.put("/v1/consumers/late", json={"start": "soon"}).status_code == 400
    nothing = [{"image_id": "AT_O_20200101_000009", "product": "raw", "revision": 1}]
    assert acknowledge(beside, consumer, items=nothing).status_code == 200
    assert told(pending(beside, consumer)) == []


def test_who_was_away_gets_each_image_once_and_the_bytes_of_then(
    beside: Beside, consumer: str, images: list[str]
) -> None:
    other = register(beside, start="latest")
    client, camera = beside.client, beside.camera
    beside.expose(*images)
    live = pending(beside, other)
    bodies = {
        one["url"]: client.get(one["url"]).content for each in live["headers"] for one in each["objects"]
    }
    acknowledge(beside, other, cursor=live["cursor"])
    # A late sample of the second image, while one consumer is away.
    late = images[1]
    (moments,) = [
        one["moments"]
        for one in client.get("/v1/exposures", params={"instrument": INSTRUMENT}).json()["exposures"]
        if one["image_id"] == late
    ]
    beside.until(lambda: _settled(beside, late))
    beside.publish(camera.airmass(moments["readout_start"], 1.5))
    beside.header(late, rev=2)
    assert told(pending(beside, other)) == [(late, 2)]
    every = pending(beside, consumer)
    assert sorted(told(every)) == sorted([*((image, 1) for image in images), (late, 2)])
    once = pending(beside, consumer, collapse="latest")
    assert [image for image, _ in told(once)] == list(dict.fromkeys(image for image, _ in told(every)))
    assert dict(told(once)) == {images[0]: 1, late: 2, images[2]: 1}
    for one in (each for header in every["headers"] for each in header["objects"]):
        if one["url"] in bodies and not one["stored"]:
            body = client.get(one["url"]).content
            assert body == bodies[one["url"]]
            assert (len(body), hashlib.sha256(body).hexdigest()) == (one["size"], one["sha256"])
    acknowledge(beside, consumer, cursor=once["cursor"])
    assert told(pending(beside, consumer)) == []
    difference = client.get(f"{beside.path(late)}/diff", params={"from": 1, "to": 2}).json()["changes"]
    assert [(one["key"], one["old"], one["new"]) for one in difference if one["key"] != "DATE"] == [
        ("AMEND", 1.21, 1.5)
    ]


def _settled(beside: Beside, image: str) -> bool:
    query = "SELECT count(*) FROM exposure WHERE image_id = $1 AND due IS NULL"
    return bool(beside.server.sql(query, image)[0][0])


def test_a_request_can_wait_for_a_header(beside: Beside, consumer: str, images: list[str]) -> None:
    beside.publish(*beside.camera.image(images[0], beside.next_t()))
    assert told(pending(beside, consumer, wait=60)) == [(images[0], 1)]


def test_what_was_taken_is_announced_again_on_demand(
    beside: Beside, consumer: str, images: list[str]
) -> None:
    beside.expose(images[0])
    acknowledge(beside, consumer, cursor=pending(beside, consumer)["cursor"])
    later = register(beside, start="latest")
    assert beside.command("reannounce", image_id=images[0]).json()["result"] == {"reannounced": 1}
    (one,) = pending(beside, later)["headers"]
    assert (one["image_id"], one["revision"], one["type"]) == (images[0], 1, "HeaderCreated")
    assert all(each["size"] for each in one["objects"])


class Talk:
    """A consumer on a WebSocket."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    def hear(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._socket.recv(timeout=PATIENCE_S))
        return found

    def say(self, text: str | bytes) -> None:
        self._socket.send(text)


def talk(beside: Beside, query: str, scope: Scope = Scope.OPERATOR) -> ClientConnection:
    url = f"{beside.server.url.replace('http', 'ws')}/v1/headers?{query}"
    return connect(url, additional_headers={"X-Api-Key": beside.server.secret(scope)}, proxy=None)


def test_a_consumer_is_told_over_a_socket(beside: Beside, consumer: str, images: list[str]) -> None:
    beside.expose(images[0])
    with talk(beside, f"consumer={consumer}") as socket:
        one = Talk(socket)
        assert one.hear()["image_id"] == images[0]
        for bad in (
            "no json",
            "[]",
            "{}",
            '{"ack": 1}',
            '{"ack": {"cursor": "x"}}',
            '{"ack": {"items": [1]}}',
        ):
            one.say(bad)
            assert one.hear()["error"], bad
        one.say(b"\xff\xfe")
        assert one.hear()["error"]
        one.say(json.dumps({"ack": {"items": [{"image_id": images[0], "revision": 1}]}}))
        beside.expose(images[1])
        assert one.hear()["image_id"] == images[1]
        assert told(pending(beside, consumer)) == [(images[1], 1)]
    # The connection broke before it was taken: it is told again.
    with talk(beside, f"consumer={consumer}") as socket:
        assert Talk(socket).hear()["image_id"] == images[1]
    with talk(beside, "consumer=nobody") as socket:
        assert Talk(socket).hear()["error"] == "unknown_header_consumer"
    with talk(beside, f"consumer={consumer}", Scope.READ) as socket:
        Talk(socket).hear()
        Talk(socket).say('{"ack": {"items": []}}')
        assert Talk(socket).hear()["error"] == "scope_missing"


def stored(beside: Beside, image: str) -> list[dict[str, Any]]:
    """Wait until the objects of the first revision are in the annex."""

    def ask() -> list[dict[str, Any]] | None:
        (one,) = beside.client.get(f"{beside.path(image)}/revisions").json()["revisions"]
        found = [each for each in one["objects"] if each["stored"]]
        return found if len(found) == 3 else None

    return beside.until(ask)


def test_objects_of_the_annex_are_verified_and_mended(beside: Beside, images: list[str]) -> None:
    beside.expose(images[0])
    objects = stored(beside, images[0])
    paths = {one["media_type"]: Path(one["url"].removeprefix("file://")) for one in objects}
    whole = {media: path.read_bytes() for media, path in paths.items()}
    for one in objects:
        body = whole[one["media_type"]]
        assert (len(body), hashlib.sha256(body).hexdigest()) == (one["size"], one["sha256"])
    for form in ("fits", "json", "yaml"):
        sent = beside.client.get(beside.path(images[0]), params={"format": form})
        assert sent.content == whole[sent.headers["content-type"].partition(";")[0]]
    damaged, absent = paths["application/fits"], paths["application/json"]
    damaged.write_bytes(whole["application/fits"][:-1] + b"?")
    absent.unlink()
    found = beside.client.post("/v1/reconcile", params={"instrument": INSTRUMENT}).json()
    assert {one.rpartition("/")[2] for one in found["bad_objects"]} == {damaged.name, absent.name}
    # Until they are mended, the header is served from the database.
    assert beside.header(images[0], format="json").content == whole["application/json"]
    stored(beside, images[0])
    assert {media: path.read_bytes() for media, path in paths.items()} == whole


def test_nothing_differs_when_a_night_is_compared_or_played_again(
    beside: Beside, consumer: str, images: list[str]
) -> None:
    beside.expose(*images)
    for image in images:
        stored(beside, image)
    found = beside.client.post("/v1/reconcile", params={"instrument": INSTRUMENT}).json()
    unacknowledged = found.pop("unacknowledged")
    assert unacknowledged[consumer] == 3
    assert found == {"without_header": [], "changed": [], "bad_objects": []}

    async def replay(context: Context) -> dict[str, Any]:
        return await service.replay(context, INSTRUMENT, NIGHT)

    again = beside.server.act(replay)
    assert again["headers"] >= 3
    assert (again["new_revisions"], again["images"]) == (0, [])
    assert beside.client.post("/v1/reconcile", params={"instrument": "nobody"}).status_code == 404
    for image in images:
        assert beside.client.post(f"/v1/exposures/{INSTRUMENT}/{image}/rebuild").status_code == 202
    beside.until(lambda: all(_settled(beside, image) for image in images))
    assert {
        len(beside.client.get(f"{beside.path(image)}/revisions").json()["revisions"]) for image in images
    } == {1}
