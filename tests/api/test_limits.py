"""Clients that hammer a running server are told to wait, each in the form of what it speaks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from armillary.access.models import Scope
from tests.support.running import COOKIE, Running, running

BURST, TOKEN_BURST = 30, 60


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Run a server whose buckets do not fill while the tests run; proxies are believed."""
    environment = {
        "ANONYMOUS_PER_S": "0.0001",
        "ANONYMOUS_BURST": str(BURST),
        "TOKEN_PER_S": "0.0001",
        "TOKEN_BURST": str(TOKEN_BURST),
        "PROXIES": '["127.0.0.0/8"]',
    }
    data: Path = tmp_path_factory.mktemp("limited") / "data"
    with running(data, **{f"ARMILLARY_LIMITS__{name}": value for name, value in environment.items()}) as one:
        yield one


def until_refused(client: httpx.Client, path: str, method: str = "GET") -> tuple[int, httpx.Response]:
    """Ask until that is refused; return how often it was not, and the refusal."""
    for granted in range(1000):
        answer = client.request(method, path)
        if answer.status_code == 429:
            return granted, answer
    raise AssertionError("nobody says stop")


def test_an_address_that_hammers_is_told_to_wait(limited: Running) -> None:
    with limited.client(headers={"X-Forwarded-For": "192.0.2.1"}) as client:
        granted, refusal = until_refused(client, "/v1/health")
    assert granted == BURST
    assert refusal.headers["content-type"] == "application/problem+json"
    assert int(refusal.headers["retry-after"]) > 1
    assert refusal.headers["x-request-id"]
    assert refusal.json()["code"] == "too_many_requests"
    assert "192.0.2.1" in refusal.json()["detail"]
    with limited.client(headers={"X-Forwarded-For": "192.0.2.2"}) as other:
        assert other.get("/").status_code == 200


def test_an_update_is_refused_in_its_own_form(limited: Running) -> None:
    with limited.client(headers={"X-Forwarded-For": "192.0.2.3"}) as client:
        _, refusal = until_refused(client, "/update_headers", "POST")
    assert refusal.headers["content-type"] == "application/json"
    (item,) = refusal.json()
    assert item["result"] is False
    assert "requests per second" in item["error"]
    assert int(refusal.headers["retry-after"]) > 1


def test_tokens_have_buckets_of_their_own_by_header_and_by_cookie(limited: Running) -> None:
    address = {"X-Forwarded-For": "192.0.2.4"}
    first, second = (limited.token(name, Scope.EDIT) for name in ("ann", "ben"))
    with limited.client(headers=address | {"X-Api-Key": first}) as client:
        granted, refusal = until_refused(client, "/v1/frames")
        assert granted == 1 + TOKEN_BURST
        assert "token 'ann'" in refusal.json()["detail"]
    with limited.client(headers=address | {"Cookie": f"{COOKIE}={second}"}) as client:
        granted, _ = until_refused(client, "/update_headers", "POST")
        assert granted == 1 + TOKEN_BURST
    with limited.client(headers=address) as client:
        assert client.get("/").status_code == 200


def test_refusals_are_counted(limited: Running) -> None:
    with limited.client(headers={"X-Forwarded-For": "192.0.2.5"}) as client:
        until_refused(client, "/v1/health")
    with limited.client(headers={"X-Forwarded-For": "192.0.2.6"}) as client:
        page = client.get("/v1/metrics").text
    (line,) = [one for one in page.splitlines() if one.startswith("armillary_http_requests_limited_total ")]
    assert float(line.split()[1]) >= 1
