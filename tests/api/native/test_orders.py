"""Work orders over the native routes: listed, watched, cancelled, tried again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from armillary.access.models import Scope
from tests.api.conftest import Maker
from tests.support.events import Event, Reader
from tests.support.running import WAIT_S, Running

STREAM = {"Accept": "text/event-stream"}


def get(server: Running, path: str, *, scope: Scope | None = Scope.ADMIN, **query: Any) -> httpx.Response:
    with server.client(scope=scope) as client:
        return client.get(f"/v1/orders{path}", params=query)


def post(server: Running, path: str, *, scope: Scope | None = Scope.ADMIN) -> httpx.Response:
    with server.client(scope=scope) as client:
        return client.post(f"/v1/orders{path}")


def listed(server: Running, **query: Any) -> list[dict[str, Any]]:
    reply = get(server, "", **query)
    assert reply.status_code == 200, reply.text
    return list(reply.json()["orders"])


def one(server: Running, number: int, **query: Any) -> dict[str, Any]:
    reply = get(server, f"/{number}", **query)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def ask(server: Running, name: str, **generic: Any) -> int:
    """Ask for an edit and return the order."""
    with server.client(scope=Scope.EDIT) as client:
        reply = client.post(f"/v1/files/{name}/edits", json={"values": {"generic": generic}})
    assert reply.status_code == 202, reply.text
    return int(reply.json()["order"])


@contextmanager
def stream(server: Running, path: str, **query: Any) -> Iterator[Iterator[Event]]:
    with (
        server.client(scope=Scope.ADMIN) as client,
        client.stream("GET", f"/v1/orders{path}", params=query, headers=STREAM) as reply,
    ):
        assert reply.headers["content-type"].startswith("text/event-stream")
        yield Reader().events(reply.iter_lines())


def test_an_order_is_told_from_its_beginning_to_its_end(server: Running, a_file: Maker) -> None:
    name = a_file()
    with server.held(name):
        number = ask(server, name, OBJECT="M31")
        waiting = one(server, number)
        assert (waiting["state"], waiting["kind"], waiting["file"]) == ("Queued", "update_headers", name)
        assert (waiting["attempts"], waiting["finished"], waiting["response"]) == (0, None, None)
        assert waiting["actor"] == "the edit token"
        with stream(server, f"/{number}/events") as events:
            assert next(events).kind == "Queued"
            rest: list[Event] = []
            watcher = threading.Thread(target=lambda: rest.extend(events))
            watcher.start()
            server.sql("UPDATE work_order SET not_before = now() WHERE kind = 'echo' AND state = 'Queued'")
            server.sql("SELECT pg_notify('work_queued', '')")
            watcher.join(WAIT_S)
            assert not watcher.is_alive()
    # The stream ended with the order.
    assert [event.kind for event in rest][-1] == "Completed"
    ended = one(server, number, wait=WAIT_S)
    assert (ended["state"], ended["attempts"], ended["error"]) == ("Completed", 1, None)
    assert ended["response"]["ok"]
    assert ended["started"] <= ended["finished"] < ended["expires"]


def test_orders_are_listed_newest_first_by_state_kind_and_file(server: Running, a_file: Maker) -> None:
    name = a_file(container=".bz2")
    number = ask(server, name, OBJECT="M31")
    one(server, number, wait=WAIT_S)
    server.settle()
    of_file = listed(server, file=name)
    assert [order["kind"] for order in of_file] == ["update_headers", "ingest"]
    assert listed(server, file=f"{name}.bz2") == of_file
    assert listed(server, file=name, kind="ingest") == of_file[1:]
    assert listed(server, file=name, state="Queued") == listed(server, kind="nonsense") == []
    numbers = [order["id"] for order in listed(server, limit=1000)]
    assert numbers == sorted(numbers, reverse=True)
    pages = get(server, "", limit=3).json()
    rest = get(server, "", limit=3, cursor=pages["cursor"]).json()
    assert [order["id"] for order in pages["orders"] + rest["orders"]] == numbers[:6]
    assert get(server, "", state="Lost").status_code == 422
    assert get(server, "", kind="\x00").json()["code"] == "bad_request"


def test_a_waiting_edit_is_cancelled_and_goes_on_record(server: Running, a_file: Maker) -> None:
    name = a_file(OBJECT="first")
    with server.held(name):
        number, next_one = ask(server, name, OBJECT="second"), ask(server, name, AIRMASS=1.5)
        reply = post(server, f"/{number}/cancel")
        assert (reply.status_code, reply.json()) == (200, {"order": number, "state": "Failed"})
        assert one(server, number)["error"] == "Cancelled by the admin token."
        again = post(server, f"/{number}/cancel")
        assert (again.status_code, again.json()["code"]) == (409, "order_not_cancellable")
    assert one(server, next_one, wait=WAIT_S)["state"] == "Completed"
    server.settle()
    with server.client(scope=Scope.READ) as client:
        edits = client.get(f"/v1/files/{name}/edits").json()["edits"]
        header = client.get(f"/v1/files/{name}/headers/0", params={"format": "text"}).text
    assert {edit["order"]: edit["outcome"] for edit in edits} == {number: "failed", next_one: "changed"}
    assert "OBJECT  = 'first" in header


def test_an_order_that_has_begun_or_is_in_doubt_is_not_cancelled(server: Running, a_file: Maker) -> None:
    name = a_file()
    with server.held(name):
        number = ask(server, name, OBJECT="M31")
        mine = "lease_owner = 'test', lease_until = now() + interval '1 hour'"
        for change in (f"state = 'Started', {mine}", "intent = '{}'"):
            server.sql(f"UPDATE work_order SET {change} WHERE id = $1", number)
            reply = post(server, f"/{number}/cancel")
            assert (reply.status_code, reply.json()["code"]) == (409, "order_not_cancellable"), change
            free = "state = 'Queued', lease_owner = NULL, lease_until = NULL, intent = NULL"
            server.sql(f"UPDATE work_order SET {free} WHERE id = $1", number)
        server.sql(f"UPDATE work_order SET state = 'Started', {mine} WHERE id = $1", number)
        assert post(server, f"/{number}/retry").json()["code"] == "order_not_retryable"
        server.sql(f"UPDATE work_order SET {free} WHERE id = $1", number)
    assert one(server, number, wait=WAIT_S)["state"] == "Completed"


def test_a_failed_edit_is_tried_again_under_a_new_number(server: Running, a_file: Maker) -> None:
    name = a_file(OBJECT="first")
    with server.held(name):
        number = ask(server, name, OBJECT="second")
        post(server, f"/{number}/cancel")
    reply = post(server, f"/{number}/retry")
    assert reply.status_code == 200
    again = reply.json()["order"]
    assert again > number
    ended = one(server, again, wait=WAIT_S)
    assert (ended["state"], ended["actor"], ended["args"]["retries"]) == (
        "Completed",
        "the edit token",
        number,
    )
    assert one(server, number)["state"] == "Failed"
    with server.client() as client:
        header = client.get(f"/v1/files/{name}/headers/0", params={"format": "text"}).text
    assert "OBJECT  = 'second" in header
    done = post(server, f"/{again}/retry")
    assert (done.status_code, done.json()["code"]) == (409, "order_not_retryable")


def test_an_order_that_waits_for_its_time_runs_now(server: Running) -> None:
    ((number,),) = server.sql(
        "INSERT INTO work_order (kind, args, not_before)"
        " VALUES ('echo', '{\"echo\": 7}', now() + interval '1 hour') RETURNING id"
    )
    assert post(server, f"/{number}/retry").json() == {"order": number}
    assert one(server, number, wait=WAIT_S)["response"]["value"] == 7


def test_all_work_is_watched(server: Running, a_file: Maker) -> None:
    name = a_file()
    with server.held(name):
        number = ask(server, name, OBJECT="M31")
        with stream(server, "/events", kind="update_headers") as events:
            first = next(event for event in events if event.data["id"] == number)
            assert (first.kind, first.data["kind"]) == ("Queued", "update_headers")
            late = ask(server, name, OBJECT="M32")
            server.sql("UPDATE work_order SET not_before = now() WHERE kind = 'echo' AND state = 'Queued'")
            server.sql("SELECT pg_notify('work_queued', '')")
            ends: dict[int, str] = {}
            while not {number, late} <= ends.keys():
                event = next(events)
                assert event.data["kind"] == "update_headers"
                if event.kind in ("Completed", "Failed"):
                    ends[event.data["id"]] = event.kind
    assert (ends[number], ends[late]) == ("Completed", "Completed")


@pytest.mark.parametrize("path", ["/999999999", "/999999999/events"])
def test_an_order_that_is_not_there_is_named(server: Running, path: str) -> None:
    reply = get(server, path)
    assert (reply.status_code, reply.json()["code"]) == (404, "order_not_found")
    for action in ("cancel", "retry"):
        assert post(server, f"/999999999/{action}").json()["code"] == "order_not_found"
        assert post(server, f"/x/{action}").status_code == 422
    assert get(server, "/0").status_code == 422


def test_orders_are_for_operators_one_of_them_for_editors(server: Running, a_file: Maker) -> None:
    number = ask(server, a_file(), OBJECT="M31")
    one(server, number, wait=WAIT_S)
    for path in ("", "/events"):
        assert get(server, path, scope=None).status_code == 401
        for scope in (Scope.READ, Scope.EDIT):
            assert get(server, path, scope=scope).status_code == 403
    for action in ("cancel", "retry"):
        assert post(server, f"/{number}/{action}", scope=Scope.EDIT).status_code == 403
        assert post(server, f"/{number}/{action}", scope=None).status_code == 401
    assert get(server, f"/{number}", scope=None).status_code == 401
    mine = get(server, f"/{number}", scope=Scope.EDIT).json()
    # What an order says of cards may tell a position.
    assert (mine["state"], mine["args"], mine["response"]) == ("Completed", None, None)
    assert get(server, f"/{number}", scope=Scope.READ).json()["response"]["ok"]


def test_many_cancellations_and_claims_at_once_leave_each_order_one_end(
    server: Running, a_file: Maker
) -> None:
    name = a_file()
    numbers = [ask(server, name, SOAK0=number) for number in range(20)]
    replies = [post(server, f"/{number}/cancel") for number in reversed(numbers)]
    ended = {number: one(server, number, wait=WAIT_S)["state"] for number in numbers}
    for number, reply in zip(reversed(numbers), replies, strict=True):
        assert reply.status_code in (200, 409), reply.text
        assert ended[number] == ("Failed" if reply.status_code == 200 else "Completed")
    server.settle()
    with server.client(scope=Scope.READ) as client:
        edits = client.get(f"/v1/files/{name}/edits").json()["edits"]
    failed = {edit["order"] for edit in edits if edit["outcome"] == "failed"}
    assert failed == {number for number, state in ended.items() if state == "Failed"}
    assert len(edits) == len(numbers)
