"""Leases over HTTP, as a worker uses them; who may do what at which queue."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from armillary.access.models import Permission, Scope
from armillary.access.service import create_token
from armillary.base.certificates import certificates_for
from armillary.context import Context
from tests.support.running import Running

_numbers = iter(range(10**6))


@pytest.fixture
def name() -> str:
    return f"worked{next(_numbers):04d}"


@pytest.fixture
def client(server: Running) -> Iterator[httpx.Client]:
    with server.client(scope=Scope.PIPE) as one:
        yield one


@pytest.fixture
def queue(client: httpx.Client, name: str) -> str:
    """Make a queue with three items."""
    assert client.post("/pipe/queue", json={"queue_name": name}).status_code == 200
    for number in range(3):
        client.post("/pipe/enqueue", json={"queue_name": name, "payload": number, "sender": name})
    return f"/v1/pipe/queues/{name}"


def limited(server: Running, *scopes: str) -> httpx.Client:
    """Return a client with a token for single queues."""

    async def act(context: Context) -> str:
        async with context.database.begin() as connection:
            permissions = [Permission.of_text(one) for one in scopes]
            return await create_token(
                connection, f"limited {next(_numbers)}", permissions, now=context.clock.now()
            )

    return httpx.Client(
        base_url=server.url,
        headers={"X-Api-Key": server.act(act)},
        timeout=90,
        trust_env=False,
        verify=certificates_for(server.url),
    )


def claim(client: httpx.Client, queue: str, **body: Any) -> list[dict[str, Any]]:
    reply = client.post(f"{queue}/claims", json=body)
    assert reply.status_code == 200, reply.text
    found: list[dict[str, Any]] = reply.json()["claims"]
    return found


def test_a_worker_claims_acknowledges_and_gives_back(client: httpx.Client, queue: str) -> None:
    first, second = claim(client, queue, worker="w", max=2)
    assert [one["item"]["payload"] for one in (first, second)] == [0, 1]
    for _ in range(2):
        reply = client.post(f"/v1/pipe/claims/{first['claim_id']}/ack")
        assert (reply.status_code, reply.json()) == (200, {"claim_id": first["claim_id"]})
    longer = client.post(f"/v1/pipe/claims/{second['claim_id']}/extend", json={"lease_s": 900})
    assert longer.json()["lease_expires_at"] > second["lease_expires_at"]
    back = client.post(f"/v1/pipe/claims/{second['claim_id']}/nack", json={"reason": "no flat"})
    assert back.json() == {"claim_id": second["claim_id"], "dead": False}
    for verb in ("ack", "nack", "extend"):
        reply = client.post(f"/v1/pipe/claims/{second['claim_id']}/{verb}", json={})
        assert (reply.status_code, reply.json()["code"]) == (409, "claim_lost"), verb
    (again,) = claim(client, queue)
    assert (again["item"]["payload"], again["attempt"]) == (1, 2)
    state = client.get(queue).json()
    assert (state["waiting"], state["leased"], state["dead"], state["max_attempts"]) == (1, 1, 0, 5)
    assert state["oldest_age_s"] >= 0


def test_dead_letters_and_options(client: httpx.Client, queue: str) -> None:
    changed = client.patch(queue, json={"max_attempts": 1, "priorities": [{"sender": "x", "priority": 3}]})
    assert (changed.json()["max_attempts"], changed.json()["dedupe_window_s"]) == (1, 0)
    (one,) = claim(client, queue, worker="w")
    assert client.post(f"/v1/pipe/claims/{one['claim_id']}/nack", json={}).json()["dead"]
    (letter,) = client.get(f"{queue}/dead").json()["dead"]
    assert (letter["item"], letter["worker"], letter["attempts"]) == (one["item"], "w", 1)
    place = f"{queue}/dead/{one['item']['id']}"
    assert client.post(f"{place}/requeue").json() == {"requeued": 1}
    assert client.post(f"{place}/requeue").json()["code"] == "unknown_dead_letter"
    (one,) = claim(client, queue)
    assert one["item"]["payload"] == 0
    client.post(f"/v1/pipe/claims/{one['claim_id']}/nack", json={"dead": True})
    assert client.delete(place).json() == {"id": one["item"]["id"]}
    assert client.delete(place).status_code == 404
    for bad in ({"max_attempts": 0}, {"priorities": [{"priority": 10**6}]}, {"dedupe_window_s": -1}):
        assert client.patch(queue, json=bad).json()["code"] == "bad_queue_option"


def test_a_worker_waits_for_an_item(client: httpx.Client, name: str) -> None:
    client.post("/pipe/queue", json={"queue_name": name})
    found: list[dict[str, Any]] = []
    waiting = threading.Thread(
        target=lambda: found.extend(claim(client, f"/v1/pipe/queues/{name}", wait_s=30))
    )
    waiting.start()
    client.post("/pipe/enqueue", json={"queue_name": name, "payload": "now"})
    waiting.join()
    assert [one["item"]["payload"] for one in found] == ["now"]


@pytest.mark.parametrize(
    "body",
    [
        {"max": 0},
        {"max": 10**9},
        {"lease_s": 0.5},
        {"wait_s": 31},
        {"wait_s": -1},
        {"colour": 1},
        {"max": "x"},
    ],
)
def test_bad_claims_are_refused(client: httpx.Client, queue: str, body: dict[str, object]) -> None:
    assert client.post(f"{queue}/claims", json=body).status_code == 422
    assert client.post(f"{queue}/claims", content=b'{"lease_s": NaN}').status_code == 422
    assert client.get(queue).json()["waiting"] == 3


def test_unknown_queues_and_claims(client: httpx.Client) -> None:
    for method, path in (
        ("GET", ""),
        ("PATCH", ""),
        ("POST", "/claims"),
        ("GET", "/dead"),
        ("POST", "/dead/x/requeue"),
        ("DELETE", "/dead/x"),
    ):
        reply = client.request(method, f"/v1/pipe/queues/nowhere{path}", json={})
        assert (reply.status_code, reply.json()["code"]) == (404, "unknown_queue"), path
    assert client.post("/v1/pipe/claims/nonsense/ack").status_code == 409


def test_tokens_are_limited_to_actions_and_queues(server: Running, queue: str, name: str) -> None:
    with limited(server, f"pipe.produce:{name}") as producer:
        assert producer.post("/pipe/enqueue", json={"queue_name": name}).status_code == 200
        assert producer.post("/pipe/enqueue", json={"queue_name": "another"}).status_code == 403
        assert producer.post("/pipe/enqueue", json={"queue_name": [name]}).status_code == 400
        assert producer.post(f"/pipe/queue/{name}/dequeue").status_code == 403
        assert producer.post(f"{queue}/claims", json={}).status_code == 403
    with limited(server, f"pipe.consume:{name}") as consumer:
        assert consumer.post("/pipe/enqueue", json={"queue_name": name}).status_code == 403
        assert consumer.post(f"/pipe/queue/{name}/dequeue").status_code == 200
        assert consumer.post("/pipe/queue/another/dequeue").status_code == 403
        # The name that counts is the one that the route uses, however it is written.
        assert consumer.post(f"/pipe/queue/{name}%2F/dequeue").status_code == 403
        (one,) = claim(consumer, queue)
        assert consumer.patch(queue, json={}).status_code == 403
        assert consumer.delete(f"/pipe/queue/{name}").status_code == 403
        with limited(server, "pipe.consume:another") as stranger:
            assert stranger.post(f"/v1/pipe/claims/{one['claim_id']}/ack").status_code == 403
            assert stranger.get(queue).status_code == 403
        for _ in range(2):
            assert consumer.post(f"/v1/pipe/claims/{one['claim_id']}/ack").status_code == 200
    with httpx.Client(base_url=server.url, trust_env=False) as nobody:
        for method, path in (("POST", f"/pipe/queue/{name}/dequeue"), ("POST", "/pipe/enqueue")):
            assert nobody.request(method, path, json={"queue_name": name}).status_code == 401
        assert nobody.post(f"{queue}/claims", json={}).status_code == 401
