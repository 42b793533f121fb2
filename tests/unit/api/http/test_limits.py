"""Buckets fill and empty as arithmetic says, remember a bounded number of callers, and believe no forger."""

from __future__ import annotations

import json
from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from armillary.api.http.dialect import Addressed, Dialects
from armillary.api.http.limits import Buckets, Limited, network_of
from armillary.api.http.log import Proxies, Traced
from armillary.app import DIALECTS
from armillary.settings import LimitSettings
from tests.support.clock import FakeClock

SECRETS = {b"arm_good": "ann"}


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer everybody, and say who asked as the policies do."""
    secret = dict(scope["headers"]).get(b"x-api-key", b"")
    scope.setdefault("state", {})["principal"] = SimpleNamespace(name=SECRETS.get(secret, ""))
    await PlainTextResponse("served")(scope, receive, send)


class Caller:
    """Somebody who asks a limited application."""

    def __init__(self, clock: FakeClock, **settings: Any) -> None:
        chosen = LimitSettings(**settings)
        self.limited = Limited(application, chosen, clock=clock.monotonic)
        traced = Traced(self.limited, proxies=chosen.proxies, write=False)
        self.app = Addressed(traced, Dialects(DIALECTS))
        self.headers: dict[str, str] = {}
        self.body = b""

    async def ask(
        self, path: str = "/v1/frames", *, client: str = "192.0.2.1", method: str = "GET", **headers: str
    ) -> int:
        """Return the status of a request; its headers and body are kept."""
        sent: list[dict[str, Any]] = []
        raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": method, "path": path, "headers": raw, "client": (client, 5)}

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        self.headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        self.body = b"".join(one.get("body", b"") for one in sent[1:])
        return int(sent[0]["status"])

    async def until_refused(self, **options: Any) -> int:
        """Return how many requests are granted in a row."""
        granted = 0
        while await self.ask(**options) == 200:
            granted += 1
        return granted


async def test_a_burst_is_granted_and_then_the_rate() -> None:
    clock = FakeClock()
    caller = Caller(clock, anonymous_per_s=2, anonymous_burst=5)
    assert await caller.until_refused() == 5
    clock.advance(1)
    assert await caller.until_refused() == 2
    clock.advance(1000)
    assert await caller.until_refused() == 5


async def test_waiting_as_long_as_told_helps() -> None:
    clock = FakeClock()
    caller = Caller(clock, anonymous_per_s=0.25, anonymous_burst=1)
    assert await caller.until_refused() == 1
    assert caller.headers["retry-after"] == "4"
    clock.advance(3.9)
    assert await caller.ask() == 429
    clock.advance(0.2)
    assert await caller.ask() == 200


async def test_callers_are_limited_apart_and_zero_sets_no_limit() -> None:
    caller = Caller(FakeClock(), anonymous_per_s=1, anonymous_burst=1)
    assert await caller.until_refused(client="192.0.2.1") == 1
    assert await caller.until_refused(client="192.0.2.2") == 1
    free = Caller(FakeClock(), anonymous_per_s=0, token_per_s=0)
    assert {await free.ask() for _ in range(1000)} == {200}


async def test_a_refusal_is_a_problem_document() -> None:
    caller = Caller(FakeClock(), anonymous_per_s=1, anonymous_burst=1)
    await caller.until_refused()
    problem = json.loads(caller.body)
    assert caller.headers["content-type"] == "application/problem+json"
    assert (problem["status"], problem["code"]) == (429, "too_many_requests")
    assert "192.0.2.1" in problem["detail"]
    assert "wait 1 s" in problem["detail"]


@pytest.mark.parametrize("path", ["/update_headers", "/update_headers/"])
async def test_a_refused_update_has_the_form_of_its_dialect(path: str) -> None:
    caller = Caller(FakeClock(), anonymous_per_s=1, anonymous_burst=1)
    await caller.until_refused(path=path, method="POST")
    (item,) = json.loads(caller.body)
    assert item["result"] is False
    assert "More than 1 requests" in item["error"]
    assert caller.headers["retry-after"] == "1"


async def test_a_token_has_its_own_limit_once_it_has_opened_a_door() -> None:
    caller = Caller(FakeClock(), anonymous_per_s=1, anonymous_burst=3, token_per_s=1, token_burst=50)
    assert await caller.until_refused(x_api_key="arm_good") == 1 + 50
    assert "token 'ann'" in json.loads(caller.body)["detail"]
    assert await caller.until_refused() == 3


async def test_a_token_counts_once_wherever_it_comes_from() -> None:
    caller = Caller(FakeClock(), anonymous_per_s=1, anonymous_burst=3, token_per_s=1, token_burst=50)
    assert await caller.until_refused(x_api_key="arm_good", client="192.0.2.1") == 51
    assert await caller.ask(x_api_key="arm_good", client="192.0.2.2") == 429


async def test_made_up_tokens_buy_nothing() -> None:
    caller = Caller(FakeClock(), anonymous_per_s=1, anonymous_burst=3, token_per_s=1, token_burst=50)
    statuses = [await caller.ask(x_api_key=f"arm_{number}") for number in range(20)]
    assert statuses == [200] * 3 + [429] * 17


async def test_a_noisy_neighbour_does_not_keep_a_token_out() -> None:
    caller = Caller(FakeClock(), anonymous_per_s=1, anonymous_burst=3, token_per_s=1, token_burst=50)
    await caller.until_refused()
    assert await caller.ask(x_api_key="arm_good") == 200


async def test_a_token_that_is_revoked_is_a_stranger_again(monkeypatch: pytest.MonkeyPatch) -> None:
    caller = Caller(FakeClock(), anonymous_per_s=1, anonymous_burst=3, token_per_s=1, token_burst=50)
    assert await caller.ask(x_api_key="arm_good") == 200
    monkeypatch.delitem(SECRETS, b"arm_good")
    assert await caller.until_refused(x_api_key="arm_good") == 1 + 2


async def test_memory_is_bounded_and_the_busiest_are_remembered() -> None:
    clock = FakeClock()
    buckets = Buckets(1.0, 2, 1000, clock.monotonic)
    assert [buckets.take("busy") for _ in range(2)] == [0, 0]
    for number in range(20_000):
        assert buckets.take(f"192.0.{number}") == 0
        assert buckets.take("busy") > 0
    assert len(buckets) == 1000


@given(st.lists(st.floats(0, 5), min_size=1, max_size=200))
def test_never_more_than_the_burst_and_the_rate(pauses: list[float]) -> None:
    clock = FakeClock()
    buckets = Buckets(3.0, 4, 10, clock.monotonic)
    granted = 0
    for pause in pauses:
        clock.advance(pause)
        granted += buckets.take("one") == 0
    assert granted <= 4 + 3.0 * clock.monotonic() + 1e-6


def test_addresses_of_one_network_are_one_caller() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1")
    assert network_of("2001:db8::1") != network_of("2001:db8:0:1::1")
    assert network_of("192.0.2.1") != network_of("192.0.2.2")
    assert network_of("::ffff:192.0.2.1") != network_of("::ffff:192.0.2.2")
    assert network_of("") == ""


PROXIES = Proxies([ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")])


@pytest.mark.parametrize(
    ("peer", "said", "client"),
    [
        ("192.0.2.9", ["198.51.100.1"], "192.0.2.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6", "198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["198.51.100.1, nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, nonsense, 10.0.0.2"], "10.0.0.2"),
        ("2001:db8::1", ["2001:db9::7"], "2001:db9::7"),
        ("10.0.0.1", [""], "10.0.0.1"),
    ],
)
def test_forwarded_addresses_count_as_far_as_proxies_vouch_for_them(
    peer: str, said: list[str], client: str
) -> None:
    headers = [(b"x-forwarded-for", one.encode()) for one in said]
    found = PROXIES.client_of({"client": (peer, 1), "headers": headers})
    assert found is not None
    assert found[0] == client


async def test_clients_behind_a_proxy_are_limited_apart() -> None:
    caller = Caller(FakeClock(), anonymous_per_s=1, anonymous_burst=1, proxies=["10.0.0.0/8"])
    for address in ("198.51.100.1", "198.51.100.2"):
        assert await caller.until_refused(client="10.0.0.1", x_forwarded_for=address) == 1
    assert await caller.until_refused(client="192.0.2.7", x_forwarded_for="198.51.100.3") == 1
    assert await caller.ask(client="192.0.2.7", x_forwarded_for="198.51.100.4") == 429
