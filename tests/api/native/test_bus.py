"""The log of telemetry over real sockets: samples in both forms, questions, following, and who may do what."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from armillary.access.models import Scope
from armillary.sky.instants import tai_of_datetime
from tests.support.patience import in_time
from tests.support.running import PATIENCE_S, Running

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def client(server: Running) -> Iterator[httpx.Client]:
    with server.client(scope=Scope.OPERATOR) as one:
        yield one


@pytest.fixture
def source() -> str:
    """Return a component that no other test knows."""
    return f"weather:{next(_numbers)}"


def a_sample(source: str, t: int | None, **payload: Any) -> dict[str, Any]:
    number = next(_numbers)
    found: dict[str, Any] = {"source": source, "topic": "state", "epoch": "boot", "seq": number}
    return found | {"payload": payload or {"value": t}} | ({} if t is None else {"t_event": t})


def asof(client: httpx.Client, source: str, **more: str | int) -> httpx.Response:
    asked: dict[str, Any] = {"source": source, "topic": "state", **more}
    return client.get("/v1/bus/asof", params=asked)


def values(client: httpx.Client, source: str, t0: int, t1: int, **more: Any) -> list[Any]:
    asked: dict[str, Any] = {"source": source, "topic": "state", "t0": t0, "t1": t1} | more
    reply = client.get("/v1/bus/range", params=asked)
    assert reply.status_code == 200
    return [one["payload"]["value"] for one in reply.json()]


def test_an_array_is_stored_and_answered(client: httpx.Client, source: str) -> None:
    samples = [a_sample(source, t) for t in (10, 20, 30)]
    reply = client.post("/v1/samples", json=samples)
    body = reply.json()
    assert (reply.status_code, len(body["offsets"])) == (200, 3)
    assert {key: body[key] for key in ("duplicates", "rejects", "spooled")} == {
        "duplicates": [],
        "rejects": [],
        "spooled": 0,
    }
    one = asof(client, source, t=25).json()
    assert {key: one[key] for key in ("offset", "t_event", "seq", "kind", "expires", "assumed")} == {
        "offset": body["offsets"][1],
        "t_event": 20,
        "seq": samples[1]["seq"],
        "kind": "telemetry",
        "expires": None,
        "assumed": False,
    }
    assert values(client, source, 15, 30) == [10, 20, 30]
    assert values(client, source, 15, 30, limit=1) == [10, 20]


def test_lines_are_stored_with_those_that_are_none_refused(client: httpx.Client, source: str) -> None:
    first, second = a_sample(source, 1), a_sample(source, 2)
    lines = [
        json.dumps(first),
        "{nothing",
        "",
        json.dumps(second | {"seq": "2"}),
        json.dumps(second | {"tevent": 1}),
        json.dumps(second | {"seq": 2**64}),
        json.dumps(second),
        json.dumps(first),
    ]
    reply = client.post(
        "/v1/samples", content="\n".join(lines), headers={"content-type": "application/x-ndjson"}
    )
    body = reply.json()
    assert reply.status_code == 200
    assert len(body["offsets"]) == 2
    # Empty lines are not counted.
    assert [one["index"] for one in body["rejects"]] == [1, 2, 3, 4]
    assert body["duplicates"] == [6]
    assert values(client, source, 0, 9) == [1, 2]


@pytest.mark.parametrize("array", [True, False])
def test_numbers_that_json_has_no_words_for_come_back_as_texts(
    client: httpx.Client, source: str, array: bool
) -> None:
    text = json.dumps(
        a_sample(source, 5, value=[float("nan"), float("inf"), float("-inf"), None, "NaN", 2**63 + 1])
    )
    assert "-Infinity" in text
    reply = client.post("/v1/samples", content=f"[{text}]" if array else text)
    assert len(reply.json()["offsets"]) == 1
    assert asof(client, source).json()["payload"]["value"] == [
        *("NaN", "Infinity", "-Infinity", None, "NaN", 2**63 + 1)
    ]
    assert values(client, source, 0, 9)[0][0] == "NaN"


def test_numbers_that_are_too_large_are_no_infinity(client: httpx.Client, source: str) -> None:
    good = json.dumps(a_sample(source, 1, value=float("nan")))
    bad = json.dumps(a_sample(source, 2)).replace('"value": 2', '"value": 1e999')
    body = client.post("/v1/samples", content=f"[{bad}, {good}]").json()
    assert ([one["index"] for one in body["rejects"]], len(body["offsets"])) == ([0], 1)


@pytest.mark.parametrize("body", ["[1, 2", "[NaN", "[" * 5000, "[\xff]"])
def test_an_array_that_is_no_json_is_refused_whole(client: httpx.Client, body: str) -> None:
    reply = client.post("/v1/samples", content=body.encode("latin-1"))
    assert (reply.status_code, reply.json()["code"]) == (400, "bad_samples")


@pytest.mark.parametrize("body", ["", "[]", "\n\n"])
def test_nothing_is_stored_of_nothing(client: httpx.Client, body: str) -> None:
    reply = client.post("/v1/samples", content=body)
    assert (reply.status_code, reply.json()["offsets"]) == (200, [])


def test_items_of_other_types_are_refused_alone(client: httpx.Client, source: str) -> None:
    good = a_sample(source, 1)
    reply = client.post("/v1/samples", json=[1, None, [], {}, "x", good, good | {"payload": []}])
    body = reply.json()
    assert ([one["index"] for one in body["rejects"]], len(body["offsets"])) == ([0, 1, 2, 3, 4, 6], 1)


def test_huge_payloads_are_refused_alone(client: httpx.Client, source: str) -> None:
    reply = client.post("/v1/samples", json=[a_sample(source, 1, value="x" * (1 << 20)), a_sample(source, 2)])
    body = reply.json()
    assert ([one["index"] for one in body["rejects"]], len(body["offsets"])) == ([0], 1)
    assert "over the limit" in body["rejects"][0]["reason"]


def test_too_many_samples_are_refused_whole(client: httpx.Client, source: str) -> None:
    reply = client.post("/v1/samples", json=[a_sample(source, t) for t in range(10_001)])
    assert (reply.status_code, reply.json()["code"]) == (413, "too_many_samples")
    assert asof(client, source).status_code == 404


def test_without_an_event_time_the_arrival_counts(client: httpx.Client, server: Running, source: str) -> None:
    before = server.act(_now)
    client.post("/v1/samples", json=[a_sample(source, None)])
    found = asof(client, source).json()
    assert found["assumed"]
    assert before <= found["t_event"] == found["t_received"]


async def _now(context: Any) -> int:
    return tai_of_datetime(context.clock.now())


def test_only_samples_of_an_image_are_asked_for(client: httpx.Client, source: str) -> None:
    samples = [a_sample(source, t, value=t, image={"id": f"A_{t % 2}"}) for t in range(4)]
    client.post("/v1/samples", json=samples)
    found = asof(client, source, field="image.id", value="A_0").json()
    assert found["payload"]["value"] == 2
    assert asof(client, source, field="image.id").status_code == 400


def test_nothing_is_found_of_what_was_never_said(client: httpx.Client, source: str) -> None:
    reply = asof(client, source)
    assert (reply.status_code, reply.json()["code"]) == (404, "sample_not_found")
    assert values(client, source, 0, 9) == []
    assert asof(client, source, t="soon").status_code == 422


@pytest.mark.parametrize(
    ("scope", "published", "asked"),
    [(None, 401, 401), (Scope.READ, 403, 200), (Scope.EDIT, 403, 403), (Scope.ADMIN, 200, 200)],
)
def test_scopes_say_who_publishes_and_who_asks(
    server: Running, client: httpx.Client, source: str, scope: Scope | None, published: int, asked: int
) -> None:
    client.post("/v1/samples", json=[a_sample(source, 1)])
    with server.client(scope=scope) as other:
        assert other.post("/v1/samples", json=[a_sample(source, 2)]).status_code == published
        assert asof(other, source).status_code == asked


class Talk:
    """A connection to the log."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def say(self, **message: Any) -> None:
        self.socket.send(json.dumps(message))

    def hear(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.socket.recv(timeout=PATIENCE_S))
        return found

    def samples(self, count: int) -> tuple[list[dict[str, Any]], int]:
        """Return so many samples that are told, and the offset of the last."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            message = self.hear()
            found += message["samples"]
        return found, message["offset"]


def talk(server: Running, scope: Scope = Scope.OPERATOR) -> Talk:
    url = server.url.replace("http", "ws") + "/v1/bus"
    socket = connect(url, additional_headers={"X-Api-Key": server.secret(scope)}, proxy=None)
    return Talk(socket)


def test_who_publishes_and_who_follows_over_a_socket(server: Running, source: str) -> None:
    with talk(server).socket as first, talk(server, Scope.READ).socket as second:
        publisher, follower = Talk(first), Talk(second)
        follower.say(subscribe={"channels": [[source, None]], "at": "earliest"})
        samples = [a_sample(source, t) for t in (1, 2)] + [a_sample(source, 3, value=float("nan"))]
        publisher.say(publish=[*samples, {"source": 1}], id="first")
        reply = publisher.hear()
        assert (reply["id"], len(reply["published"]["offsets"])) == ("first", 3)
        assert [one["index"] for one in reply["published"]["rejects"]] == [3]
        found, offset = follower.samples(3)
        assert [one["payload"]["value"] for one in found] == [1, 2, "NaN"]
        assert offset == reply["published"]["offsets"][-1]
        follower.say(unsubscribe=True)
        publisher.say(publish=[a_sample(source, 4), a_sample(source, 5)])
        publisher.hear()
        follower.say(subscribe={"channels": [[source, "state"]], "offset": reply["published"]["offsets"][1]})
        found, _ = follower.samples(3)
        assert [one["t_event"] for one in found] == [3, 4, 5]


def test_a_follower_that_was_cut_off_misses_and_repeats_nothing(
    server: Running, client: httpx.Client, source: str
) -> None:
    for t in range(20):
        client.post("/v1/samples", json=[a_sample(source, 2 * t), a_sample(source, 2 * t + 1)])
    told: list[int] = []
    start: dict[str, Any] = {"at": "earliest"}
    while len(told) < 40:
        with talk(server).socket as socket:
            follower = Talk(socket)
            follower.say(subscribe={"channels": [[source, None]], **start})
            found, offset = follower.samples(1)
            # What came of a message before the connection broke.
            kept = found[:7]
            told += [one["t_event"] for one in kept]
            start = {"offset": kept[-1]["offset"] if len(kept) < len(found) else offset}
    assert told == list(range(40))


def test_what_cannot_be_understood_is_said(server: Running, source: str) -> None:
    messages = [
        "no json",
        "[]",
        "{}",
        '{"publish": 1',
        '{"subscribe": {"at": "noon"}}',
        '{"subscribe": {"x": 1}}',
    ]
    with talk(server).socket as socket:
        talking = Talk(socket)
        for message in messages:
            socket.send(message)
            assert talking.hear()["error"]["code"] == "bad_bus_message", message
        talking.say(subscribe={"offset": 1 << 60})
        assert talking.hear()["error"]["code"] == "change_cursor_gone"
        talking.say(publish="x", id=7)
        assert talking.hear()["published"]["rejects"]
        talking.say(publish=[a_sample(source, 1)], id=[8])
        assert talking.hear()["id"] == [8]


def test_who_only_reads_cannot_publish_over_a_socket(server: Running, source: str) -> None:
    with talk(server, Scope.READ).socket as socket:
        Talk(socket).say(publish=[a_sample(source, 1)])
        assert Talk(socket).hear()["error"]["code"] == "scope_missing"
    with pytest.raises(InvalidStatus):
        talk(server, Scope.EDIT)


def test_a_follower_hears_of_the_end_of_the_server_by_its_own(server: Running, source: str) -> None:
    """An idle follower is told later samples however long nothing came."""
    with talk(server).socket as first, talk(server).socket as second:
        Talk(first).say(subscribe={"channels": [[source, None]]})
        end = time.monotonic() + PATIENCE_S
        found: list[dict[str, Any]] = []
        # Nobody says when a subscription has begun, so there is always one more sample.
        while not found:
            Talk(second).say(publish=[a_sample(source, 1)])
            Talk(second).hear()
            try:
                found = json.loads(first.recv(timeout=0.2))["samples"]
            except TimeoutError:
                in_time(end)
        assert found[0]["source"] == source


def test_what_is_sent_again_after_a_lost_connection_is_stored_once(
    server: Running, client: httpx.Client, source: str
) -> None:
    samples = [a_sample(source, t) for t in range(30)]
    for sent in (samples[:20], samples[10:], samples):
        # The client goes away before it has read an answer, and so does not know what was stored.
        with talk(server).socket as socket:
            Talk(socket).say(publish=sent)
    with talk(server).socket as socket:
        Talk(socket).say(publish=samples, id="last")
        found = Talk(socket).hear()["published"]
    assert len(found["duplicates"]) + len(found["offsets"]) == len(samples)
    assert values(client, source, 0, 99) == list(range(30))


def test_bad_frames_keep_no_good_one_from_being_stored(
    server: Running, client: httpx.Client, source: str
) -> None:
    bad = [
        b"\xff\xfe",
        b"",
        "[" * 5000,
        json.dumps({"publish": [1], "subscribe": {}, "x": 1}),
        json.dumps({"publish": [a_sample(source, 1)]})[:-3],
        json.dumps({"subscribe": {"channels": [["a", "b", "c"]]}}),
    ]
    with talk(server).socket as socket:
        talking = Talk(socket)
        for number, frame in enumerate(bad):
            socket.send(frame)
            assert talking.hear()["error"]["code"] == "bad_bus_message", frame
            talking.say(publish=[a_sample(source, number)], id=number)
            assert talking.hear()["id"] == number
        text = json.dumps({"publish": [a_sample(source, 99, value=float("nan"))], "id": "binary"})
        socket.send(text.encode())
        assert len(talking.hear()["published"]["offsets"]) == 1
    assert values(client, source, 0, 99) == [*range(len(bad)), "NaN"]
