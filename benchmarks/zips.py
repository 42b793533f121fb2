"""Benchmark 8: a zip of a hundred files of 20 MB, stored, its length known beforehand and any range to be had.

Engines are compared, without a network: both hand the bytes of the zip out to nobody. The peer is zipstream-ng,
which knows the length of a stored zip, too, and finds checksums while it reads; ours has them from the catalog,
where they are noted when a file arrives.
"""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from zipstream import ZIP_STORED, ZipStream

from armillary.api.http.zips import StoredMembers
from armillary.archive.catalog import service as catalog
from armillary.archive.download.service import ZipLayout
from armillary.archive.images import service as images
from armillary.archive.images.service import Directory
from armillary.base.database import Role
from armillary.base.work import Worker
from armillary.commands.work import KINDS
from armillary.context import Context, open_context
from armillary.settings import DatabaseSettings, Settings
from benchmarks.containers import an_image
from benchmarks.scratch import scratch
from benchmarks.table import Row, finish, interleave

FILES, HEIGHT, WIDTH = 100, 2500, 4000
ACCOUNT = "daemon"
ROUNDS = 3
CHUNK = 1 << 20


async def _in_pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), CHUNK):
        yield content[start : start + CHUNK]


async def _fill(context: Context) -> list[str]:
    """Take files in as a site sends them; return their keys."""
    async with context.database.begin() as connection:
        await catalog.own_roots(connection, context)
    content = an_image(HEIGHT, WIDTH)
    names = [f"saf-sq003ms-20261130-{number:08d}-EX00.fits" for number in range(FILES)]
    for name in names:
        await images.receive(
            context,
            _in_pieces(content),
            directory=Directory.DATA,
            name=name,
            size=len(content),
            actor="bench",
        )
    await Worker(context, KINDS, name="bench").drain()
    return [f"data/{name}" for name in names]


async def _layout(context: Context, keys: list[str]) -> tuple[ZipLayout, StoredMembers]:
    now = context.clock.now()
    async with context.database.begin() as connection:
        frozen = await images.freeze(connection, keys, filename="saf.zip", now=now, most=1 << 40)
        versions = await images.zip_versions(connection, frozen)
        roots = {root.id: root for root in await catalog.list_roots(connection)}
    members, ids = images.members_of(frozen)
    return ZipLayout(members), StoredMembers(context, [versions.get(one or 0) for one in ids], roots)


def _count(chunks: Iterable[bytes]) -> int:
    return sum(map(len, chunks))


def _check(layout: ZipLayout, read: StoredMembers, folder: Path) -> None:
    """Fail unless the zip opens with all its files, and a range of it is that of the whole."""
    target = folder / "whole.zip"
    with target.open("wb") as file:
        for chunk in layout.chunks(0, layout.size, read):
            file.write(chunk)
    with zipfile.ZipFile(target) as archive:
        if len(archive.namelist()) != FILES + 1 or archive.testzip() is not None:
            raise AssertionError("the zip does not hold its files")
    start, stop = layout.size // 3, layout.size // 3 + 3 * CHUNK
    with target.open("rb") as file:
        file.seek(start)
        if file.read(stop - start) != b"".join(layout.chunks(start, stop, read)):
            raise AssertionError("a range of the zip is not that of the whole")
    target.unlink()


async def _measure(folder: Path) -> list[Row]:
    settings = Settings(data=folder / "data", database=DatabaseSettings(account=ACCOUNT))
    async with open_context(settings, Role.WORKER) as context:
        keys = await _fill(context)
        layout, read = await _layout(context, keys)
        await asyncio.to_thread(_check, layout, read, folder)
        paths = [folder / "data" / "images" / key for key in keys]

        def ours() -> int:
            return _count(layout.chunks(0, layout.size, read))

        def theirs() -> int:
            stream = ZipStream(sized=True, compress_type=ZIP_STORED)
            for path in paths:
                stream.add_path(path)
            return _count(stream)

        def plain() -> int:
            return sum(_count(_pieces(path)) for path in paths)

        times = await asyncio.to_thread(
            interleave,
            {
                "ours": lambda: _count(layout.chunks(0, layout.size, read)),
                "zipstream-ng": theirs,
                "reading": plain,
            },
            rounds=ROUNDS,
        )
    work = f"zip of {FILES} x {_megabytes(paths):.0f} MB, engines alone"
    peers = {"zipstream-ng": times["zipstream-ng"], "reading the files": times["reading"]}
    return [Row("8", work, times["ours"], peers, {"zipstream-ng": 1.5, "reading the files": 0.95})]


def _pieces(path: Path) -> Iterable[bytes]:
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _megabytes(paths: list[Path]) -> float:
    """Return the mean size of files in megabytes."""
    return sum(path.stat().st_size for path in paths) / len(paths) / 1e6


def rows() -> list[Row]:
    """Measure and return the row of benchmark 8."""
    with scratch() as folder:
        return asyncio.run(_measure(folder))


if __name__ == "__main__":
    finish(rows())
