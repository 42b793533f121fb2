"""How an archive stands, in the words of those who run it."""

from __future__ import annotations

from dataclasses import dataclass

from armillary.base.clock import Instant


@dataclass(frozen=True, slots=True)
class Queue:
    """The unfinished orders of one kind; ages in seconds since they were accepted, or began.

    ``waiting`` counts those that are Queued, ``again`` those of them that have failed before; ``held`` are all
    that wait for room, those that are just trying included.
    """

    kind: str
    waiting: int
    again: int
    held: int
    started: int
    oldest_waiting_s: float | None
    oldest_started_s: float | None


@dataclass(frozen=True, slots=True)
class HeldOrders:
    """Orders that wait for room in one ``place``: the name of a root, `database`, or a kind of work.

    ``first`` is the oldest of them, accepted ``age_s`` seconds ago; the reason is what it met.
    """

    place: str
    orders: int
    first: int
    age_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class OldOrder:
    """The order that has been unfinished for longest."""

    id: int
    kind: str
    file: str
    state: str
    attempts: int
    error: str
    age_s: float


@dataclass(frozen=True, slots=True)
class WorkerLine:
    """A worker that lives, or whoever else holds leases.

    ``alive`` is None for those that do not register: commands that help with their own orders. ``seen_s`` is
    the time since the last sign of life; a worker that lives and gives none is stuck or paused.
    """

    owner: str
    name: str
    host: str
    pid: int | None
    slots: int | None
    up_s: float | None
    seen_s: float | None
    leases: int
    alive: bool | None


@dataclass(frozen=True, slots=True)
class Failure:
    """An order that failed for good."""

    id: int
    kind: str
    file: str
    reason: str
    attempts: int
    finished: Instant


@dataclass(frozen=True, slots=True)
class Disk:
    """A directory and the room on its file system, in bytes; None where this process cannot look."""

    name: str
    path: str
    free: int | None
    size: int | None


@dataclass(frozen=True, slots=True)
class Totals:
    """What the catalog holds; ``bytes`` of present files as stored. Estimates where ``exact`` is False."""

    files: int
    versions: int
    bytes: int
    exact: bool


@dataclass(frozen=True, slots=True)
class DestinationLine:
    """A server that versions are sent to, with what is wrong with it."""

    name: str
    active: bool
    away_until: Instant | None
    error: str


@dataclass(frozen=True, slots=True)
class ContestedName:
    """A name that identifies files, but stands for several contents: its places; searches find the last."""

    name: str
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """One look at everything; ``unclaimed`` are the roots that the archive may only read.

    Of ``contested`` names there are the first ones.
    """

    version: str
    archive: str
    schema: str
    schema_known: str
    postgresql: str
    database_bytes: int
    at: Instant
    totals: Totals
    queues: tuple[Queue, ...]
    held: tuple[HeldOrders, ...]
    oldest: OldOrder | None
    workers: tuple[WorkerLine, ...]
    failures: tuple[Failure, ...]
    failed: int
    disks: tuple[Disk, ...]
    destinations: tuple[DestinationLine, ...]
    unclaimed: tuple[str, ...]
    contested: tuple[ContestedName, ...]
