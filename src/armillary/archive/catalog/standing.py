"""Whether the bytes in storage are those that the catalog speaks of."""

from __future__ import annotations

from armillary.archive.catalog.models import Version
from armillary.archive.errors import BeingChanged
from armillary.base.store import Snapshot, StoredObject, same_file
from armillary.fits.containers import Container


def check_standing(version: Version, snapshot: Snapshot) -> None:
    """Refuse bytes whose data need not be those of the version: others replaced them a moment ago.

    Raises
    ------
    BeingChanged
        If so; the caller looks the version up again.
    """
    if not stands(version, snapshot.stored):
        raise BeingChanged(f"'{version.name}' is being edited; retry in a moment.")


def stands(version: Version, stored: StoredObject) -> bool:
    """Tell whether a stored file holds the data of a version, judged by what the system says of it.

    An edit in place leaves the file and changes the time and the headers of a plain file, which come from
    the catalog. Whatever replaces a file, a copy-edit or an upload, leaves neither: such bytes are nobody's
    until they are recorded. A file that was moved or restored from a backup keeps its time.
    """
    if stored.size != version.file_size:
        return False
    if stored.mtime_ns == version.mtime_ns:
        return True
    return version.container == Container.PLAIN and same_file(stored.identity, version.identity)
