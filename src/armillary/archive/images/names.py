"""Names of the files of an image: ``saf-sq003ms-20261130-00000012-EX10.fits.fz``.

::

    name = base "-" TYPE LL [tail] "." ext [ "." comp ]
    base = site "-" instrument "-" date "-" counter
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

MAX_BASE = 128
Role = Literal["fits_01", "fits_10", "jpg_medium", "jpg_small"]
ROLES: tuple[Role, ...] = ("fits_01", "fits_10", "jpg_medium", "jpg_small")
"""What files an image has; each file that has a role replaces the one before it in that role."""

_NAME = re.compile(
    r"(?P<base>(?P<site>[A-Za-z0-9_]{3,6})-(?P<instrument>[A-Za-z0-9_]+)-(?P<date>\d{8})-(?P<counter>\d{8}))"
    r"-(?P<type>[A-Za-z]+)(?P<level>\d{2})(?:[A-Za-z][A-Za-z0-9]*)?"
    r"\.(?P<ext>[A-Za-z]+)(?:\.(?P<packing>bz2|fz|gz))?",
    re.ASCII,
)
_ROLES: dict[tuple[str, str], tuple[Role, int]] = {
    ("fits", "01"): ("fits_01", 0),
    ("fits", "00"): ("fits_01", 1),
    ("fits", "10"): ("fits_10", 0),
    ("fits", "13"): ("fits_10", 1),
    ("jpg", "10"): ("jpg_medium", 0),
    ("jpg", "13"): ("jpg_medium", 1),
    ("jpg", "11"): ("jpg_small", 0),
}
"""Role of a file by its ending and level, and its rank: of two files in one role that of the lower rank counts."""


@dataclass(frozen=True, slots=True)
class ImageName:
    """The parts of the name of a file."""

    base: str
    site: str
    kind: str
    level: str
    extension: str
    packing: str | None

    @property
    def role(self) -> Role | None:
        """What the file is to its image, None if it is only kept."""
        found = _ROLES.get((self.extension, self.level))
        return found[0] if found else None

    @property
    def rank(self) -> int:
        """Of two files in one role that of the lower rank counts."""
        return _ROLES[self.extension, self.level][1]

    @property
    def is_header(self) -> bool:
        """Whether the file is the text of a header."""
        return self.extension == "txt" and self.level in ("00", "01")

    @property
    def thumbnail(self) -> str | None:
        """The name of the thumbnail that is made of the file, if one is."""
        is_source = self.role == "jpg_medium" and self.level == "10"
        return f"{self.base}-{self.kind}11.jpg" if is_source else None


def parse_name(name: str) -> ImageName | None:
    """Return the parts of a name, None if it is not that of a file of an image."""
    found = _NAME.fullmatch(name)
    if found is None or len(found["base"]) > MAX_BASE:
        return None
    return ImageName(
        found["base"], found["site"], found["type"], found["level"], found["ext"], found["packing"]
    )


def site_of(name: str, known: frozenset[str] = frozenset()) -> str:
    """Return the site of any file: the text before the first hyphen, else the longest known code in front."""
    site, hyphen, _ = name.partition("-")
    if hyphen:
        return site
    return max((one for one in known if name.startswith(one)), key=len, default="")


def info_base(name: str) -> str:
    """Return what the files of one information image share: the text before the first dot, less its last part."""
    stem = name.partition(".")[0]
    return stem.rpartition("-")[0] or stem
