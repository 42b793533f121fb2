"""The demonstration comes once, and leaves alone what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from armillary.commands.demo import show_demo
from armillary.demo import make_night, night_names
from armillary.fits.containers import logical_name
from tests.support.archive import Archive, archive, sha256
from tests.support.postgres import postgres

__all__ = ["archive", "postgres"]

Story = dict[str, tuple[int, int]]


@asynccontextmanager
async def at_work(archive: Archive) -> AsyncIterator[asyncio.Event]:
    """Work while the block runs."""
    stop = asyncio.Event()
    working = asyncio.create_task(archive.worker().run(stop))
    try:
        yield stop
    finally:
        stop.set()
        await working


async def story(archive: Archive) -> Story:
    """Return the number of versions and edits of every file."""
    pasts = {name: await archive.history(logical_name(name)) for name in night_names()}
    return {name: (len(past.versions), len(past.edits)) for name, past in pasts.items()}


async def test_a_second_start_changes_neither_files_nor_histories(archive: Archive) -> None:
    directory = archive.context.settings.data / "demo"
    async with at_work(archive) as stop:
        await show_demo(archive.context, "http://127.0.0.1", stop)
        await archive.set(logical_name(night_names()[3]), OBSERVER="me")
    before = await story(archive)
    digests = {path: sha256(path) for path in directory.iterdir()}
    assert sum(edits for _, edits in before.values()) == 5
    assert len(digests) == len(night_names())
    async with at_work(archive) as stop:
        await show_demo(archive.context, "http://127.0.0.1", stop)
    assert await story(archive) == before
    assert {path: sha256(path) for path in directory.iterdir()} == digests
    assert set((await archive.verify()).values()) == {""}


async def test_a_start_after_a_broken_off_one_completes_the_night(archive: Archive) -> None:
    directory = archive.context.settings.data / "demo"
    first, *_, last = make_night(directory)
    last.with_name(f".{last.name}.part").write_bytes(b"SIMPLE  =")
    whole = sha256(last)
    last.unlink()
    await archive.ingest(first, in_place=True)
    written = {path.name: path.stat().st_mtime_ns for path in directory.glob("[!.]*")}
    async with at_work(archive) as stop:
        await show_demo(archive.context, "http://127.0.0.1", stop)
    after = await story(archive)
    assert sum(edits for _, edits in after.values()) == 4
    untouched = {name for name, (versions, _) in after.items() if versions == 1}
    assert len(untouched) == len(night_names()) - 3
    for name in untouched - {last.name}:
        assert (directory / name).stat().st_mtime_ns == written[name]
    await archive.revert(logical_name(last.name))
    assert sha256(last) == whole
    assert not list(directory.glob(".*"))
