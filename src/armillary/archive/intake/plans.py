"""What an intake of paths would do, and why, without doing any of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from armillary.archive.catalog import store
from armillary.archive.intake import presence
from armillary.archive.intake.adoption import Finder
from armillary.context import Context


class Act(StrEnum):
    """What would become of a file."""

    INGEST = "ingest"
    SKIP = "skip"
    REFUSE = "refuse"
    MARK_ABSENT = "mark absent"


@dataclass(frozen=True, slots=True)
class Planned:
    """A file, what would become of it, and why."""

    path: str
    act: Act
    why: str

    def to_json(self) -> dict[str, str]:
        """Return it for scripts."""
        return {**asdict(self), "act": str(self.act)}


async def plan(context: Context, paths: Sequence[Path], *, force: bool, verify: bool) -> list[Planned]:
    """Return what an intake of paths would do with every file; nothing is written, and no file is opened."""
    async with context.database.begin() as connection:
        roots = {root.path: root for root in await store.list_roots(connection) if root.path}
    finder = Finder([*roots], own=context.settings.data.resolve())
    found = await asyncio.to_thread(finder.search, paths)
    known: presence.Known = {}
    for whole in {path.resolve() if path.is_dir() else path.resolve().parent for path in paths}:
        known |= await presence.known_below(context, whole)
    planned = [Planned(str(path), Act.REFUSE, error.message) for path, error in found.failed]
    for base, below in found.places:
        planned.append(_planned(base / below, known, force=force, verify=verify))
    there = {one.path for one in planned}
    inside = [path.resolve() for path in paths if path.is_dir()]
    for path in known.keys() - there:
        if any(Path(path).is_relative_to(one) for one in inside) and presence.state_of(Path(path)) is None:
            planned.append(Planned(path, Act.MARK_ABSENT, "the file is gone"))
    return sorted(planned, key=lambda one: one.path)


def _planned(path: Path, known: presence.Known, *, force: bool, verify: bool) -> Planned:
    text, now = str(path), presence.state_of(path)
    then = known.get(text)
    if now is None:
        return Planned(text, Act.REFUSE, "the file is gone")
    if then is None:
        return Planned(text, Act.INGEST, "the archive does not know it")
    if force:
        return Planned(text, Act.INGEST, "by force")
    if verify:
        return Planned(text, Act.INGEST, "its bytes are to be compared")
    _, (size, mtime_ns) = then
    if size != now[0]:
        return Planned(text, Act.INGEST, f"its size was {size} bytes and is {now[0]}")
    if mtime_ns != now[1]:
        return Planned(text, Act.INGEST, "its time stamp changed")
    return Planned(text, Act.SKIP, "size and time stamp are those on record")
