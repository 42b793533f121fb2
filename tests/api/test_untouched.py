"""An item with one bad part leaves the file and the catalog as they were, whenever the fault is found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import Maker
from tests.support.running import Running

GOOD: dict[str, Any] = {"qa_state": "Fail", "raw_site": ["iq20"], "release": "2027-01-01"}
AT_POST: list[dict[str, Any]] = [
    {"values": GOOD | {"generic": {"OBJECT": "x", "NAXIS": 7}}},
    {"values": GOOD | {"generic": {"OBJECT": "x", "AIRMASS": [1]}}},
    {"values": GOOD | {"release": "2027-02-30"}},
    {"values": GOOD | {"raw_site": ["iq20", "cc20"]}},
    {"values": GOOD | {"nonsense": 1}},
    {"values": GOOD | {"generic": {"OBJCET": "x"}}, "reject_new": True},
    {"values": GOOD, "nonsense": 1},
]
AT_WORK: list[dict[str, Any]] = [
    {"values": GOOD | {"generic": {"OBJECT": "x"}}, "extension": "NOPE"},
    {"values": GOOD | {"generic": {"OBJECT": "x"}}, "extension": 7},
    {"values": GOOD, "if_data_md5": "0" * 32},
    {"values": GOOD, "expect_data_md5": "0" * 32},
]


OF_FILE = "file_id = (SELECT id FROM file WHERE name = $1)"
ROWS = {
    "version": OF_FILE,
    "frame": OF_FILE,
    "product": f"version_id IN (SELECT id FROM version WHERE {OF_FILE})",
}


def everything(server: Running, name: str, path: Path) -> dict[str, Any]:
    """Return all that an edit could have touched: bytes, inode and time of the file, rows of the catalog."""
    stored = path.stat()
    known: dict[str, Any] = {
        table: server.sql(f"SELECT to_jsonb(one)::text FROM {table} one WHERE {clause} ORDER BY 1", name)
        for table, clause in ROWS.items()
    }
    assert len(known["version"]) == len(known["frame"]) == 1
    return known | {"bytes": path.read_bytes(), "file": (stored.st_ino, stored.st_mtime_ns, stored.st_size)}


@pytest.mark.parametrize("container", ["", ".bz2"])
def test_one_bad_part_leaves_file_and_catalog_untouched(
    server: Running, a_file: Maker, container: str
) -> None:
    name = a_file(container=container, copy=True, RAWIQ="Any", AIRMASS=1.5)
    path = server.settings.data / "store" / f"{name}{container}"
    before, folder = everything(server, name, path), sorted(path.parent.iterdir())
    for item in (*AT_POST, *AT_WORK):
        reply = server.post([{"filename": name, **item}])
        assert reply.json()[0]["result"] is (item in AT_WORK), item
        (outcome,) = server.status(reply)["items"]
        assert (outcome["state"], outcome["changed"], outcome["changes"]) == ("failed", None, [])
        assert outcome["error"]
    assert everything(server, name, path) == before
    assert sorted(path.parent.iterdir()) == folder
    (changed,) = server.sql(
        "SELECT count(*) FROM edit JOIN file ON file.id = file_id WHERE name = $1 AND outcome = 'changed'",
        name,
    )
    assert changed == (0,)
    # The same good part by itself is no fault of the test.
    assert server.edit(name, GOOD)["changed"] is True
    assert path.read_bytes() != before["bytes"]
