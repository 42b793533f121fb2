"""The words of sites: their names, configurations, notes and entries of the night log."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from armillary.base.feed.models import Topic
from armillary.sites.errors import BadSiteName, ReservedName

CONFIGURATIONS = Topic("site-configurations")
"""Every version of a configuration; the key is the site."""
RESERVED = frozenset(
    {
        "all",
        "api",
        "control_room",
        "dev",
        "download",
        "downloadzip",
        "dummy-requires-auth",
        "events",
        "filtered_images",
        "fitsheader",
        "image",
        "infoimage",
        "k",
        "latest_image_all_sites",
        "new_remotehq_browser",
        "nightlog",
        "pipe",
        "recentuploads",
        "test",
        "upload",
        "v1",
    }
)
"""First segments of paths that are no sites."""
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,32}")


def is_site(site: str) -> bool:
    """Tell whether a text can be the name of a site."""
    # A path of dots alone leads elsewhere.
    return bool(_NAME.fullmatch(site) and site.strip("."))


def check_site(site: str) -> str:
    """Return the name of a site if it is one.

    Raises
    ------
    BadSiteName
        If it is not 1 to 32 letters, digits, ``_``, ``-`` or ``.``.
    """
    if not is_site(site):
        raise BadSiteName
    return site


def check_free(site: str, prefixes: Collection[str] = ()) -> str:
    """Return the name of a site that may have a configuration.

    Raises
    ------
    BadSiteName, ReservedName
        If it is no name, or begins the path of a route; ``prefixes`` are further ones, as ``/api``.
    """
    check_site(site)
    if site in RESERVED or site in {prefix.strip("/").partition("/")[0] for prefix in prefixes}:
        raise ReservedName(f"No site can be named '{site}': paths of other routes begin so.")
    return site


@dataclass(frozen=True, slots=True)
class Content:
    """A configuration: its value, its text as it is stored, the form that equal ones share, and its digest."""

    value: dict[str, Any]
    text: str
    canonical: bytes
    sha256: str


@dataclass(frozen=True, slots=True)
class StoredConfig:
    """The configuration of a site; ``text`` is its JSON in ASCII."""

    site: str
    version: int
    sha256: str
    text: str

    @property
    def etag(self) -> str:
        """The entity tag of this version."""
        return f'"{self.version}-{self.sha256[:16]}"'


@dataclass(frozen=True, slots=True)
class PutOutcome:
    """What became of a configuration that was sent: ``added`` tells whether it is a new version."""

    config: StoredConfig
    added: bool
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class Note:
    """The sticky note of a site; ``text`` is what was sent, as JSON in ASCII."""

    site: str
    text: str
    created: datetime
    expires: datetime


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which entries of a night log: of a night, from an instant on, before an instant, with a text inside."""

    night: date | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote an entry, and whether a token says so."""

    name: str
    verified: bool
