"""Where the file of a product can be had, as records say it: URL and path by the templates of the settings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from urllib.parse import quote

from armillary.publish.svo.models import Place
from armillary.settings import SvoSettings

_REFUSED = re.compile(r"[\\*?\"'<>|\r\n\0]")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[1-9]|lpt[1-9])(?=\.|$)", re.IGNORECASE)
LONGEST_URL = 2000


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What places are made of: path below the root, size in bytes, day of the begin, instrument."""

    file_id: int
    path: str
    size: int
    day: date
    instrument: str
    oid: str

    @property
    def name(self) -> str:
        """The name on disk."""
        return self.path.rpartition("/")[2]


def place_of(settings: SvoSettings, one: Whereabouts, *, offline: bool) -> Place:
    """Return the place of a product; who cannot have the file gets no thumbnail of it either."""
    thumbnail = None if offline or not settings.thumbnail_url else _url(settings, settings.thumbnail_url, one)
    path = _path(settings.file_path, one, one.name)
    stem, dot, ending = one.name.partition(".")
    spare = _path(settings.file_path, one, f"{stem}_{one.file_id}{dot}{ending}")
    return Place(_url(settings, settings.file_url, one), one.size, path, thumbnail, offline, spare)


def _url(settings: SvoSettings, template: str, one: Whereabouts) -> str:
    return template.format(
        public=settings.public_url.rstrip("/"),
        name=quote(one.name, safe=""),
        path=quote(one.path),
        date=one.day,
        instrument=quote(one.instrument.upper(), safe=""),
        oid=quote(one.oid, safe=""),
    )


def _path(template: str, one: Whereabouts, name: str) -> str:
    below = one.path.rpartition("/")[0]
    path = f"{below}/{name}" if below else name
    said = template.format(
        public="", name=name, path=path, date=one.day, instrument=one.instrument.upper(), oid=one.oid
    )
    return "/".join(_part(part) for part in said.split("/") if part)


def _part(text: str) -> str:
    """Return a part of a path as the observatory takes it: no colons, no characters or names that it refuses."""
    taken = _REFUSED.sub("_", text.replace(":", ""))
    return f"_{taken}" if _RESERVED.match(taken) else taken
