"""Whether the archive works, how much it does, and what its documentation promises."""

from __future__ import annotations

import time
from typing import Any

import pytest

from armillary.access.models import Scope
from tests.api.conftest import Maker
from tests.support.patience import in_time
from tests.support.running import PATIENCE_S, Running

METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def document(server: Running) -> dict[str, Any]:
    """Return the OpenAPI document."""
    with server.client() as client:
        found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def native(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Return path, method and description of every native operation."""
    return [
        (path, method, operation)
        for path, one in document["paths"].items()
        for method, operation in one.items()
        if path.startswith("/v1/") and method in METHODS
    ]


def test_health_tells_workers_and_queue(server: Running, a_file: Maker) -> None:
    name = a_file()
    with server.held(name):
        found = server.await_health()
    assert found["workers"] >= 1
    assert found["waiting"] >= 1
    assert found["oldest_waiting_s"] >= 0


def test_metrics_tell_depths_and_ages_by_kind_and_state(server: Running, a_file: Maker) -> None:
    name = a_file()
    with server.held(name), server.client() as client:
        edit = client.post(
            f"/v1/files/{name}/edits",
            json={"values": {"generic": {"OBJECT": "x"}}},
            headers={"X-Api-Key": server.secret(Scope.EDIT)},
        )
        assert edit.status_code == 202
        wanted = 'armillary_queue_orders{kind="update_headers",state="Queued"} 1.0'
        text, end = "", time.monotonic() + PATIENCE_S
        while wanted not in text:
            # An answer is at most a second old.
            text = client.get("/v1/metrics").text
            in_time(end, text)
    assert 'armillary_queue_oldest_seconds{kind="update_headers",state="Queued"}' in text


def test_every_native_route_shows_an_example_or_the_type_of_its_answer(document: dict[str, Any]) -> None:
    bare = []
    for path, method, operation in native(document):
        good = [reply for code, reply in operation["responses"].items() if code.startswith("2")]
        shown = [media for reply in good for media in reply.get("content", {}).values()]
        if not any("example" in media or media.get("schema") for media in shown):
            bare.append(f"{method} {path}")
    assert bare == []


def test_every_native_route_documents_its_failures_as_problems(document: dict[str, Any]) -> None:
    for path, method, operation in native(document):
        bad = {code: reply for code, reply in operation["responses"].items() if code[0] in "45"}
        assert "503" in bad, (method, path)
        for code, reply in bad.items():
            for example in (
                reply.get("content", {}).get("application/problem+json", {}).get("examples", {}).values()
            ):
                assert example["value"]["status"] == int(code)
                assert example["value"]["type"].endswith(example["value"]["code"])


def test_every_native_route_is_described_in_a_sentence(document: dict[str, Any]) -> None:
    for path, method, operation in native(document):
        assert operation["description"].split("\n")[0].endswith((".", ",", ";")), (method, path)
