"""Small objects kept outside the tree of files: undo recipes."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from contextlib import ExitStack, suppress
from hashlib import blake2b
from pathlib import Path

from armillary.base.store.errors import KeyRefused, naming
from armillary.base.store.files import Files
from armillary.base.store.linux import try_flock
from armillary.errors import NotFound

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


def check_name(name: str) -> str:
    """Return the name of a kept object, or raise KeyRefused."""
    if not NAME.fullmatch(name):
        raise KeyRefused(f"{name[:200]!r} cannot name a kept object: letters, digits, `.`, `_` and `-` can.")
    return name


class Blobs:
    """A directory of kept objects, spread over 256 subdirectories; incomplete ones lie apart."""

    def __init__(self, directory: Path, files: Files) -> None:
        self._directory, self._files = directory, files
        self._incoming = directory / "incoming"

    def put(self, name: str, data: bytes) -> None:
        """Store durably, over an older object of that name."""
        folder = self._folder(check_name(name))
        with naming(name), ExitStack() as opened:
            for made in (self._incoming, folder):
                made.mkdir(mode=0o700, exist_ok=True)
            incoming, target = (_open_directory(d, opened) for d in (self._incoming, folder))
            temporary = secrets.token_hex(8)
            fd = self._files.create(incoming, temporary, 0o600)
            opened.callback(os.close, fd)
            fcntl.flock(fd, fcntl.LOCK_EX)
            try:
                self._files.write_at(fd, data, 0)
                self._files.sync(fd)
                self._files.rename(incoming, temporary, target, name, replace=True)
            except BaseException:
                with suppress(OSError):
                    self._files.unlink(incoming, temporary)
                raise
            self._files.sync(target)

    def remove_orphans(self) -> None:
        """Remove what dead processes did not finish storing."""
        for file in self._incoming.glob("*"):
            with suppress(FileNotFoundError), file.open("rb") as opened:
                if try_flock(opened.fileno(), fcntl.LOCK_EX):
                    file.unlink()

    def get(self, name: str) -> bytes:
        """Return an object, or raise NotFound."""
        try:
            return (self._folder(check_name(name)) / name).read_bytes()
        except FileNotFoundError:
            raise NotFound(f"Nothing is kept under {name}.") from None

    def names(self) -> list[str]:
        """Return the names of all objects."""
        return sorted(file.name for file in self._directory.glob("[0-9a-f][0-9a-f]/*"))

    def delete(self, name: str) -> None:
        """Forget an object."""
        with naming(name):
            (self._folder(check_name(name)) / name).unlink(missing_ok=True)

    def _folder(self, name: str) -> Path:
        return self._directory / blake2b(name.encode(), digest_size=1).hexdigest()


def _open_directory(directory: Path, opened: ExitStack) -> int:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    opened.callback(os.close, fd)
    return fd
