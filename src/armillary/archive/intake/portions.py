"""Many small files, looked at by a child process: read, described, made rows of, and drawn.

What is done there keeps no other thread of this process waiting for the interpreter, and each core has a child.
It loads no more than this needs, and asks no database. What a child cannot tell of a file is left to its parent.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from armillary.archive.catalog.models import Location, Root, Version
from armillary.archive.catalog.rows import Entry, NewVersion, positions_of
from armillary.archive.intake.looks import Bytes, Candidate, look_through
from armillary.archive.intake.profiles import profiles_of
from armillary.archive.intake.reading import describer_of
from armillary.archive.products.models import Kept, fingerprint, may_have_tiles
from armillary.base.memory import uncollected
from armillary.base.store import StoredObject
from armillary.base.store.stores import Stores

if TYPE_CHECKING:
    from armillary.settings import ArchiveSettings

TOGETHER = 50
"""Files between two looks at the clock."""


class Rules(NamedTuple):
    """What the settings say of files. The settings themselves would take a child longer to load than all else."""

    profiles: Path | None
    site: str
    max_header: int
    max_unpacked: int
    preview_px: int
    tiles_px: int

    @classmethod
    def of(cls, settings: ArchiveSettings) -> Rules:
        """Return those of the settings."""
        return cls(*(getattr(settings, name) for name in cls._fields))


@dataclass(frozen=True, slots=True)
class Asked:
    """A file to be looked at, what the catalog knows of it, and what its order asks."""

    location: Location
    known: Version | None
    args: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Portion:
    """Files to be looked at together: where they lie, where pictures of them are to be stored.

    After so many ``seconds`` no more files are looked at, and these are left to the parent as well.
    """

    rules: Rules
    roots: Mapping[int, Root]
    private: Path
    objects: Path
    now: datetime
    seconds: float
    files: Sequence[Asked]


class Looked(NamedTuple):
    """What was seen of a file: that it need not be taken in, or all that the catalog is to know.

    Of most files an entry says that. ``source`` is the word for their data.
    """

    stored: StoredObject
    skipped: str = ""
    bytes: Bytes | None = None
    entry: Entry | None = None
    new: NewVersion | None = None
    source: str = ""
    pictures: Sequence[Kept] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What was seen of each file; None of one that is not small, or with which something is wrong.

    ``damaged`` are pictures of which there are other bytes in the store.
    """

    files: Sequence[Looked | None]
    damaged: Mapping[str, bytes]


def get_ready(profiles: Path | None) -> None:
    """Load what is needed to look at files, in a child process that nobody waits for yet."""
    with uncollected():
        import armillary.archive.products.drawing  # noqa: F401

        profiles_of(profiles)
        # The library for places on the sky is loaded by the first of them.
        positions_of([(0.0, 0.0)])


def look_at_all(portion: Portion) -> Answer:
    """Look at the files of a portion, in a child process."""
    with uncollected():
        return _answer(portion)


def _answer(portion: Portion) -> Answer:
    rules, until = portion.rules, time.monotonic() + portion.seconds
    stores = Stores(portion.private)
    with closing(stores):
        opened = {
            number: stores.at(root.name, root.url, in_place=root.in_place, claimed=root.claimed)
            for number, root in portion.roots.items()
        }
        candidates = [
            Candidate(
                None,
                portion.roots[one.location.root_id],
                opened[one.location.root_id],
                one.location,
                one.known,
                portion.now,
                args=one.args,
            )
            for one in portion.files
        ]
        describer = describer_of(profiles_of(rules.profiles), rules.site)
        for start in range(0, len(candidates), TOGETHER):
            if time.monotonic() < until:
                look_through(candidates[start : start + TOGETHER], rules, describer, small=True)
    pictures, damaged = _draw(candidates, portion)
    positions = positions_of([one.new.sky if one.new else None for one in candidates])
    told = zip(candidates, positions, pictures, strict=True)
    return Answer([_looked(*one, rules.tiles_px) for one in told], damaged)


def _draw(
    candidates: Sequence[Candidate], portion: Portion
) -> tuple[Sequence[Sequence[Kept]], Mapping[str, bytes]]:
    """Draw and store the pictures of files whose pixels are at hand; return what is damaged there, too."""
    pixels = [one.examined.pixels if one.new and one.examined else None for one in candidates]
    if not any(pixels):
        return [()] * len(candidates), {}
    # Only here: arrays and pictures take long to load.
    from armillary.archive.products.drawing import draw_and_keep

    images = [(one.image, one.content) if one else None for one in pixels]
    return draw_and_keep(images, portion.rules.preview_px, portion.objects)


def _looked(
    candidate: Candidate, position: int | None, pictures: Sequence[Kept], tiles_px: int
) -> Looked | None:
    stored, new = candidate.stored, candidate.new
    if stored is None or candidate.error is not None:
        return None
    if candidate.skipped:
        return Looked(stored, candidate.skipped, candidate.bytes)
    if new is None:
        return None
    # More than an entry is asked of what may get tiles, and of what may have moved.
    whole = candidate.known is not None or may_have_tiles(new, tiles_px)
    return Looked(
        stored,
        bytes=candidate.bytes,
        entry=None if whole else new.entry(position),
        new=new.with_rows() if whole else None,
        source=fingerprint(new),
        pictures=pictures,
    )
