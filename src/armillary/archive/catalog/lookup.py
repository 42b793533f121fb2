"""Look up files by what they are called, one version of a file, or its frame."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog import file_store, store
from armillary.archive.catalog.file_store import Whereabouts
from armillary.archive.catalog.models import Version
from armillary.archive.catalog.names import BY_ID, Called
from armillary.archive.errors import FileAmbiguous, FileNotFound, VersionNotFound
from armillary.base.text import storable

MOST_TOLD = 10
"""Places of files that a message names."""
MOST_LOOKED_AT = 10_000
"""Bearers of a name that are looked at where some of them may be hidden."""
Unknown = Callable[[AsyncConnection, Collection[int]], Awaitable[Collection[int]]]
"""What returns those of some files, by their ids, of which whoever asks may not know."""


async def nothing_unknown(_connection: AsyncConnection, _file_ids: Collection[int]) -> Collection[int]:
    """Return that all files may be known."""
    return frozenset()


async def find_version(connection: AsyncConnection, text: str, unknown: Unknown = nothing_unknown) -> Version:
    """Return the version that a name or a path means: what is present there, or else was there last.

    A name that several present files bear means one of them only if all have the same content, and a path that
    leads nowhere means what bears its last part, if that is identified by name alone. Unknown files are not there.

    Raises
    ------
    FileNotFound
        If there is no such file.
    FileAmbiguous
        If there are several, with their paths.
    """
    found = await _found(connection, text, unknown)
    if not found:
        raise not_found(text)
    chosen = _chosen(text, found)
    if Called.of_text(text).path is None:
        # Of one file that lies in several places, or did, the canonical version is what is known of it.
        chosen = next((one for one in found if one.canonical and one.file_id == chosen.file_id), chosen)
    return (await store.versions_by_id(connection, [chosen.version_id]))[chosen.version_id]


def not_found(text: str) -> FileNotFound:
    """Return what is said of a file that is not there, or of which somebody may not know."""
    return FileNotFound(f"No file named {text!r} is in the archive.")


async def find_present(connection: AsyncConnection, text: str, unknown: Unknown = nothing_unknown) -> Version:
    """Return the present version that a name or a path means.

    Raises
    ------
    FileNotFound, FileAmbiguous
        As `find_version`; what is not present is not found.
    """
    found = [one for one in await _found(connection, text, unknown) if one.present]
    if not found:
        raise FileNotFound(f"No present file named {text!r} is in the archive.")
    chosen = _chosen(text, found)
    return (await store.versions_by_id(connection, [chosen.version_id]))[chosen.version_id]


async def present_meant(
    connection: AsyncConnection, texts: Iterable[str], unknown: Unknown = nothing_unknown
) -> dict[str, list[Version]]:
    """Return the present versions that each of many names or paths means, some of them where that are many."""
    most = MOST_TOLD + 1 if unknown is nothing_unknown else MOST_LOOKED_AT
    called = {text: Called.of_text(text) for text in set(texts) if storable(text)}
    bare = {one.name for one in called.values() if one.path is None}
    of_name: dict[str, list[Version]] = {}
    for version in await file_store.present_named(connection, bare, most=most) if bare else ():
        of_name.setdefault(version.name, []).append(version)
    found = {text: of_name.get(one.name, []) for text, one in called.items() if one.path is None}
    placed = {text: one for text, one in called.items() if one.path is not None}
    if placed:
        found |= await _placed(connection, placed)
    hidden = await unknown(connection, {one.file_id for several in found.values() for one in several})
    return {text: [one for one in several if one.file_id not in hidden] for text, several in found.items()}


async def _placed(connection: AsyncConnection, called: Mapping[str, Called]) -> dict[str, list[Version]]:
    """Return the present versions at the paths that were given."""
    places = {(path, one.name) for one in called.values() for _, path in one.alternatives}
    there: dict[tuple[str, str], list[Version]] = {}
    for version in await file_store.present_in(connection, places):
        there.setdefault((version.location.path, version.name), []).append(version)
    roots = {root.id: root.name for root in await store.list_roots(connection)}
    found: dict[str, list[Version]] = {}
    for text, one in called.items():
        meant: list[Version] = []
        for root, path in one.alternatives:
            meant = [
                version
                for version in there.get((path, one.name), [])
                if root in (None, roots[version.location.root_id])
            ]
            # A directory that is called like a root comes first.
            if meant:
                break
        found[text] = meant
    return found


async def foremost_at(connection: AsyncConnection, path: str, name: str) -> Version | None:
    """Return the version that is present and canonical in a directory under a logical name."""
    found = [one for one in await file_store.present_in(connection, [(path, name)]) if one.canonical]
    return found[-1] if found else None


async def _found(
    connection: AsyncConnection, text: str, unknown: Unknown = nothing_unknown
) -> list[Whereabouts]:
    called = Called.of_text(text)
    if not storable(text) or called.path == "":
        return []
    found = await _known_at(connection, called, unknown)
    if called.path is None:
        return found
    if not found:
        by_name = await _known_at(connection, Called(called.name), unknown)
        return [one for one in by_name if one.is_shared]
    # A directory called like a root comes first.
    return [one for one in found if one.location.path == called.path] or found


async def _known_at(connection: AsyncConnection, called: Called, unknown: Unknown) -> list[Whereabouts]:
    found = await file_store.whereabouts(connection, called)
    hidden = await unknown(connection, {one.file_id for one in found})
    return [one for one in found if one.file_id not in hidden]


def _chosen(text: str, found: Sequence[Whereabouts]) -> Whereabouts:
    """Return which of several versions is meant: present ones before others, canonical ones before others."""
    several = [one for one in found if one.present] or found
    if len({one.content for one in several}) > 1:
        raise ambiguous(text, (one.shown for one in several))
    return max(several, key=lambda one: (one.canonical, one.version_id))


async def ambiguous_versions(
    connection: AsyncConnection, text: str, found: Iterable[Version]
) -> FileAmbiguous:
    """Return the same refusal for versions."""
    roots = {root.id: root.name for root in await store.list_roots(connection)}
    return ambiguous(text, (f"{roots[one.location.root_id]}/{one.place}" for one in found))


def ambiguous(text: str, paths: Iterable[str]) -> FileAmbiguous:
    """Return the refusal of a name that means several files, which says how to call each."""
    paths = sorted(paths)
    more = f" and {len(paths) - MOST_TOLD} more" if len(paths) > MOST_TOLD else ""
    told = ", ".join(paths[:MOST_TOLD])
    message = f"{text!r} means several files; name one by its path: {told}{more}."
    return FileAmbiguous(message, paths[:MOST_TOLD])


async def subject_of(connection: AsyncConnection, text: str) -> str:
    """Return what a grant has to say to mean a file: its name, or its id if it is known by its path.

    A name may be granted before there is a file of it; then it is one that is known by its name alone.

    Raises
    ------
    FileNotFound
        If a path leads nowhere.
    FileAmbiguous
        If the name means several files: who may read one of them need not read the others.
    """
    found = {one.file_id: one for one in await _found(connection, text)}
    if len(found) > 1:
        raise ambiguous(text, (one.shown for one in found.values()))
    called = Called.of_text(text)
    if not found and called.path is not None:
        raise FileNotFound(f"No file named {text!r} is in the archive.")
    return next((one.key.name if one.is_shared else f"{BY_ID}{one.file_id}" for one in found.values()), text)


async def file_subjects(connection: AsyncConnection, file_id: int) -> list[str]:
    """Return all that a grant may say to mean a file: its id, and its name if it is known by that alone."""
    name = await file_store.shared_name(connection, file_id)
    return [f"{BY_ID}{file_id}"] + ([name] if name is not None else [])


async def subjects_meant(connection: AsyncConnection, text: str) -> list[str]:
    """Return all that grants may say of what a text calls: the text, and ids and names of files called so."""
    found = await _found(connection, text)
    ids = [f"{BY_ID}{one.file_id}" for one in found]
    return list(dict.fromkeys([text, *ids, *(one.key.name for one in found if one.is_shared)]))


def ids_in(subjects: Iterable[str]) -> list[int]:
    """Return the ids of files that grants of these subjects are of, where they say an id."""
    numbers = (subject.removeprefix(BY_ID) for subject in subjects if subject.startswith(BY_ID))
    return [int(number) for number in numbers if number.isascii() and number.isdecimal() and len(number) < 19]


async def version_number(connection: AsyncConnection, file_id: int, number: int) -> Version:
    """Return the version of a file by its number in the history, the first being 1.

    Raises
    ------
    VersionNotFound
        With the numbers that there are.
    """
    versions = await store.versions_of(connection, file_id)
    if not 1 <= number <= len(versions):
        raise VersionNotFound(f"There is no version {number}; the file has versions 1 to {len(versions)}.")
    return versions[number - 1]


async def frame_of_file(connection: AsyncConnection, file_id: int) -> dict[str, Any] | None:
    """Return the frame of a file as a plain mapping."""
    row = await store.frame_row(connection, file_id)
    return dict(row._mapping) if row else None
