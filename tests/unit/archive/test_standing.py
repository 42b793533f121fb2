"""What the system says of a stored file tells whether its data are those of a version."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from armillary.archive.catalog.models import Location, Version
from armillary.archive.catalog.standing import check_standing, stands
from armillary.archive.errors import BeingChanged
from armillary.base.store import StoredObject
from tests.support.memory_store import MemoryStore


def a_version(*, container: str = "plain") -> Version:
    then = datetime(2026, 1, 1, tzinfo=UTC)
    return Version(
        id=1,
        file_id=1,
        name="a.fits",
        location=Location(1, "", "a.fits"),
        container=container,
        present=True,
        canonical=True,
        file_size=2880,
        data_size=2880,
        file_crc=0,
        data_crc=0,
        file_md5=None,
        data_md5=None,
        file_sha256=None,
        data_sha256=None,
        mtime_ns=5,
        identity="2049:77",
        lastmod=then,
        entrytime=then,
        hdus=(),
        trailing=0,
        trailing_crc=0,
        packed_headers=b"",
        series_headers=None,
        origin="ingest",
        previous_id=None,
        undo=None,
    )


@pytest.mark.parametrize(
    ("size", "mtime_ns", "identity", "stood"),
    [
        (2880, 5, "2049:77", True),
        (2880, 6, "2049:77", True),
        (2880, 6, "51:77", True),
        (2880, 5, "2049:78", True),
        (2880, 6, "2049:78", False),
        (5760, 5, "2049:77", False),
    ],
    ids=["same", "edited in place", "device renumbered", "restored from a backup", "replaced", "grown"],
)
def test_a_plain_file_stands_by_its_inode_or_its_time(
    size: int, mtime_ns: int, identity: str, stood: bool
) -> None:
    assert stands(a_version(), StoredObject("a.fits", size, mtime_ns, identity)) is stood


@pytest.mark.parametrize(("mtime_ns", "stood"), [(5, True), (6, False)])
def test_a_compressed_file_stands_by_its_time_alone(mtime_ns: int, stood: bool) -> None:
    assert stands(a_version(container="bz2"), StoredObject("a.fits.bz2", 2880, mtime_ns, "2049:77")) is stood


async def test_bytes_of_another_version_are_refused_by_name() -> None:
    store = MemoryStore()
    await store.write("a.fits", bytes(2880), mtime_ns=6)
    with store.open("a.fits") as snapshot, pytest.raises(BeingChanged, match=r"'a\.fits' is being edited"):
        check_standing(a_version(), snapshot)
