"""Cubes get tags in the words of vocabularies, also if these arrive or change later."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from armillary.archive.cubes import store
from armillary.archive.cubes.retagging import retagging
from armillary.archive.cubes.words import refresh as vocabularies
from armillary.base.postgres.server import EmbeddedServer
from armillary.demo.solar import SolarCube
from armillary.settings import SstSettings
from tests.support.ingestion import TINY, Observatory, an_observatory, steps_of
from tests.support.vocabularies import VocabularyHost, vocabulary_host

CUBE = SolarCube(**TINY, features="SUNSPOT , light bridge, Blob", events="MISSING")
SPOT, BRIDGE = ("FEATURES", "Sunspot"), ("FEATURES", "Light bridge")


@pytest.fixture
def host() -> Iterator[VocabularyHost]:
    with vocabulary_host() as one:
        yield one


@asynccontextmanager
async def words(server: EmbeddedServer, directory: Path, source: str) -> AsyncIterator[Observatory]:
    """Open an archive with a vocabulary of features."""
    sst = SstSettings(vocabularies={"FEATURES": source}, vocabulary_timeout_s=5)
    async with an_observatory(server, directory, sst=sst) as opened:
        yield opened


async def tags(observatory: Observatory) -> list[tuple[str, str]]:
    cube = await observatory.present(CUBE.oid)
    async with observatory.context.database.begin() as connection:
        return (await store.tags_of(connection, [cube.id]))[cube.id]


async def pass_time(observatory: Observatory) -> None:
    async with observatory.context.database.begin() as connection:
        await connection.execute(text("UPDATE vocabulary SET checked = checked - interval '2 minutes'"))


async def test_a_cube_is_tagged_as_it_comes_in(
    postgres: EmbeddedServer, tmp_path: Path, host: VocabularyHost
) -> None:
    async with words(postgres, tmp_path, f"{host.url}/f") as observatory:
        path = observatory.put(CUBE)
        assert steps_of(await observatory.take_in(path))["tags"] == ["done"]
        assert await tags(observatory) == [BRIDGE, SPOT]
        cube = await observatory.present(CUBE.oid)
        assert (cube.features_ingested, cube.events_ingested) == (True, False)
        assert cube.warnings == ("FEATURES: 'Blob' is not in the vocabulary",)
        again = steps_of(await observatory.take_in(path))
        assert again["tags"] == ["skipped: header and vocabularies are the same"]
        assert len(host.asked) == 1


async def test_a_host_that_is_away_leaves_tags_open_until_it_is_back(
    postgres: EmbeddedServer, tmp_path: Path, host: VocabularyHost
) -> None:
    host.status = 503
    async with words(postgres, tmp_path, f"{host.url}/f") as observatory:
        order = await observatory.take_in(observatory.put(CUBE))
        assert order.error is None
        assert "not known yet" in steps_of(order)["tags"][0]
        assert await tags(observatory) == []
        assert not (await observatory.present(CUBE.oid)).features_ingested
        host.status = 200
        await pass_time(observatory)
        await vocabularies.refresh(observatory.context, retagging=retagging(observatory.context.settings.sst))
        await observatory.drain()
        assert await tags(observatory) == [BRIDGE, SPOT]
        cube = await observatory.present(CUBE.oid)
        assert cube.features_ingested
        assert cube.warnings == ("FEATURES: 'Blob' is not in the vocabulary",)


async def test_other_words_of_a_file_change_the_tags_of_all_cubes(
    postgres: EmbeddedServer, tmp_path: Path
) -> None:
    source = tmp_path / "features.txt"
    source.write_text("Sunspot\nLight bridge\n")
    async with words(postgres, tmp_path, str(source)) as observatory:
        await observatory.take_in(observatory.put(CUBE))
        await observatory.drain()
        source.write_text("sunspot\nBlob\n")
        # Another cube comes in: with it, the news.
        other = replace(CUBE, scans=(5, 6))
        await observatory.take_in(observatory.put(other))
        await observatory.drain()
        assert await tags(observatory) == [("FEATURES", "Blob"), ("FEATURES", "sunspot")]
        cube, beside = await observatory.present(CUBE.oid), await observatory.present(other.oid)
        assert cube.warnings == beside.warnings == ("FEATURES: 'light bridge' is not in the vocabulary",)
        assert cube.snapshot is not None
        assert beside.snapshot is not None
        assert cube.snapshot.vocabularies == beside.snapshot.vocabularies


async def test_changed_words_of_a_header_replace_the_tags(
    postgres: EmbeddedServer, tmp_path: Path, host: VocabularyHost
) -> None:
    async with words(postgres, tmp_path, f"{host.url}/f") as observatory:
        path = observatory.put(CUBE)
        await observatory.take_in(path)
        observatory.put(replace(CUBE, features="Sunspot"))
        assert steps_of(await observatory.take_in(path))["tags"] == ["done"]
        assert await tags(observatory) == [SPOT]
        observatory.put(replace(CUBE, features=None))
        await observatory.take_in(path)
        assert await tags(observatory) == []
        assert not (await observatory.present(CUBE.oid)).features_ingested


async def test_without_vocabularies_words_are_warnings(observatory: Observatory) -> None:
    order = await observatory.take_in(observatory.put(CUBE))
    assert steps_of(order)["tags"] == ["done"]
    assert len((await observatory.present(CUBE.oid)).warnings) == 3
    assert await tags(observatory) == []
