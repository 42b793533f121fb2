"""Clients of a feed whose first part is forgotten are told so, on pages and on streams."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from armillary.archive.changes import service as changes
from armillary.base.feed.models import BEGINNING
from armillary.context import Context
from tests.support.night import gemini_file, write_as
from tests.support.running import Running, running

FORGOTTEN = 2
STREAM = {"Accept": "text/event-stream"}


@pytest.fixture(scope="module")
def cursors(forgetful: Running) -> list[str]:
    """Return the cursors of all changes, the first two of which are forgotten."""
    with forgetful.client() as client:
        whole = client.get("/v1/changes")
    assert whole.headers["armillary-truncated"] == "false"

    async def forget(context: Context) -> None:
        async with context.database.begin() as connection:
            soon = context.clock.now() + timedelta(minutes=1)
            assert await changes.forget(connection, before=soon, limit=FORGOTTEN) == FORGOTTEN

    forgetful.act(forget)
    return [one["cursor"] for one in whole.json()["changes"]]


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("forgetful")
    folder.chmod(0o711)
    with running(folder / "data") as one:
        for number in range(3):
            path: Path = folder / f"N20260101S000{number}.fits"
            one.ingest(write_as(path, gemini_file(DATALAB=f"GN-2026A-Q-1-1-00{number}")), copy=True)
        yield one


@pytest.mark.parametrize("headers", [{}, STREAM], ids=["page", "stream"])
def test_a_cursor_before_the_gap_is_refused(
    forgetful: Running, cursors: list[str], headers: dict[str, str]
) -> None:
    with forgetful.client(headers=headers) as client:
        for lost in (BEGINNING.token, *cursors[: FORGOTTEN - 1]):
            reply = client.get("/v1/changes", params={"after": lost})
            assert reply.headers["content-type"] == "application/problem+json"
            problem = reply.json()
            assert (reply.status_code, problem["code"]) == (410, "change_cursor_gone")
            assert "after=now" in problem["detail"]


def test_whoever_has_seen_all_that_is_forgotten_goes_on(forgetful: Running, cursors: list[str]) -> None:
    with forgetful.client() as client:
        reply = client.get("/v1/changes", params={"after": cursors[FORGOTTEN - 1]})
    assert [one["cursor"] for one in reply.json()["changes"]] == cursors[FORGOTTEN:]
    assert reply.headers["armillary-truncated"] == "false"


def test_an_answer_from_the_beginning_says_that_it_is_none(forgetful: Running, cursors: list[str]) -> None:
    with forgetful.client() as client:
        reply = client.get("/v1/changes")
        assert [one["cursor"] for one in reply.json()["changes"]] == cursors[FORGOTTEN:]
        assert reply.headers["armillary-truncated"] == "true"
        with client.stream("GET", "/v1/changes", headers=STREAM) as stream:
            assert stream.headers["armillary-truncated"] == "true"
            told = (line.removeprefix("id: ") for line in stream.iter_lines() if line.startswith("id: "))
            # The first one is where the stream begins.
            assert list(itertools.islice(told, 1 + len(cursors) - FORGOTTEN)) == cursors[FORGOTTEN - 1 :]
