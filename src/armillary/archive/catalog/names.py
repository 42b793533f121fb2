"""What files are called: by those who ask for them, and in the catalog."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from armillary.access.models import BY_ID
from armillary.archive.catalog.models import Location
from armillary.archive.models import Identity
from armillary.fits.containers import logical_name

__all__ = ["BY_ID", "SHARED", "Called", "FileKey", "key_of"]

SHARED = 0
"""Stands for the root of files that are identified by name alone: they may lie in several roots."""


class FileKey(NamedTuple):
    """What makes a file: its logical name, and directory and root where these belong to its identity."""

    name: str
    directory: str = ""
    root_id: int = SHARED


def key_of(name: str, location: Location, identity: Identity) -> FileKey:
    """Return which file lies at a place under a logical name."""
    if identity is Identity.BY_PATH:
        return FileKey(name, location.path, location.root_id)
    return FileKey(name)


@dataclass(frozen=True, slots=True)
class Called:
    """How somebody calls a file: its logical name, and where it is below a root if that was said."""

    name: str
    path: str | None = None

    @classmethod
    def of_text(cls, text: str) -> Called:
        """Return what a text calls: ``N20260101S0001.fits``, or ``night1/Light_001.fits``."""
        path, joint, filename = text.rpartition("/")
        return cls(logical_name(filename), path if joint else None)

    @property
    def alternatives(self) -> tuple[tuple[str | None, str], ...]:
        """Pairs of a root's name, None for any root, and a path below it, that the path may mean."""
        if not self.path:
            return ()
        first, _, rest = self.path.partition("/")
        return (None, self.path), (first, rest)
