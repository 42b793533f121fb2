"""A parameter that a route does not have is refused: a mistyped filter would find too much."""

from __future__ import annotations

import pytest

from tests.support.running import Running


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/v1/frames?instrment=GMOS-N", "no parameter 'instrment' here; did you mean 'instrument'?"),
        ("/v1/frames?name=a.fits&Night=2026-01-01", "did you mean 'night'?"),
        ("/v1/changes?from=now", "there are: after, limit, wait"),
        ("/v1/files/a.fits?verison=1", "no parameter 'verison' here"),
    ],
)
def test_it_is_named_with_the_nearest_that_there_is(server: Running, address: str, words: str) -> None:
    with server.client() as client:
        reply = client.get(address)
    assert (reply.status_code, reply.json()["code"]) == (422, "unknown_parameter")
    assert reply.headers["content-type"] == "application/problem+json"
    assert words in reply.json()["detail"]


def test_what_monitors_ask_may_bear_any_ornament(server: Running) -> None:
    server.await_health()
    with server.client() as client:
        for address in ("/v1/health?from=balancer", "/v1/metrics?x=1"):
            assert client.get(address).status_code == 200
