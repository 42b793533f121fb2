"""The words of cubes: what the files of ingestion roots are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from armillary.archive.catalog.models import Location
from armillary.archive.intake.fingerprints import Fingerprint

REFRESH = "refresh_vocabularies"
"""The kind of order that fetches vocabularies anew."""
STEPS = (
    "read",
    "product",
    "access",
    "header",
    "metadata",
    "tags",
    "derived",
    "previews",
    "svo",
    "snapshot",
)
"""The steps of a run, in their order."""
VERSIONS: Mapping[str, int] = {"metadata": 2, "derived": 1, "tags": 1}
"""Raised where a step comes out otherwise: what an earlier one made is made anew, without force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is asked of one file; None says nothing, and an empty list is a value like any other.

    Parameters
    ----------
    oid
        What its cube is to be called, if not as its headers say.
    owner_email_addresses, groups
        Who may read it before its release: they replace who might so far.
    image_source, video_source
        Paths below the root of the picture and the movie that are shown of it.
    make_images, make_video
        Whether there are to be pictures, and a movie.
    submit_svo
        Whether the virtual observatory may be told of it.
    swedish_data
        Whether the group of the setting `sst.swedish_group` may read it.
    additional
        Whether the oid is a second one of the file, beside that which it has.
    force
        Whether everything is done anew.
    verify
        Whether the bytes are read even if size and time stamp say that nothing has changed.
    """

    oid: str | None = None
    owner_email_addresses: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    image_source: str | None = None
    video_source: str | None = None
    make_images: bool | None = None
    make_video: bool | None = None
    submit_svo: bool | None = None
    swedish_data: bool | None = None
    additional: bool | None = None
    force: bool = False
    verify: bool = False

    @classmethod
    def of_args(cls, args: Mapping[str, Any]) -> Options:
        """Return the options that the arguments of an order hold."""
        said: dict[str, Any] = {
            name: args[name] for name in cls.__dataclass_fields__ if args.get(name) is not None
        }
        said = {name: tuple(one) if isinstance(one, list) else one for name, one in said.items()}
        return cls(**said)

    def to_args(self) -> dict[str, Any]:
        """Return them as arguments of an order: what says something."""
        said = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in said.items()
            if value is not None and (name not in ("force", "verify") or value)
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What the last good run of a cube saw and made.

    Parameters
    ----------
    fingerprint
        The file, HDU by HDU.
    mapping
        By which profiles its headers were read.
    steps
        The versions of steps by their names.
    vocabularies
        By which vocabularies its tags were found.
    told
        The warnings about derived data, by their kinds.
    order
        The order that it ran for.
    """

    fingerprint: Fingerprint
    mapping: str
    steps: Mapping[str, int]
    vocabularies: str | None
    told: Mapping[str, Sequence[str]]
    order: int

    def makes(self, step: str) -> bool:
        """Tell whether a step makes of the same what it made then."""
        return self.steps.get(step) == VERSIONS[step]

    def to_json(self) -> dict[str, Any]:
        """Return it as it is stored."""
        return {
            "fingerprint": self.fingerprint.to_json(),
            "mapping": self.mapping,
            "steps": dict(self.steps),
            "vocabularies": self.vocabularies,
            "told": {kind: list(warnings) for kind, warnings in self.told.items()},
            "order": self.order,
        }

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> Snapshot | None:
        """Return what was stored, None if it is of another form: then everything is made anew."""
        found = Fingerprint.of_json(stored.get("fingerprint") or {})
        if found is None or not {"mapping", "steps", "vocabularies", "told", "order"} <= stored.keys():
            return None
        return cls(
            fingerprint=found,
            mapping=stored["mapping"],
            steps=stored["steps"],
            vocabularies=stored["vocabularies"],
            told=stored["told"],
            order=stored["order"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cube:
    """A cube: a file by the name that it has for good, its oid."""

    id: int
    oid: str
    oid_given: bool
    file_id: int
    root_id: int
    path: str
    instrument: str
    observation_id: int
    date_beg: datetime | None
    date_end: datetime | None
    made: datetime | None
    grouping_tag: str | None
    features_ingested: bool
    events_ingested: bool
    published: bool
    warnings: tuple[str, ...]
    snapshot: Snapshot | None
    added: datetime
    updated: datetime

    @property
    def location(self) -> Location:
        """Where its file is."""
        return Location.of_key(self.root_id, self.path)
