"""Find the FITS files of a directory tree, say where each of them is, and copy them if that is wanted."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG

from armillary.archive.catalog.media import FITS_NAME
from armillary.archive.catalog.models import Location, Root
from armillary.archive.errors import BadFileName, FileUnreadable, FileVanished, OutsideRoots
from armillary.base.text import has_controls
from armillary.errors import ArmillaryError

LONGEST_KEY = 1024
"""Bytes of a path below its root: as long as the keys of object stores."""
COPY_CHUNK = 1 << 20


@dataclass(slots=True)
class Found:
    """The files of a run: those with a place, and those that cannot have one, with the reason."""

    places: list[tuple[Path, Path]] = field(default_factory=list)
    """(directory that is or becomes a root, path below it)."""
    failed: list[tuple[Path, ArmillaryError]] = field(default_factory=list)


class Finder:
    """Finds the FITS files below paths, and says of each to which root it belongs.

    Parameters
    ----------
    roots
        Known roots. A file belongs to the innermost one above it; a directory outside of them becomes a root
        itself, and a single file lets its directory become one.
    nested
        Whether roots may lie inside each other; if not, each given directory is taken as a whole.
    own
        The data directory, which is never searched from outside.
    """

    def __init__(self, roots: Sequence[Path], *, nested: bool = True, own: Path | None = None) -> None:
        self._roots, self._nested, self._own = list(roots), nested, own
        self._walked: set[str] = set()
        self._plain: dict[tuple[str, Path], tuple[Path, Path]] = {}
        self.found = Found()

    def search(self, paths: Sequence[Path]) -> Found:
        """Find every file; what cannot be taken in is reported with its reason."""
        for path in paths:
            try:
                self._search_below(path)
            except ArmillaryError as error:
                self.found.failed.append((path, error))
        return self.found

    def _search_below(self, path: Path) -> None:
        whole = _resolve(path)
        if whole == self._own:
            raise OutsideRoots(f"{path} is Armillary's own directory; name the directory of your files.")
        is_directory = whole.is_dir()
        if not is_directory and not whole.is_file():
            raise FileUnreadable(f"{path} is neither a file nor a directory; name one of these.")
        base = self._root_above(whole) or (whole if is_directory else whole.parent)
        if self._nested and base not in self._roots:
            check_name(base)
            self._roots.append(base)
        inside = self._own is not None and whole.is_relative_to(self._own)
        for one in walk(whole, apart=None if inside else self._own, report=self._report):
            # A directory and a part of it have files in common; a file that is named itself always counts.
            if not is_directory or str(one) not in self._walked:
                self.place(one, base)
            if is_directory:
                self._walked.add(str(one))

    def place(self, one: Path, base: Path) -> None:
        """Note where one file found below a directory belongs."""
        try:
            self.found.places.append(self._beside_known(one, base) or self._resolved(one, base))
        except ArmillaryError as error:
            self._report(one, error)

    def _resolved(self, one: Path, base: Path) -> tuple[Path, Path]:
        """Return the root of a file and its path below that, with every link followed."""
        above = (self._root_above(one.parent) or base) if self._nested else base
        target = above / relative_to(one, above)
        owner = (self._root_above(target) or above) if self._nested else above
        below = target.relative_to(owner)
        if target == one:
            self._plain[_directory_of(one), base] = owner, below.parent
        return owner, below

    def _beside_known(self, one: Path, base: Path) -> tuple[Path, Path] | None:
        """Return the same of a plain file in a directory of which it is known by another file; None elsewhere.

        Most files are such, and to follow every directory above each takes longer than all else.
        """
        known = self._plain.get((_directory_of(one), base))
        if known is None or not is_plain(one):
            return None
        owner, directory = known
        below = directory / one.name
        check_name(below, whole=one)
        return owner, below

    def _root_above(self, path: Path) -> Path | None:
        """Return the innermost known root that holds a path."""
        holding = [root for root in self._roots if path.is_relative_to(root)]
        return max(holding, key=lambda root: len(root.parts), default=None)

    def _report(self, path: Path, error: ArmillaryError) -> None:
        self.found.failed.append((path, error))


def _directory_of(path: Path) -> str:
    return os.path.dirname(str(path))  # noqa: PTH120  # to make a path takes longer than to look at the file


def _resolve(path: Path) -> Path:
    try:
        return path.resolve(strict=True)
    except FileNotFoundError:
        raise FileVanished(f"{path}: there is no such file or directory.") from None
    except OSError as error:
        raise FileUnreadable(f"{path}: {error.strerror}; check its permissions.") from None
    except (RuntimeError, ValueError) as error:
        raise FileUnreadable(f"{path}: {error}; remove the link or name the file itself.") from None


def walk(
    whole: Path, *, apart: Path | None = None, report: Callable[[Path, ArmillaryError], None] | None = None
) -> Iterator[Path]:
    """Yield the files below a directory that have a name of FITS files, in order; a file yields itself.

    What is hidden is left out, and so is the directory ``apart``. Linked directories are not entered, since
    they could be endless; those that lead out of the directory are reported.
    """
    if not whole.is_dir():
        yield whole
        return
    say = report or _ignore

    def unreadable(error: OSError) -> None:
        path = Path(os.fsdecode(error.filename))
        say(path, FileUnreadable(f"{path}: {error.strerror}; check the permissions of the directory."))

    for text, directories, names in os.walk(whole, onerror=unreadable):
        parent = Path(text)
        directories[:] = sorted(name for name in directories if not name.startswith("."))
        for name in list(directories):
            path = parent / name
            if path == apart:
                directories.remove(name)
            elif path.is_symlink() and not path.resolve().is_relative_to(whole):
                say(path, _leads_out(path, path.resolve(), whole))
        for name in sorted(names):
            if FITS_NAME.fullmatch(name) and not name.startswith("."):
                yield parent / name


def is_plain(path: Path) -> bool:
    """Tell whether there is a regular file, and no link to one."""
    try:
        return S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _ignore(path: Path, error: ArmillaryError) -> None:
    """Say nothing."""


def _leads_out(path: Path, target: Path, base: Path) -> OutsideRoots:
    return OutsideRoots(
        f"{path} is a link to {target}, outside of {base}; ingest that directory itself, or copy the file."
    )


def relative_to(path: Path, base: Path) -> Path:
    """Return where a file is below a root; symbolic links count as what they lead to.

    Raises
    ------
    OutsideRoots
        If a link leads out of the root.
    BadFileName
        If the name cannot be kept in the catalog.
    FileVanished, FileUnreadable
        If there is no file of that name, or none that can be reached.
    """
    check_name(path)
    try:
        target = path.resolve(strict=True)
        is_file = target.is_file()
    except PermissionError as error:
        raise FileUnreadable(f"{path}: {error.strerror}; check the permissions of its directory.") from None
    except (OSError, RuntimeError):
        if path.is_symlink():
            raise FileVanished(f"{path}: the link leads nowhere; remove it or restore its target.") from None
        raise FileVanished(f"{path} is gone; it was there when it was found.") from None
    if not is_file:
        raise FileUnreadable(f"{path} is no regular file; remove it or rename it.")
    if not target.is_relative_to(base):
        raise _leads_out(path, target, base)
    check_name(target.relative_to(base), whole=target)
    return target.relative_to(base)


def check_name(path: Path, *, whole: Path | None = None) -> None:
    """Refuse names that no client could ask for; ``whole`` is what messages call the file.

    Raises
    ------
    BadFileName
        If the path is not UTF-8, has control or format characters, or is longer than `LONGEST_KEY` bytes.
    """
    shown = whole or path
    try:
        encoded = str(path).encode("utf-8")
    except UnicodeEncodeError:
        raise BadFileName(f"{os.fsencode(shown)!r}: the name is not UTF-8; rename the file.") from None
    if has_controls(str(path)):
        raise BadFileName(f"{str(shown)!r}: the name has control characters; rename the file.")
    if whole is not None and len(encoded) > LONGEST_KEY:
        raise BadFileName(
            f"{shown}: the path below its root has {len(encoded)} bytes, {LONGEST_KEY} are allowed;"
            " ingest a deeper directory."
        )


def location_of(root: Root, relative: Path) -> Location:
    """Return the place of a file below a root."""
    parent, _, name = str(relative).rpartition("/")
    return Location(root.id, parent, name)


async def read_chunks(path: Path) -> AsyncIterator[bytes]:
    """Yield the bytes of a file that is copied into the store."""
    with path.open("rb") as source:
        while chunk := source.read(COPY_CHUNK):
            yield chunk
