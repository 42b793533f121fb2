"""Copies of vocabularies in the database: read from files and servers, kept when these are away."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.cubes.models import REFRESH
from armillary.archive.cubes.words import refresh as vocabularies
from armillary.archive.cubes.words.vocabularies import Vocabulary, assess
from armillary.base.work import Kind, Worker
from armillary.base.work.periods import submit_due
from armillary.context import Context
from armillary.settings import SstSettings
from tests.support.archive import Archive
from tests.support.vocabularies import VocabularyHost, vocabulary_host

TERMS = ("Sunspot", "Light bridge")
LONG_S = 60.0
"""For how long a server says nothing that is not waited for, and twice as long as anything else may take."""


@pytest.fixture
def host() -> Iterator[VocabularyHost]:
    with vocabulary_host() as one:
        yield one


class Cubes:
    """Notes when cubes are to be tagged anew, and by which vocabularies."""

    def __init__(self) -> None:
        self.queued: list[tuple[str, ...]] = []

    async def __call__(self, connection: AsyncConnection) -> None:
        found = await vocabularies.current(connection, "FEATURES")
        self.queued.append(found.terms if found else ())


def told(archive: Archive, sources: dict[str, str], **settings: Any) -> Context:
    """Return the context of an archive with other settings."""
    sst = SstSettings.model_validate({"vocabularies": sources, **settings})
    return replace(archive.context, settings=archive.context.settings.model_copy(update={"sst": sst}))


async def known(context: Context, name: str = "FEATURES") -> Vocabulary | None:
    async with context.database.begin() as connection:
        return await vocabularies.current(connection, name)


async def row(context: Context) -> Any:
    async with context.database.begin() as connection:
        return (await connection.execute(text("SELECT * FROM vocabulary"))).one()


async def pass_time(context: Context, seconds: float) -> None:
    async with context.database.begin() as connection:
        await connection.execute(
            text("UPDATE vocabulary SET checked = checked - make_interval(secs => :s)"), {"s": seconds}
        )


async def test_a_vocabulary_of_a_server_is_kept(archive: Archive, host: VocabularyHost) -> None:
    cubes, context = Cubes(), told(archive, {"FEATURES": f"{host.url}/features.txt"})
    assert await known(context) is None
    assert await vocabularies.refresh(context, retagging=cubes) == {"FEATURES": "changed"}
    found = await known(context)
    assert found == Vocabulary.of_terms("FEATURES", TERMS)
    # Not asked again before its time.
    assert await vocabularies.refresh(context, retagging=cubes) == {}
    assert len(host.asked) == 1
    # Cubes are queued in the transaction that brings the terms.
    assert cubes.queued == [TERMS]
    assert (await row(context)).error is None


@pytest.mark.parametrize("dated", [True, False])
async def test_news_are_asked_for_on_a_condition(dated: bool, archive: Archive, host: VocabularyHost) -> None:
    host.tagged, host.dated = not dated, dated
    cubes, context = Cubes(), told(archive, {"FEATURES": f"{host.url}/f"})
    await vocabularies.refresh(context, retagging=cubes)
    await pass_time(context, 3601)
    before = await row(context)
    assert await vocabularies.refresh(context, retagging=cubes) == {"FEATURES": "same"}
    assert host.asked[1] == (("/f", None, host.date) if dated else ("/f", host.etag, None))
    after = await row(context)
    assert after.checked > before.checked
    assert (after.fetched, after.terms) == (before.fetched, list(TERMS))
    assert len(cubes.queued) == 1


async def test_other_terms_queue_cubes(archive: Archive, host: VocabularyHost) -> None:
    cubes, context = Cubes(), told(archive, {"FEATURES": f"{host.url}/f"})
    await vocabularies.refresh(context, retagging=cubes)
    host.content = b"Pore\n"
    assert await vocabularies.refresh(context, retagging=cubes, now=True) == {"FEATURES": "changed"}
    assert cubes.queued == [TERMS, ("Pore",)]


async def test_a_copy_outlives_its_server(archive: Archive, host: VocabularyHost) -> None:
    cubes, context = Cubes(), told(archive, {"FEATURES": f"{host.url}/f"})
    await vocabularies.refresh(context, retagging=cubes)
    host.status = 503
    await pass_time(context, 3601)
    assert await vocabularies.refresh(context, retagging=cubes) == {"FEATURES": "stale"}
    assert await known(context) == Vocabulary.of_terms("FEATURES", TERMS)
    assert (await row(context)).error == "the server answers with status 503"
    # It is left alone for a while, and asked again before the usual time.
    assert await vocabularies.refresh(context, retagging=cubes) == {}
    host.status = 200
    await pass_time(context, 61)
    assert await vocabularies.refresh(context, retagging=cubes) == {"FEATURES": "same"}
    assert (await row(context)).error is None
    assert len(cubes.queued) == 1


async def test_tags_are_open_until_the_vocabulary_arrives(archive: Archive, host: VocabularyHost) -> None:
    host.status = 500
    cubes, context = Cubes(), told(archive, {"FEATURES": f"{host.url}/f"})
    assert await vocabularies.refresh(context, retagging=cubes) == {"FEATURES": "unknown"}
    async with context.database.begin() as connection:
        before = await vocabularies.configured(connection, context.settings.sst)
    assert assess({"FEATURES": "sunspot"}, before).digest is None
    assert cubes.queued == []
    host.status = 200
    await pass_time(context, 61)
    assert await vocabularies.refresh(context, retagging=cubes) == {"FEATURES": "changed"}
    async with context.database.begin() as connection:
        after = await vocabularies.configured(connection, context.settings.sst)
    found = assess({"FEATURES": "sunspot"}, after)
    assert (found.tags, found.digest is None) == ((("FEATURES", "Sunspot"),), False)
    assert cubes.queued == [TERMS]


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        ({"delay_s": LONG_S}, "no answer within 0.5 s"),
        ({"media_type": "text/html; charset=utf-8", "content": b"Pore"}, "a page, not with plain text"),
        ({"content": b""}, "no terms"),
        ({"content": b"Sunspot\n" * 200_000}, "more than 1048576 bytes"),
        ({"content": b"\xff\xfe"}, "no text in UTF-8"),
        ({"refers": {"/f": "http://localhost:9/f"}}, "refers to localhost:9; name that in the setting"),
        ({"refers": {"/f": "/f"}}, "more than 3 redirects"),
        ({"status": 404}, "status 404"),
    ],
)
async def test_bad_days_of_a_server_change_no_copy(
    day: dict[str, Any], reason: str, archive: Archive, host: VocabularyHost
) -> None:
    context = told(archive, {"FEATURES": f"{host.url}/f"})
    await vocabularies.refresh(context)
    for name, value in day.items():
        setattr(host, name, value)
    timeout_s = 0.5 if "delay_s" in day else 60.0
    hurried = told(archive, {"FEATURES": f"{host.url}/f"}, vocabulary_timeout_s=timeout_s)
    began = time.monotonic()
    assert await vocabularies.refresh(hurried, now=True) == {"FEATURES": "stale"}
    assert time.monotonic() - began < LONG_S / 2
    assert reason in (await row(context)).error
    assert await known(context) == Vocabulary.of_terms("FEATURES", TERMS)


async def test_a_redirect_within_the_server_is_followed(archive: Archive, host: VocabularyHost) -> None:
    host.refers = {"/f": "/g"}
    context = told(archive, {"FEATURES": f"{host.url}/f"})
    assert await vocabularies.refresh(context) == {"FEATURES": "changed"}
    assert [path for path, _, _ in host.asked] == ["/f", "/g"]


async def test_a_server_that_is_not_there_is_no_failure(archive: Archive) -> None:
    context = told(archive, {"FEATURES": "http://127.0.0.1:1/f"})
    assert await vocabularies.refresh(context) == {"FEATURES": "unknown"}
    assert "ConnectError" in (await row(context)).error


async def test_a_file_is_read_whenever_tags_are_found(archive: Archive) -> None:
    path = archive.directory / "features.txt"
    cubes, context = Cubes(), told(archive, {"FEATURES": str(path)})
    assert await vocabularies.refresh(context, retagging=cubes) == {"FEATURES": "unknown"}
    path.write_text("Sunspot\nLight bridge\n")
    assert await vocabularies.refresh(context, retagging=cubes) == {"FEATURES": "changed"}
    before = await row(context)
    assert await vocabularies.refresh(context, retagging=cubes) == {"FEATURES": "same"}
    assert await row(context) == before
    path.write_text("Sunspot\nLight Bridge\n")
    assert await vocabularies.refresh(context, retagging=cubes) == {"FEATURES": "changed"}
    assert cubes.queued == [TERMS, ("Sunspot", "Light Bridge")]


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
async def test_what_is_no_file_is_not_waited_for(make: Any, archive: Archive) -> None:
    path = archive.directory / "odd"
    make(path)
    context = told(archive, {"FEATURES": str(path)})
    assert await vocabularies.refresh(context) == {"FEATURES": "unknown"}


async def test_another_source_takes_the_place_of_the_first_one(
    archive: Archive, host: VocabularyHost
) -> None:
    await vocabularies.refresh(told(archive, {"FEATURES": f"{host.url}/f"}))
    cubes, context = Cubes(), told(archive, {"FEATURES": f"{host.url}/g"})
    # The same terms: nothing has to be tagged anew, but the other server's tag is not sent.
    assert await vocabularies.refresh(context, retagging=cubes) == {"FEATURES": "same"}
    assert host.asked[1] == ("/g", None, None)
    assert (await row(context)).source == f"{host.url}/g"
    assert cubes.queued == []
    assert await vocabularies.refresh(context) == {}


async def test_vocabularies_are_due_again_and_again(archive: Archive, host: VocabularyHost) -> None:
    context = told(archive, {"FEATURES": f"{host.url}/f", "EVENTS": f"{host.url}/e"}, vocabulary_refresh_s=60)
    assert vocabularies.periods_of(SstSettings()) == ()
    (period,) = vocabularies.periods_of(context.settings.sst)
    assert period.every_s == 60
    async with context.database.begin() as connection:
        (order,) = await submit_due(connection, [period])
    cubes = Cubes()
    work = partial(vocabularies.refresh_vocabularies, retagging=cubes)
    await Worker(context, [Kind(REFRESH, work)], name="test", slots=1).run_until([order])
    assert {path for path, _, _ in host.asked} == {"/f", "/e"}
    assert await known(context, "EVENTS") == Vocabulary.of_terms("EVENTS", TERMS)
    assert len(cubes.queued) == 2
