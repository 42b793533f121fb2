"""Whatever is sent to any route, the fault is never ours, and answers of `/v1` are as OpenAPI says."""

from __future__ import annotations

import warnings
from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error

from armillary.access.models import Scope
from tests.support.conformity import checks, hold
from tests.support.running import ANSWER_S, Running

EXAMPLES = 20
STREAMS = ("/v1/orders/events", "/v1/orders/{order_id}/events", "/v1/stream")
"""Streams have no end: how they begin is all that can be checked."""


def test_every_answer_is_documented_and_none_is_a_server_error(server: Running, shared_file: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
        operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) >= 9
    headers = {"X-Api-Key": server.secret(Scope.ADMIN)}
    options: dict[str, Any] = {"stream": True, "timeout": ANSWER_S}
    for operation in operations:

        @hypothesis.settings(
            max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(case=operation.as_strategy(), known=st.booleans())
        def attempt(case: schemathesis.Case, known: bool) -> None:
            if known and "name" in case.path_parameters:
                case.path_parameters["name"] = shared_file
            if case.query.get("wait"):
                case.query["wait"] = 0.01
            if isinstance(case.body, dict) and isinstance(case.body.get("wait_s"), int | float):
                case.body["wait_s"] = min(case.body["wait_s"], 0.01)
            if case.path in STREAMS:
                with requests.request(
                    **case.as_transport_kwargs(base_url=server.url, headers=headers), **options
                ) as reply:
                    assert reply.status_code < 500
                    media = reply.headers.get("content-type")
                    hold(case.method, reply.url, reply.status_code, media, None)
                return
            response = case.call(headers=headers, timeout=ANSWER_S)
            told = checks() if case.path.startswith("/v1/") else []
            case.validate_response(response, checks=[not_a_server_error, *told])

        attempt()


@pytest.mark.parametrize("path", ["/v1/frames", "/v1/health", "/upload_file/a.fits", "/file/x", "/"])
def test_methods_that_a_route_has_not_are_told(server: Running, path: str) -> None:
    with server.client(scope=Scope.ADMIN) as client:
        reply = client.request("DELETE", path)
    assert reply.status_code == 405
    assert reply.headers["Allow"]
    assert reply.headers["content-type"] == "application/problem+json"
