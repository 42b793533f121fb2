"""What an intake of paths would do, and why, without doing any of it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from armillary.archive.catalog import store
from armillary.archive.catalog.models import Root
from armillary.archive.intake import presence
from armillary.archive.intake.adoption import Finder
from armillary.archive.intake.bulk import Unsettled
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


async def plan(
    context: Context,
    paths: Sequence[Path],
    *,
    force: bool,
    verify: bool,
    unsettled: Unsettled | None = None,
) -> list[Planned]:
    """Return what an intake of paths would do with every file; nothing is written, and no file is opened.

    ``unsettled`` tells of which files of an ingestion root there is something to do though they did not change.
    """
    async with context.database.begin() as connection:
        roots = {root.path: root for root in await store.list_roots(connection) if root.path}
    finder = Finder([*roots], own=context.settings.data.resolve())
    found = await asyncio.to_thread(finder.search, paths)
    known: presence.Known = {}
    for whole in {path.resolve() if path.is_dir() else path.resolve().parent for path in paths}:
        known |= await presence.known_below(context, whole)
    planned = [Planned(str(path), Act.REFUSE, error.message) for path, error in found.failed]
    due = await _due(context, roots.values(), unsettled) if unsettled else set()
    for base, below in found.places:
        planned.append(_planned(base / below, known, due, force=force, verify=verify))
    there = {one.path for one in planned}
    inside = [path.resolve() for path in paths if path.is_dir()]
    for path in known.keys() - there:
        if any(Path(path).is_relative_to(one) for one in inside) and presence.state_of(Path(path)) is None:
            planned.append(Planned(path, Act.MARK_ABSENT, "the file is gone"))
    return sorted(planned, key=lambda one: one.path)


async def _due(context: Context, roots: Iterable[Root], unsettled: Unsettled) -> set[str]:
    """Return the paths of unchanged files of ingestion roots for which there is something to do."""
    profiled = [root for root in roots if root.profile]
    return {root.shown(place.key) for root in profiled for place in await unsettled(context, root)}


def _planned(
    path: Path, known: presence.Known, due: Collection[str], *, force: bool, verify: bool
) -> Planned:
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
    if text in due:
        return Planned(text, Act.INGEST, "a picture or movie beside it, a vocabulary or a profile changed")
    return Planned(text, Act.SKIP, "size and time stamp are those on record")
