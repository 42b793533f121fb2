"""Everything that the server knows: datasets and their keywords, records, locations of files, tags, users."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

TEXT, BOOLEAN, INTEGER, REAL, TIME = "text", "boolean", "integer", "real", "time (ISO 8601)"


@dataclass(frozen=True)
class Keyword:
    """A field of the records of a dataset: its ``name`` there, and the FITS keyword that it is filled from."""

    name: str
    verbose_name: str
    type: str
    unit: str = ""
    description: str = ""


@dataclass(frozen=True)
class Dataset:
    """Records of one instrument; ``published`` says whether it has a list of records at all."""

    name: str
    instrument: str
    telescope: str
    keywords: tuple[Keyword, ...]
    group: str = "observers"
    published: bool = True

    @property
    def resource(self) -> str:
        """The name of the list of its records."""
        return f"metadata_{self.name.lower().replace(' ', '_')}"

    def keyword(self, name: str) -> Keyword | None:
        """Return the keyword of a field."""
        return next((one for one in self.keywords if one.name == name), None)


@dataclass
class Location:
    """Where the file of a record can be had."""

    id: int
    dataset: str
    file_url: str
    file_size: int
    file_path: str
    thumbnail_url: str | None = None
    offline: bool = False
    update_time: datetime = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Record:
    """The metadata of one file."""

    oid: str
    values: dict[str, Any] = field(default_factory=dict)
    fits_header: str = ""
    location: int | None = None
    tags: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class User:
    """Somebody with a key, and what the bearer may write."""

    name: str
    key: str
    password: str = "secret"  # noqa: S105
    records: bool = True
    locations: bool = True
    tags: bool = True
    groups: frozenset[str] = frozenset({"observers"})


@dataclass
class World:
    """The whole of it.

    Parameters
    ----------
    caches_totals
        Whether the number of records of a list is remembered for a day, as on the real server.
    full_lists
        Whether records of a list show their location as an object, or as its URI alone.
    ignores
        Parameters of queries that say nothing, as those of other versions of the server may.
    """

    datasets: dict[str, Dataset] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    records: dict[str, dict[str, Record]] = field(default_factory=dict)
    locations: dict[int, Location] = field(default_factory=dict)
    tags: dict[int, str] = field(default_factory=dict)
    totals: dict[object, tuple[int, datetime]] = field(default_factory=dict)
    caches_totals: bool = True
    full_lists: bool = True
    ignores: frozenset[str] = frozenset()
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def add_dataset(self, dataset: Dataset) -> None:
        """Let there be another dataset."""
        self.datasets[dataset.name] = dataset
        self.records[dataset.name] = {}

    def add_user(self, user: User) -> User:
        """Let there be another user."""
        self.users[user.name] = user
        return user

    def add_location(
        self, dataset: str, file_url: str, file_size: int, file_path: str, **more: Any
    ) -> Location:
        """Let there be another location, whatever it holds."""
        number = max(self.locations, default=0) + 1
        found = Location(number, dataset, file_url, file_size, file_path, update_time=self.now(), **more)
        self.locations[number] = found
        return found

    def tag(self, name: str) -> int:
        """Return the id of a tag, which is made if there is none."""
        known = next((number for number, one in self.tags.items() if one == name), None)
        if known is not None:
            return known
        number = max(self.tags, default=0) + 1
        self.tags[number] = name
        return number

    def seed(self, dataset: str, oids: Iterable[str], **values: Any) -> None:
        """Let there be records without going through the network: thousands take a moment."""
        for oid in oids:
            place = self.add_location(
                dataset, f"https://data.example/{len(self.locations)}", 2880, f"seeded/{oid}"
            )
            self.records[dataset][oid] = Record(oid, dict(values), location=place.id)

    def users_of(self, location: int) -> list[Record]:
        """Return the records of all datasets that share a location."""
        return [
            one for records in self.records.values() for one in records.values() if one.location == location
        ]

    def orphans(self) -> list[Location]:
        """Return the locations that no record uses."""
        used = {one.location for records in self.records.values() for one in records.values()}
        return [one for number, one in self.locations.items() if number not in used]
