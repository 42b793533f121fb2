"""Thousands of files and hundreds of cubes, taken in by two workers that are killed at random instants.

A reader looks all the time: whatever it sees is whole. In the end every file is there once.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from armillary.access.models import ANYBODY
from armillary.archive.cubes import service as cubes
from armillary.archive.cubes.models import Options
from armillary.archive.intake import bulk
from armillary.archive.query import search
from armillary.base.database import Database, Role
from armillary.base.identity import settle_in
from armillary.base.postgres.server import EmbeddedServer
from armillary.context import Context
from armillary.demo.solar import SolarCube, write_cube
from tests.crash.test_intake import KINDS
from tests.support.archive import put
from tests.support.cube_puppets import BUSY, context_of, root_of
from tests.support.headers import a_card, a_primary
from tests.support.ingestion import TINY
from tests.support.patience import in_time
from tests.support.postgres import fresh_database
from tests.support.puppets import PATIENCE_S, Puppet, theatre

FILES, CUBES = 3000, 60
WORKERS = 2
LOOK_S = 0.02
PARTIAL = {
    "frame without version": "SELECT file_id FROM frame AS f WHERE NOT EXISTS"
    " (SELECT FROM version AS v WHERE v.file_id = f.file_id AND v.present)",
    "version without frame": "SELECT file_id FROM version AS v WHERE v.present AND NOT EXISTS"
    " (SELECT FROM frame AS f WHERE f.file_id = v.file_id)",
    "file of two versions": "SELECT file_id FROM version GROUP BY file_id HAVING count(*) > 1",
    "cube without frame": "SELECT oid FROM cube AS c WHERE NOT EXISTS"
    " (SELECT FROM frame AS f WHERE f.file_id = c.file_id)",
    "cube without what is derived": "SELECT oid FROM cube AS c WHERE array(SELECT d.kind FROM cube_derived AS d"
    f" WHERE d.cube_id = c.id ORDER BY d.kind) <> ARRAY{KINDS}",
    "observation of another span": "SELECT o.key FROM observation AS o"
    " LEFT JOIN cube AS c ON c.observation_id = o.id GROUP BY o.id HAVING count(c.id) = 0"
    " OR o.date_beg IS DISTINCT FROM min(c.date_beg) OR o.date_end IS DISTINCT FROM max(c.date_end)",
    "order that ended well without its cube": "SELECT id FROM work_order AS w WHERE kind = 'ingest_cube'"
    " AND state = 'Completed'"
    " AND NOT EXISTS (SELECT FROM cube AS c WHERE c.id = (w.response->'value'->>'cube')::bigint)",
    "order that ended well without its steps": "SELECT id FROM work_order AS w WHERE kind = 'ingest_cube'"
    " AND state = 'Completed' AND w.steps->-1->>'name' IS DISTINCT FROM 'snapshot'",
    "order that failed": "SELECT kind, error FROM work_order WHERE state = 'Failed'",
}
"""What nobody may ever see, as statements that return it."""
UNFINISHED = """
SELECT count(*) FROM work_order WHERE state IN ('Queued', 'Started') AND kind IN ('ingest', 'ingest_cube')
"""


@dataclass
class Crowd:
    """An archive, the files that are to come in, and what a reader saw that it should not have."""

    context: Context
    strings: str
    files: Path
    chance: random.Random
    broken: list[str] = field(default_factory=list)
    kills: int = 0
    looks: int = 0

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return rows of the database."""
        async with self.context.database.begin() as connection:
            return [tuple(row) for row in await connection.exec_driver_sql(query)]

    async def submit(self, below: Sequence[str]) -> None:
        """Order everything; a part of it twice, while it is taken in."""
        options = {"copy": False, "force": False, "in_place": False}
        await bulk.submit_paths(self.context, [self.files], **options)
        for path in below:
            await cubes.submit(self.context, path, Options(), root=None, actor="crowd")
        await asyncio.sleep(1.0)
        await bulk.submit_paths(self.context, [self.files], **options)
        for path in below[::3]:
            await cubes.submit(self.context, path, Options(), root=None, actor="crowd")

    async def besieged(self, below: Sequence[str]) -> None:
        """Order everything, and let it be taken in by workers that die, under the eyes of a reader."""
        done = asyncio.Event()
        lives = [asyncio.create_task(self._lives(done)) for _ in range(WORKERS)]
        reader = asyncio.create_task(self._read(done))
        await self.submit(below)
        await self._ended(reader)
        done.set()
        await asyncio.gather(reader, *lives)

    async def _ended(self, reader: asyncio.Task[None]) -> None:
        """Wait until nothing is left to do, or the reader has seen enough."""
        end = time.monotonic() + PATIENCE_S
        while (await self.rows(UNFINISHED))[0][0]:
            in_time(end)
            if (await asyncio.wait({reader}, timeout=0.1))[0]:
                return

    async def _lives(self, done: asyncio.Event) -> None:
        while not done.is_set():
            puppet = await asyncio.to_thread(Puppet, self.strings, BUSY)
            with suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), self.chance.uniform(0.2, 2.5))
            self.kills += not done.is_set()
            await asyncio.to_thread(puppet.kill)

    async def _read(self, done: asyncio.Event) -> None:
        """Look at everything again and again; each look is one statement, and so at one instant."""
        while not (done.is_set() or self.broken):
            for name, query in PARTIAL.items():
                if found := await self.rows(query):
                    self.broken.append(f"{name}: {found[:3]}")
            await self._search()
            self.looks += 1
            await asyncio.sleep(LOOK_S)

    async def _search(self) -> None:
        """Search as everybody may: what is listed can be listed, whatever its state."""
        async with self.context.database.begin() as connection:
            today = self.context.clock.now().date()
            page = await search.search(connection, (), ANYBODY, today=today, limit=20)
        self.broken += [f"a frame without instrument: {one}" for one in page.frames if not one["instrument"]]


def write_files(directory: Path, count: int) -> set[str]:
    """Write small files, and return their names."""
    card = a_card("INSTRUME= 'GMOS-S'")
    names = {f"S20260101S{number:05}.fits" for number in range(count)}
    for name in names:
        put(directory / name[-6:-5] / name, a_primary(card, a_card(f"OBJECT  = '{name}'")))
    return names


def write_cubes(root: Path, count: int) -> list[str]:
    """Write tiny cubes, of which ten each are one observation; return their paths below the root."""
    paths = []
    for number in range(count):
        begin = SolarCube().begin + timedelta(minutes=number)
        cube = SolarCube(begin=begin, point_id=f"p{number // 10}", features=None, **TINY)
        paths.append(str(write_cube(root / f"{number % 7}", cube).relative_to(root)))
    return paths


async def besiege(
    server: EmbeddedServer, directory: Path, *, files: int, number: int, seed: int
) -> tuple[Crowd, list[str]]:
    """Take in so many files and so many cubes; return every broken promise."""
    data, raw = directory / "data", directory / "raw"
    names, below = write_files(raw, files), write_cubes(root_of(data), number)
    async with fresh_database(server) as name:
        database = await Database.connect(server, Role.WORKER, name=name, home=data, pool_size=3)
        await settle_in(database, data, own_database=False, may_write=True)
        context = context_of(database, data)
        try:
            await cubes.register(context)
            with theatre(server, name, data, module="tests.support.cube_puppets") as strings:
                crowd = Crowd(context, strings, raw, random.Random(seed))
                await crowd.besieged(below)
            return crowd, crowd.broken + await _missing(crowd, names, below)
        finally:
            context.stores.close()
            await context.signals.close()
            await database.close()


async def _missing(crowd: Crowd, names: set[str], below: Sequence[str]) -> list[str]:
    """Return what is not as it should be in the end."""
    found = await crowd.rows("SELECT name FROM file JOIN frame ON frame.file_id = file.id")
    expected = sorted([*names, *(Path(path).name for path in below)])
    broken = [] if sorted(name for (name,) in found) == expected else ["not every file is there once"]
    paths = sorted(path for (path,) in await crowd.rows("SELECT path FROM cube"))
    return broken + ([] if paths == sorted(below) else ["not every cube is there once"])


async def test_every_file_comes_in_once_whoever_is_killed(postgres: EmbeddedServer, tmp_path: Path) -> None:
    crowd, broken = await besiege(postgres, tmp_path, files=FILES, number=CUBES, seed=random.randrange(2**31))
    print(f"{crowd.kills} kills, {crowd.looks} looks")
    assert broken == []
    assert crowd.kills > 0
    assert crowd.looks > 0
