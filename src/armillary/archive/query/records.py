"""What is told of one file to somebody: its versions, its frame, its headers, as far as they may be known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import ANYBODY, Principal
from armillary.archive.catalog import file_store, lookup, store
from armillary.archive.catalog.models import Root, Version
from armillary.archive.errors import FileEmbargoed, HduNotFound, VersionNotFound
from armillary.archive.fields import POINTING
from armillary.archive.query import visibility

_INTERNAL = ("file_id", "version_id", "hpx", "keywords", "details", "warnings", "visibility")


@dataclass(frozen=True, slots=True)
class Record:
    """A file with its canonical version, the ids of all its versions, and its frame.

    ``reason`` is why the viewer may have the pixels, None if it may not; ``public`` tells whether everybody may.
    ``open_headers`` tells whether the viewer may have the headers: they tell where the telescope pointed.
    """

    version: Version
    ids: list[int]
    present: list[Version]
    roots: dict[int, Root]
    frame: dict[str, Any] | None
    warnings: list[str]
    reason: visibility.Reason | None
    open_headers: bool
    public: bool

    @property
    def visible(self) -> bool:
        """Whether the viewer may have the pixels."""
        return self.reason is not None

    def number_of(self, version_id: int) -> int:
        """Return the number of a version in the history of the file; the first is 1."""
        return self.ids.index(version_id) + 1


async def record_of(connection: AsyncConnection, name: str, viewer: Principal, today: date) -> Record:
    """Return what is known of a logical file, given by name or path.

    Raises
    ------
    FileNotFound, FileAmbiguous
        If there is none of that name that the viewer may know of, or several.
    """
    version = await lookup.find_version(connection, name, visibility.unknown_to(viewer, today))
    known = await lookup.frame_of_file(connection, version.file_id)
    everything = visibility.sees_everything(viewer)
    if known is None and not everything:
        # It was taken out: its history is for those who may see everything.
        raise lookup.not_found(name)
    shown = visibility.shows_coordinates(known, viewer, today) if known else everything
    return Record(
        version=version,
        ids=await store.version_ids_of(connection, version.file_id),
        present=await file_store.present_of_files(connection, [version.file_id]),
        roots={root.id: root for root in await store.list_roots(connection)},
        frame=_frame(known, shown=shown) if known else None,
        warnings=list(known["warnings"]) if known else [],
        reason=_reason(known, viewer, today),
        open_headers=shown,
        public=known is not None and visibility.why_visible(known, ANYBODY, today) is not None,
    )


def _reason(known: Mapping[str, Any] | None, viewer: Principal, today: date) -> visibility.Reason | None:
    if known is None:
        # Whoever may not see everything was turned away.
        return visibility.Reason.STAFF
    return visibility.why_visible(known, viewer, today)


def _frame(known: Mapping[str, Any], *, shown: bool) -> dict[str, Any]:
    """Return the values of a frame; those that tell a position are null for who may not know it."""
    values = {key: value for key, value in known.items() if key not in (*_INTERNAL, "name")}
    values |= known["details"] or {}
    return values if shown else {key: None if key in POINTING else one for key, one in values.items()}


async def version_of(connection: AsyncConnection, record: Record, version_id: int | None) -> Version:
    """Return a version of a file by its id, the canonical one without.

    Raises
    ------
    VersionNotFound
        If the file has no such version.
    """
    if version_id is None or version_id == record.version.id:
        return record.version
    if version_id not in record.ids:
        raise VersionNotFound(
            f"'{record.version.name}' has no version {version_id};"
            f" it has {len(record.ids)}, from {record.ids[0]} to {record.ids[-1]}."
        )
    return (await store.versions_by_id(connection, [version_id]))[version_id]


async def versions_before(
    connection: AsyncConnection, record: Record, before: int | None, limit: int
) -> list[Version]:
    """Return up to ``limit`` versions of a file, newest first, from those older than an id."""
    ids = [one for one in record.ids if before is None or one < before][-limit:]
    found = await store.versions_by_id(connection, ids)
    return [found[one] for one in reversed(ids)]


def check_headers(record: Record) -> None:
    """Refuse headers that tell a position which is not public.

    Raises
    ------
    FileEmbargoed
        If so.
    """
    if not record.open_headers:
        raise FileEmbargoed(
            f"The headers of '{record.version.name}' tell a position that is not public yet;"
            " show a token that may read it."
        )


def hdu_index(version: Version, text: str) -> int:
    """Return the index of an HDU that is given by it, by EXTNAME, or by ``EXTNAME,EXTVER``.

    Raises
    ------
    HduNotFound
        If there is none, or several.
    """
    name, _, number = text.partition(",")
    if text.isascii() and text.isdecimal():
        found = [int(text)] if len(text) < 10 and int(text) < len(version.hdus) else []
    else:
        found = [
            index
            for index, hdu in enumerate(version.hdus)
            if hdu.name.strip().upper() == name.strip().upper() and number in ("", str(hdu.version))
        ]
    if len(found) == 1:
        return found[0]
    names = ", ".join(f"{index}: {hdu.name or '(no name)'}" for index, hdu in enumerate(version.hdus[:20]))
    raise HduNotFound(f"{len(found) or 'No'} HDUs of '{version.name}' are called {text!r}; it has {names}.")
