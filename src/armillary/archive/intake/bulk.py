"""Take many files in at once and wait for every outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog import file_store, store
from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Location, Root
from armillary.archive.errors import FileUnreadable, FileVanished, NotWatchable
from armillary.archive.intake import orders, presence
from armillary.archive.intake.adoption import Finder, location_of, read_chunks
from armillary.archive.models import Identity
from armillary.base.place import root_name
from armillary.base.store import ObjectStore
from armillary.base.work import Outcome
from armillary.context import Context
from armillary.errors import ArmillaryError, Conflict, NotFound
from armillary.fits.containers import logical_name

if TYPE_CHECKING:
    from armillary.archive.query.models import Term

Unsettled = Callable[[Context, Root], Awaitable[Sequence[Location]]]
"""Returns the files of an ingestion root for which there is something to do though they did not change."""
PORTION = 5000
FIRST, GROWTH = 500, 2
"""Orders that are queued first, since work on them begins at once, and how much larger each next portion is."""
MOST_CONTESTED = 1000


@dataclass(slots=True)
class IngestReport:
    """What became of the files of a run."""

    ingested: int = 0
    skipped: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    contested: dict[str, list[str]] = field(default_factory=dict)
    """Names known alone that stand for several contents, with their places: searches find the last of them."""

    def to_json(self) -> dict[str, Any]:
        """Return the report for scripts."""
        failed = [{"path": path, "error": message} for path, message in self.failed]
        contested = [{"name": name, "places": places} for name, places in self.contested.items()]
        counts = {"ingested": self.ingested, "skipped": self.skipped}
        return {**counts, "failed": failed, "contested": contested}


@dataclass(slots=True)
class Run:
    """A run under way: the orders, each with the paths it was named by, and what is known of the result."""

    orders: dict[int, list[Path]] = field(default_factory=dict)
    report: IngestReport = field(default_factory=IngestReport)
    names: set[str] = field(default_factory=set)
    """Logical names of files that are known by them alone."""


@dataclass(slots=True)
class Search:
    """What was found: files that are to be queued, and what is asked of them; places where files are no more."""

    changed: Sequence[tuple[Location, Path]]
    missing: Sequence[Location] = ()
    asked: Mapping[str, Any] = field(default_factory=dict)
    run: Run = field(default_factory=Run)


async def submit_paths(context: Context, paths: Sequence[Path], **how: Any) -> Run:
    """Find the files below paths, as `search_paths` does and with what it takes, and queue their intake."""
    return await queue(context, await search_paths(context, paths, **how))


async def search_paths(
    context: Context,
    paths: Sequence[Path],
    *,
    copy: bool,
    force: bool,
    in_place: bool,
    watched: bool | None = None,
    verify: bool = False,
    options: Mapping[str, Any] | None = None,
    priority: int = 0,
    unsettled: Unsettled | None = None,
) -> Search:
    """Find the files below paths, adopted where they are or copied into the store, whose intake is to be queued.

    Parameters
    ----------
    watched
        Whether the roots of the files are watched from now on; None leaves that as it is.
    verify
        Whether files are read that seem not to have changed.
    options, priority
        What is asked of each file of an ingestion root, and how urgent it is.
    unsettled
        Tells of which files of an ingestion root there is something to do though they did not change.
    """
    run = Run()
    async with context.database.begin() as connection:
        own = await catalog.store_root(connection, context)
    if watched is not None:
        await watch(context, paths, watched=watched, in_place=in_place)
    async with context.database.begin() as connection:
        roots = await store.list_roots(connection)
    known = [] if copy else [root.path for root in (own, *roots) if root.path]
    finder = Finder(known, nested=not copy, own=context.settings.data.resolve())
    found = await asyncio.to_thread(finder.search, paths)
    run.report.failed += [(str(path), _naming(path, error.message)) for path, error in found.failed]
    placed = (
        await _copy(context, own, found.places, run)
        if copy
        else await _adopt(context, found.places, in_place)
    )
    run.names = await _known_by_name(context, placed)
    below = {} if copy else await _known_below(context, paths)
    everything = force or verify or options
    due = set() if everything or unsettled is None else await _due(context, placed, unsettled)
    changed = placed if everything else await asyncio.to_thread(_changed, placed, below, due)
    run.report.skipped += len(placed) - len(changed)
    there = {str(path) for _, path in placed}
    missing = [place for path, (place, _) in below.items() if path not in there]
    asked = {"force": force, "verify": verify, "options": options, "priority": priority}
    return Search(changed, missing, asked, run)


async def queue(context: Context, found: Search) -> Run:
    """Queue the intake of files that were found, and note by which path each was named."""
    run, start, size = found.run, 0, FIRST
    while portion := found.changed[start : start + size]:
        async with context.database.begin() as connection:
            places = [place for place, _ in portion]
            ids = await orders.submit_ingests(connection, places, actor="operator", **found.asked)
        for order, (_, path) in zip(ids, portion, strict=True):
            run.orders.setdefault(order, []).append(path)
        start, size = start + size, min(size * GROWTH, PORTION)
    # Last: where a file is no more that has moved, its new place is seen first.
    await presence.mark_missing(context, found.missing)
    return run


async def search_members(context: Context, terms: Sequence[Term], *, force: bool, verify: bool) -> Search:
    """Find all present files of which terms hold, for another intake."""
    # Only here: who takes directories in searches for nothing.
    from armillary.archive.query import service as query

    found: list[tuple[Location, Path]] = []
    after = 0
    members = query.members_of(terms, today=context.clock.now().date())
    while True:
        async with context.database.begin() as connection:
            roots = {root.id: root for root in await store.list_roots(connection)}
            rows = await query.page_of(connection, members, after=after, count=PORTION)
            versions = await file_store.present_of_files(connection, [row.file_id for row in rows])
        places = [one.location for one in versions]
        found += [(place, Path(roots[place.root_id].shown(place.key))) for place in places]
        if len(rows) < PORTION:
            return Search(found, asked={"force": force, "verify": verify})
        after = rows[-1].file_id


async def _known_by_name(context: Context, placed: Sequence[tuple[Location, Path]]) -> set[str]:
    """Return the logical names of those files whose roots know them by their names alone."""
    async with context.database.begin() as connection:
        roots = {one.id for one in await store.list_roots(connection) if one.identity is Identity.UNIQUE}
    return {logical_name(place.filename) for place, _ in placed if place.root_id in roots}


async def tell_contested(context: Context, run: Run) -> None:
    """Report names of a run that has ended which stand for several contents."""
    if run.names:
        async with context.database.begin() as connection:
            found = await catalog.contested(connection, names=run.names, most=MOST_CONTESTED)
        for one in found:
            run.report.contested.setdefault(one.key.name, []).append(one.shown)


async def _known_below(context: Context, paths: Sequence[Path]) -> presence.Known:
    """Return the files that the catalog believes below those of the paths that are directories."""
    known: presence.Known = {}
    for whole in {path.resolve() for path in paths if path.is_dir()}:
        known |= await presence.known_below(context, whole)
    return known


def _changed(
    placed: Sequence[tuple[Location, Path]], known: presence.Known, due: Collection[Location]
) -> Sequence[tuple[Location, Path]]:
    """Return the files that do not stand as the catalog knows them: the others need no order to be skipped.

    Those that are ``due`` are among them, however they stand.
    """
    return [
        (place, path)
        for place, path in placed
        if place in due or str(path) not in known or known[str(path)] != (place, presence.state_of(path))
    ]


async def _due(
    context: Context, placed: Sequence[tuple[Location, Path]], unsettled: Unsettled
) -> set[Location]:
    """Return of which files of ingestion roots there is something to do though they did not change."""
    here = {place.root_id for place, _ in placed}
    async with context.database.begin() as connection:
        roots = [root for root in await store.list_roots(connection) if root.profile and root.id in here]
    return {place for root in roots for place in await unsettled(context, root)}


async def watch(context: Context, paths: Sequence[Path], *, watched: bool, in_place: bool) -> None:
    """Let directories be roots whose new files are taken in by themselves, or no longer.

    Raises
    ------
    NotWatchable
        If a path is no directory, or only a part of a root.
    """
    for path in paths:
        whole = path.resolve()
        if not whole.is_dir():
            raise NotWatchable(f"{path} is no directory; only directories can be watched.")
        async with context.database.begin() as connection:
            for root in await store.list_roots(connection):
                if root.path and whole != root.path and whole.is_relative_to(root.path):
                    raise NotWatchable(
                        f"{path} is a part of {root.path}, which was taken in before; watch that as a whole."
                    )
            root = await _adopted(connection, context, whole, in_place)
            await store.set_watched(connection, root.id, watched)


async def _adopt(
    context: Context, places: Sequence[tuple[Path, Path]], in_place: bool
) -> list[tuple[Location, Path]]:
    roots: dict[Path, Root] = {}
    async with context.database.begin() as connection:
        for base in dict.fromkeys(base for base, _ in places):
            roots[base] = await _adopted(connection, context, base, in_place)
    return [(location_of(roots[base], below), base / below) for base, below in places]


async def _adopted(connection: AsyncConnection, context: Context, path: Path, in_place: bool) -> Root:
    """Return the root that a directory is, new ones as the settings say."""
    return await catalog.ensure_root(
        connection,
        root_name(path),
        path,
        in_place=in_place,
        visibility=catalog.visibility_of(context.settings.archive),
        identity=Identity(context.settings.archive.identity),
    )


async def _copy(
    context: Context, own: Root, places: Sequence[tuple[Path, Path]], run: Run
) -> list[tuple[Location, Path]]:
    """Copy files into the store; one that lies there with other bytes already is refused."""
    bytes_of = catalog.store_of(context, own)
    copied: list[tuple[Location, Path]] = []
    for base, below in places:
        source, place = base / below, location_of(own, below)
        try:
            if not await _is_copied(bytes_of, place.key, source):
                mtime_ns = source.stat().st_mtime_ns
                await bytes_of.write(place.key, read_chunks(source), mtime_ns=mtime_ns)
        except FileNotFoundError:
            run.report.failed.append((str(source), FileVanished(f"{source} is gone.").message))
        except OSError as error:
            run.report.failed.append((str(source), FileUnreadable(f"{source}: {error.strerror}.").message))
        except Conflict:
            run.report.failed.append((str(source), _other_bytes(source, place.key)))
        except ArmillaryError as error:
            run.report.failed.append((str(source), _naming(source, error.message)))
        else:
            copied.append((place, source))
    return copied


def _other_bytes(source: Path, key: str) -> str:
    return (
        f"{source}: the store holds {key} with other bytes already, which may have been edited;"
        " rename the file, or copy the directory above it."
    )


async def _is_copied(bytes_of: ObjectStore, key: str, source: Path) -> bool:
    try:
        stored = await bytes_of.head(key)
    except NotFound:
        return False
    state = source.stat()
    return (stored.size, stored.mtime_ns) == (state.st_size, state.st_mtime_ns)


def _naming(path: Path, message: str) -> str:
    return message if str(path) in message else f"{path}: {message}"


def collect(run: Run, ended: Mapping[int, Outcome]) -> IngestReport:
    """Count the outcomes of a run whose orders have ended; what was named again counts as skipped."""
    for order, paths in run.orders.items():
        response = ended[order].response
        value: Any = response.value or {}
        if not response.ok:
            run.report.failed += [(str(path), _naming(path, response.error)) for path in paths]
            continue
        new = value.get("outcome") == "ingested"
        run.report.ingested += new
        run.report.skipped += len(paths) - new
    return run.report
