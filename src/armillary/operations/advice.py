"""What of an archive is not as it should be, in words, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from armillary.operations.models import Disk, Status

LITTLE, VERY_LITTLE = 0.1, 0.03
"""Parts of a disk below which its room is a warning, and an alarm."""
SILENT_S, LONG_S = 20.0, 3600.0
"""A worker that gives no sign of life, and an order that waits, for longer are worth a look."""


class Weight(StrEnum):
    """How much it matters."""

    BAD = "bad"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Advice:
    """Something that is wrong, and what to do; ``command`` is what to type for that, if there is one."""

    weight: Weight
    wrong: str
    mend: str
    command: str = ""


def advice_on(status: Status) -> list[Advice]:
    """Return what is to be done, what is bad first."""
    found = [*_workers(status), *_orders(status), *_disks(status), *_catalog(status), *_destinations(status)]
    return sorted(found, key=lambda one: list(Weight).index(one.weight))


def _workers(status: Status) -> Iterator[Advice]:
    living = [one for one in status.workers if one.alive]
    if not living:
        yield Advice(
            Weight.BAD,
            "No worker lives: what is accepted waits.",
            "Start the archive, or a worker of it, on the machine that owns the files.",
            "armillary up",
        )
    for one in living:
        if (one.seen_s or 0.0) > SILENT_S:
            yield Advice(
                Weight.WARN,
                f"The worker {one.name} (process {one.pid} on {one.host}) lives, and has given no sign of life"
                f" for {one.seen_s:.0f} s.",
                "It is paused, or its machine is overloaded or waits for a disk; look there.",
            )


def _orders(status: Status) -> Iterator[Advice]:
    for one in status.held:
        yield Advice(
            Weight.BAD,
            f"Orders that wait for room in {one.place}: {one.orders}. {one.reason}",
            "Make room there. They go on by themselves, and none is lost.",
            f"armillary orders show {one.first}",
        )
    old = status.oldest
    if old is not None and old.age_s > LONG_S:
        why = f" The last run ended so: {old.error}" if old.error else ""
        yield Advice(
            Weight.WARN,
            f"Order {old.id} ({old.kind} {old.file}) has not ended for {old.age_s / 3600:.1f} h.{why}",
            "See what it waits for.",
            f"armillary orders show {old.id}",
        )
    if status.failed:
        yield Advice(
            Weight.WARN,
            f"Orders that failed for good, of those on record: {status.failed}.",
            "Read the reasons; try again what should have worked.",
            "armillary orders list --state Failed",
        )


def _disks(status: Status) -> Iterator[Advice]:
    for one in status.disks:
        # Where this process may not look, a worker may.
        if one.free is not None and one.size and (part := one.free / one.size) < LITTLE:
            yield _room(one, part)


def _room(disk: Disk, part: float) -> Advice:
    weight = Weight.BAD if part < VERY_LITTLE else Weight.WARN
    return Advice(
        weight,
        f"The file system of {disk.name} has {part:.1%} of its room left.",
        "Make room, or move the root to a larger disk, before edits and uploads have to wait.",
    )


def _catalog(status: Status) -> Iterator[Advice]:
    if status.schema != status.schema_known:
        yield Advice(
            Weight.BAD,
            f"The schema of the database is {status.schema}; this program has {status.schema_known}.",
            "Upgrade it, with all processes of the archive stopped.",
            "armillary db upgrade",
        )
    for name in status.unclaimed:
        yield Advice(
            Weight.WARN,
            f"The archive may only read the files of {name}: another one may own them.",
            "Claim them, if they are those of this archive.",
            f"armillary root claim {name}",
        )
    for one in status.contested:
        yield Advice(
            Weight.WARN,
            f"Several files are called {one.name}: {', '.join(one.places)}. Searches find the last one.",
            "Rename or remove the others.",
        )


def _destinations(status: Status) -> Iterator[Advice]:
    for one in status.destinations:
        if one.away_until is not None and one.away_until > status.at:
            yield Advice(
                Weight.WARN,
                f"The server {one.name}, which files are exported to, does not answer: {one.error}",
                "Exports wait and are tried again; see whether it runs and can be reached.",
            )
