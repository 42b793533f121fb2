"""Files under every kind of embargo, people of every kind, and an oracle written from the specification alone.

Header-updates specification, section 7.4: pixels are for whoever shows the reading cookie or is staff, of
engineering data, of data whose RELEASE is set and not after today, of a program, observation, file or instrument
that was granted. A null release is never public. Metadata is public except coordinates when PROP_MD is true.

That is for collections whose metadata are told. In an open one, what has no release is public. In a hidden one,
who may not have the pixels is told nothing, unless the metadata were granted.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from astropy.io import fits

from armillary.access.models import Grantee, Holder, Level, Scope
from armillary.access.service import GrantKind
from tests.support.frames import a_header

PAST, FUTURE = date(2020, 1, 1), date(2900, 1, 1)
CONTAINERS = ("", ".bz2", ".fz")
PROGRAMS = {"": "GN-2026A-Q-10", ".bz2": "GN-2026A-Q-11", ".fz": "GS-2026A-Q-12"}


@dataclass(frozen=True)
class Sealed:
    """A file and what the oracle has to know of it."""

    number: int
    kind: str
    container: str
    release: date | None
    program: str
    engineering: bool = False
    proprietary: bool = False
    collection: Level = Level.METADATA
    cards: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stored(self) -> str:
        """The name under which it is stored."""
        return f"N20260111S{self.number:04d}.fits{self.container}"

    @property
    def name(self) -> str:
        """The logical name."""
        return self.stored.removesuffix(".bz2")

    @property
    def observation(self) -> str:
        """The observation, one per file."""
        return f"{self.program}-{self.number}"

    @property
    def instrument(self) -> str:
        """The instrument: that of the south for the files that are compressed by tiles."""
        return "GMOS-S" if self.container == ".fz" else "GMOS-N"

    @property
    def place(self) -> tuple[float, float]:
        """Right ascension and declination in degrees, far from all others, their decimals like no others."""
        return round(7.00137 * self.number + 3.41773, 5), round(3.20291 * self.number - 71.83157, 5)

    @property
    def target(self) -> str:
        """The name of what was observed."""
        return f"Target{self.number:02d}X"

    @property
    def positions(self) -> dict[str, float]:
        """Keywords of the primary header that tell where the telescope pointed, with values of this file alone."""
        ra, dec = self.place
        return {
            "RA": ra,
            "DEC": dec,
            "AIRMASS": round(1.000613 + self.number / 100, 6),
            "AZIMUTH": round(100.07129 + self.number, 5),
            "ELEVATIO": round(40.05837 + self.number, 5),
            "CRPA": round(60.09341 + self.number, 5),
        }

    @property
    def secrets(self) -> list[str]:
        """Texts that nobody may read who may not know the position."""
        numbers = [*self.positions.values(), *self._world.values()]
        return [self.target, *map(repr, numbers)]

    @property
    def _world(self) -> dict[str, float]:
        ra, dec = self.place
        return {"CRVAL1": round(ra + 0.00211, 5), "CRVAL2": round(dec + 0.00317, 5)}

    def content(self) -> bytes:
        """Return the bytes of the file, before bzip2."""
        primary = fits.PrimaryHDU()
        place = {"INSTRUME": self.instrument, "OBJECT": self.target, **self.positions}
        ids = {"GEMPRGID": self.program, "OBSID": self.observation, "DATALAB": f"{self.observation}-001"}
        release = {"RELEASE": self.release.isoformat() if self.release else None}
        for key, value in a_header(**{**place, **ids, **release, **self.cards}).items():
            primary.header[key] = value
        primary.header["PROP_MD"] = self.proprietary
        pixels = np.random.default_rng(self.number).normal(1000, 30, (32, 64)).astype("i2")
        kind = fits.CompImageHDU if self.container == ".fz" else fits.ImageHDU
        science = kind(pixels, name="SCI")
        science.header.update(self._world)
        with io.BytesIO() as written:
            fits.HDUList([primary, science]).writeto(written)
            return written.getvalue()


KINDS: tuple[dict[str, Any], ...] = (
    {"kind": "released", "release": PAST},
    {"kind": "to be released", "release": FUTURE},
    {"kind": "without a release", "release": None},
    {"kind": "engineering", "release": FUTURE, "engineering": True, "program": "GN-ENG20260111"},
    {"kind": "proprietary", "release": FUTURE, "proprietary": True},
    {"kind": "proprietary without a release", "release": None, "proprietary": True},
    {"kind": "proprietary and released", "release": PAST, "proprietary": True},
    {
        "kind": "calibration", "release": FUTURE, "program": "GN-CAL20260111",
        "cards": {"OBSTYPE": "BIAS", "OBSCLASS": "dayCal"},
    },
)  # fmt: skip
COLLECTIONS = {Level.METADATA: CONTAINERS, Level.OPEN: ("",), Level.HIDDEN: ("", ".bz2")}
"""Collections by what strangers are told of them, and the containers of their files."""
FILES = tuple(
    Sealed(number=number, container=container, collection=level, **{"program": PROGRAMS[container], **kind})
    for number, (level, kind, container) in enumerate(
        ((level, *one) for level, found in COLLECTIONS.items() for one in itertools.product(KINDS, found)), 1
    )
)


@dataclass(frozen=True)
class Person:
    """Somebody who asks: what the token is for, what it was granted, and how it is shown."""

    name: str
    scopes: tuple[Scope, ...] = ()
    grants: Mapping[GrantKind, str] = field(default_factory=dict)
    shown_as: str = "X-Api-Key: {}"
    told: Mapping[GrantKind, str] = field(default_factory=dict)
    as_whom: Grantee | None = None
    """Whom grants are made to instead of the token: an address or a group, which the token is bound to."""

    @property
    def grantee(self) -> Grantee:
        """To whom things are granted."""
        return self.as_whom or Grantee(Holder.TOKEN, self.name)

    def bound(self, holder: Holder) -> tuple[str, ...]:
        """Return what the token is bound to: in other letters than the grant, as people write addresses."""
        if self.as_whom is None or self.as_whom.holder is not holder:
            return ()
        name = self.as_whom.name
        return (name.upper() if holder is Holder.EMAIL else name,)

    def may_have(self, one: Sealed, today: date) -> bool:
        """Tell whether the person may have the pixels of a file."""
        everything = Scope.READ in self.scopes or Scope.ADMIN in self.scopes
        public = one.collection is Level.OPEN if one.release is None else one.release <= today
        return everything or one.engineering or public or _is_of(one, self.grants)

    def may_find(self, one: Sealed, today: date) -> bool:
        """Tell whether the person may know that there is such a file."""
        told = one.collection is not Level.HIDDEN or _is_of(one, self.told)
        return told or self.may_have(one, today)

    def may_know(self, one: Sealed, today: date) -> bool:
        """Tell whether the person may know where the telescope pointed."""
        return self.may_find(one, today) and (not one.proprietary or self.may_have(one, today))


def _is_of(one: Sealed, given: Mapping[GrantKind, str]) -> bool:
    subjects = {
        "program": one.program,
        "observation": one.observation,
        "instrument": one.instrument,
        "file": one.name,
    }
    return any(subjects[kind] == subject for kind, subject in given.items())


def sealed(kind: str, container: str, collection: Level = Level.METADATA) -> Sealed:
    """Return the file of a kind in a container."""
    wanted = (kind, container, collection)
    return next(one for one in FILES if (one.kind, one.container, one.collection) == wanted)


NOBODY = Person("")
PEOPLE = (
    NOBODY,
    Person("stranger", shown_as="X-Api-Key: arm_unknown"),
    Person("editor", (Scope.EDIT,)),
    Person("uploader", (Scope.UPLOAD,), shown_as="Cookie: gemini_fits_upload_auth={}"),
    Person("reader", (Scope.READ,), shown_as="Authorization: Bearer {}"),
    Person("cookie", (Scope.READ,), shown_as="Cookie: gemini_fits_authorization={}"),
    Person("staff", (Scope.ADMIN,)),
    Person("investigator", (Scope.PIPE,), {"program": PROGRAMS[""]}),
    Person("observer", (Scope.PIPE,), {"observation": sealed("proprietary", ".bz2").observation}),
    Person("team", (Scope.PIPE,), {"instrument": "GMOS-S"}),
    Person("guest", (Scope.PIPE,), {"file": sealed("proprietary without a release", ".bz2").name}),
    Person("editor of a program", (Scope.EDIT,), {"program": PROGRAMS[""]}),
    Person("secretary", (Scope.NOTE,), told={"program": PROGRAMS[".bz2"]}),
    Person("courier", (Scope.NOTE,), told={"file": sealed("proprietary", "", Level.HIDDEN).name}),
    Person(
        "owner",
        (Scope.INGEST,),
        {"file": sealed("proprietary", "", Level.HIDDEN).name},
        shown_as="Authorization: Token {}",
        as_whom=Grantee(Holder.EMAIL, "owner@sun.example"),
    ),
    Person("member", (Scope.PIPE,), {"program": PROGRAMS[".bz2"]}, as_whom=Grantee(Holder.GROUP, "swedish")),
    Person(
        "reviewer",
        (Scope.NOTE,),
        told={"program": PROGRAMS[""]},
        as_whom=Grantee(Holder.EMAIL, "r@sun.example"),
    ),
    Person("editor of metadata", (Scope.EDIT,), told={"instrument": "GMOS-N"}),
)
EDITORS = tuple(person for person in PEOPLE if {Scope.EDIT, Scope.ADMIN} & set(person.scopes))
