"""Faults of ours reach the clients of header updates in their own form."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from uuid import uuid4

import asyncpg
import httpx
import pytest

from armillary.api.gemini.errors import NO_COOKIE
from armillary.app import create_app
from armillary.base.clock import SystemClock
from armillary.base.database_errors import DatabaseFull
from armillary.base.postgres.errors import ServerFailed
from armillary.edits.errors import OutcomeUnknown


class BrokenDatabase:
    """A database in which every statement fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[None]:
        raise self.error
        yield

    look = begin


async def ask(error: Exception, method: str, path: str, *, secret: str = "any") -> httpx.Response:
    app = create_app()
    app.state.context = SimpleNamespace(database=BrokenDatabase(error), clock=SystemClock())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return await client.request(method, path, headers={"X-Api-Key": secret} if secret else {})


@pytest.mark.parametrize(
    ("error", "status"), [(ZeroDivisionError(), 500), (ConnectionRefusedError(), 503), (ServerFailed(), 503)]
)
async def test_a_fault_is_a_list_of_one_refusal(error: Exception, status: int) -> None:
    for path in ("/update_headers", "/update_headers/"):
        reply = await ask(error, "POST", path)
        assert reply.status_code == status
        (element,) = reply.json()
        assert (list(element), element["result"]) == (["result", "error"], False)
        assert reply.headers["content-type"] == "application/json"
        assert (reply.headers["Cache-Control"], reply.headers["Expired"]) == ("no-cache", "-1")
        assert "Zero" not in reply.text


async def test_a_commit_without_an_answer_is_not_called_undone() -> None:
    reply = await ask(OutcomeUnknown(), "POST", "/update_headers")
    assert reply.status_code == 503
    (element,) = reply.json()
    assert "same Idempotency-Key" in element["error"]
    assert "nothing was queued" not in element["error"]


@pytest.mark.parametrize(
    "error",
    [
        DatabaseFull(),
        asyncpg.DiskFullError("INSERT INTO"),
        ZeroDivisionError(),
        asyncpg.UniqueViolationError(),
    ],
)
async def test_a_refusal_says_that_nothing_was_queued(error: Exception) -> None:
    (element,) = (await ask(error, "POST", "/update_headers")).json()
    assert "nothing was queued" in element["error"]
    assert "INSERT" not in element["error"]


@pytest.mark.parametrize("error", [ConnectionRefusedError(), DatabaseFull(), ZeroDivisionError()])
async def test_a_question_that_fails_says_nothing_of_what_was_queued_but_that_it_stays(
    error: Exception,
) -> None:
    reply = await ask(error, "GET", f"/update_headers/{uuid4()}")
    assert "nothing was queued" not in reply.text
    assert "what was queued stays queued" in reply.json()["error"]


async def test_a_full_database_is_not_called_away() -> None:
    for method, path in (
        ("POST", "/update_headers"),
        ("GET", f"/update_headers/{uuid4()}"),
        ("GET", "/v1/edits"),
    ):
        reply = await ask(DatabaseFull(), method, path)
        assert reply.status_code == 503
        assert "disk is full" in reply.text
        assert "away" not in reply.text


async def test_the_status_tells_a_fault_as_an_object() -> None:
    reply = await ask(ZeroDivisionError(), "GET", "/update_headers/x")
    assert (reply.status_code, list(reply.json())) == (500, ["error"])


async def test_a_broken_database_is_not_asked_by_those_without_a_cookie() -> None:
    reply = await ask(ZeroDivisionError(), "POST", "/update_headers", secret="")
    assert (reply.status_code, reply.text) == (403, NO_COOKIE)
