"""The object stores of a process, one per root; the scheme of a root's URL says which kind of store it is."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol
from urllib.parse import urlsplit

from armillary.base.place import path_of
from armillary.base.store.errors import UnknownScheme
from armillary.base.store.local import LocalStore
from armillary.base.store.models import ObjectStore
from armillary.base.store.notes import claimed_by
from armillary.base.store.shared import SharedStore
from armillary.base.store.workshop import own_directory


class Factory(Protocol):
    """Opens the stores of one scheme."""

    def __call__(self, url: str, private: Path, *, in_place: bool, durable: bool) -> ObjectStore:
        """Return the store at a URL.

        ``private`` is a directory that the store may have for itself, ``in_place`` whether live files may be
        patched where they are, ``durable`` whether what is stored has to survive a failure of power.
        """


def local_store(url: str, private: Path, *, in_place: bool, durable: bool) -> ObjectStore:
    """Return the store in a directory of this machine.

    Nothing is made but private directories, and those only in a directory that is there: it may have been moved
    away since this process began.
    """
    path = path_of(url)
    if path is None:
        raise UnknownScheme(f"{url} is no directory of this machine.")
    # The web process may run under an account that cannot enter it.
    with suppress(PermissionError):
        private.parent.mkdir(mode=0o700, exist_ok=True)
        own_directory(private)
    return LocalStore(path, private, in_place=in_place, create=False, durable=durable)


FACTORIES: Mapping[str, Factory] = MappingProxyType({"file": local_store})


@dataclass(slots=True)
class Stores:
    """The object stores of this process. ``private`` is the directory below which each has one for itself."""

    private: Path
    factories: Mapping[str, Factory] = field(default_factory=lambda: FACTORIES)
    opened: dict[str, ObjectStore] = field(default_factory=dict)

    def at(
        self, name: str, url: str, *, in_place: bool, claimed: bool = True, durable: bool = True
    ) -> ObjectStore:
        """Return the store of that name; one that is not ``claimed`` cannot be changed.

        Nor can one outside of the directory of the archive as long as another archive has claimed it.

        Raises
        ------
        UnknownScheme
            If this program has no store for such a URL.
        """
        if name not in self.opened:
            scheme = urlsplit(url).scheme
            if scheme not in self.factories:
                known = ", ".join(sorted(self.factories))
                raise UnknownScheme(f"Root {name} is at {url}; this program has stores for {known}.")
            self.opened[name] = self.factories[scheme](
                url, self.private / name, in_place=in_place, durable=durable
            )
        if not claimed:
            return SharedStore(self.opened[name], name, lambda: True)
        home, path = self.private.parent, path_of(url)
        if path is None or path.is_relative_to(home) or path.is_relative_to(home.resolve()):
            return self.opened[name]
        return SharedStore(self.opened[name], name, lambda: claimed_by(path, home) is not None)

    def close(self) -> None:
        """Let go of all stores; they are opened again when they are needed."""
        while self.opened:
            self.opened.popitem()[1].close()
