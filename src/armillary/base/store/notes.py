"""Which archive may change a tree that several know: a note in the tree itself, where each of them looks.

A copy of an archive shares the trees outside of its directory with the original. When one of the two claims such a
tree it leaves a note there, and the other, which may be running, only reads the tree from then on, until it claims
the tree itself. A tree without a note was never claimed by a copy; whoever has adopted it may change it.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from armillary.base.place import Place, Standing, place_of, standing
from armillary.base.store.errors import naming
from armillary.base.store.places import NOTE

MODE = 0o644
"""The other archive may run under another account."""


def claimed_by(tree: Path, home: Path) -> str | None:
    """Return who else has claimed a tree, for people; None if it is the archive in ``home``, or nobody.

    Blocks: call it in a thread.
    """
    try:
        with naming(str(tree)), suppress(FileNotFoundError, NotADirectoryError):
            return _other(json.loads((tree / NOTE).read_bytes()), home)
    except (ValueError, LookupError, TypeError, AttributeError):
        return f"whoever has written {tree / NOTE}"
    return None


def _other(noted: dict[str, str], home: Path) -> str | None:
    place = Place(Path(noted["path"]), noted["directory"], noted["filesystem"])
    return None if standing(place, place_of(home)) is not Standing.OTHER else f"the archive in {place.path}"


def note_claim(tree: Path, home: Path) -> None:
    """Leave a note in a tree that the archive in ``home`` changes it from now on. Blocks: call it in a thread."""
    here = place_of(home)
    noted = {"path": str(here.path), "directory": here.directory, "filesystem": here.filesystem}
    partial = tree / f".armillary-{uuid4().hex}.tmp"
    with naming(str(tree / NOTE)):
        try:
            with partial.open("x") as file:
                os.fchmod(file.fileno(), MODE)
                file.write(json.dumps(noted) + "\n")
                file.flush()
                os.fsync(file.fileno())
            partial.rename(tree / NOTE)
        finally:
            partial.unlink(missing_ok=True)
