"""An edit trusts no data that others changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.archive import OLD_NS, Archive, OrderFailed, put
from tests.support.headers import a_file


async def stored(archive: Archive) -> Path:
    path = put(archive.directory / "in" / "a.fits", a_file())
    await archive.ingest(path)
    await archive.drain()
    return path


async def test_data_changed_outside_stop_an_edit(archive: Archive) -> None:
    path = await stored(archive)
    changed = bytearray(path.read_bytes())
    changed[-2000] ^= 0xFF
    put(path, bytes(changed), mtime_ns=OLD_NS + 1)
    with pytest.raises(OrderFailed, match="changed outside Armillary; ingest it again"):
        await archive.set("a.fits", OBSERVER="somebody")
    assert path.read_bytes() == bytes(changed)


async def test_a_touched_file_can_be_edited(archive: Archive) -> None:
    path = await stored(archive)
    os.utime(path, ns=(OLD_NS + 1, OLD_NS + 1))
    assert (await archive.set("a.fits", OBSERVER="somebody"))["changed"]
    assert set((await archive.verify()).values()) == {""}
