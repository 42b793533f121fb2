"""The files of a tree in order of their keys."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from armillary.base.store.errors import KeyRefused, naming
from armillary.base.store.models import StoredObject
from armillary.base.store.places import check_key
from armillary.base.store.workshop import stored_object


def walk(root: Path, prefix: str) -> Iterator[StoredObject]:
    """Yield what is stored under keys that begin with ``prefix``.

    Links to files inside the tree count as files; directories behind links are not entered, since they could
    be endless. Names that cannot be keys (our temporaries among them) are passed over.
    """
    if prefix:
        check_key(prefix.rstrip("/") or prefix)
    with naming(prefix or str(root)):
        yield from _walk(root, prefix[: prefix.rfind("/") + 1], prefix)


def _walk(root: Path, folder: str, prefix: str) -> Iterator[StoredObject]:
    try:
        with os.scandir(root / folder) as found:
            entries = sorted((_name(e), e) for e in found)
    except (FileNotFoundError, NotADirectoryError):
        return
    for name, entry in entries:
        key = folder + name
        if name.endswith("/"):
            if key.startswith(prefix) or prefix.startswith(key):
                yield from _walk(root, key, prefix)
        elif key.startswith(prefix):
            stored = _stored(root, key, entry)
            if stored:
                yield stored


def _name(entry: os.DirEntry[str]) -> str:
    return f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name


def _stored(root: Path, key: str, entry: os.DirEntry[str]) -> StoredObject | None:
    try:
        check_key(key)
        if not entry.is_file() or (entry.is_symlink() and not _is_inside(root, entry.path)):
            return None
        return stored_object(key, entry.stat())
    except (FileNotFoundError, KeyRefused):
        return None


def _is_inside(root: Path, link: str) -> bool:
    return Path(os.path.realpath(link)).is_relative_to(root)
