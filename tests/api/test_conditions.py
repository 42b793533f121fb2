"""`if_data_md5` and `expect_data_md5`: an update for one content, that has to give another (section 8.2)."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from armillary.access.models import Scope
from tests.api.conftest import Maker
from tests.support.running import Running

NOT_IT = "0" * 32
CONTAINERS = ("", ".bz2", ".gz")


def content(server: Running, name: str) -> bytes:
    with server.client(scope=Scope.READ) as client:
        reply = client.get(f"/file/{name}")
    assert reply.status_code == 200
    return reply.content


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def stored(server: Running, name: str) -> Path:
    (path,) = server.settings.data.glob(f"store/**/{name}*")
    return path


def item(name: str, **conditions: Any) -> dict[str, Any]:
    return {"filename": name, "values": {"generic": {"OBSERVER": "exported"}}, **conditions}


def state(path: Path) -> tuple[bytes, int, int]:
    found = path.stat()
    return path.read_bytes(), found.st_mtime_ns, found.st_ino


@pytest.mark.parametrize("container", CONTAINERS)
def test_an_update_is_applied_between_its_two_digests(server: Running, a_file: Maker, container: str) -> None:
    name, twin = (a_file(container=container, copy=True, DATALAB="GN-2026A-Q-9-1-001") for _ in range(2))
    before = content(server, name)
    assert before == content(server, twin)
    assert server.edit(twin, {"generic": {"OBSERVER": "exported"}})["changed"]
    after = content(server, twin)
    reply = server.post([item(name, if_data_md5=md5(before), expect_data_md5=md5(after))])
    (found,) = server.status(reply)["items"]
    assert (found["state"], found["changed"]) == ("completed", True)
    assert (found["data_md5_before"], found["data_md5_after"]) == (md5(before), md5(after))
    assert content(server, name) == after


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("which", ["if_data_md5", "expect_data_md5"])
def test_another_digest_leaves_the_file_untouched(
    server: Running, a_file: Maker, container: str, which: str
) -> None:
    name = a_file(container=container, copy=True)
    path = stored(server, name)
    untouched = state(path)
    good = {"if_data_md5": md5(content(server, name))}
    (found,) = server.status(server.post([item(name, **(good | {which: NOT_IT}))]))["items"]
    assert (found["state"], found["changed"], found["changes"]) == ("failed", None, [])
    assert found["error"].startswith(f"{which} is {NOT_IT}, but the content has ")
    assert state(path) == untouched
    versions = server.sql("SELECT count(*) FROM version JOIN file ON file.id = file_id WHERE name = $1", name)
    assert versions == [(1,)]
    assert list(path.parent.glob(f".*{name}*")) == []


def test_a_chain_of_updates_stops_where_a_digest_differs(server: Running, a_file: Maker) -> None:
    name = a_file(copy=True)
    before = content(server, name)
    first = {"filename": name, "values": {"generic": {"A": 1}}, "if_data_md5": md5(before)}
    wrong = {"filename": name, "values": {"generic": {"B": 2}}, "if_data_md5": md5(before)}
    found = server.status(server.post([first, wrong]))["items"]
    assert [one["state"] for one in found] == ["completed", "failed"]
    assert b"A       =                    1" in content(server, name)
    assert b"B       =" not in content(server, name)


def test_a_list_says_that_header_updates_are_taken(server: Running, shared_file: str) -> None:
    for selection in (f"present/path=/filename={shared_file}", "present/path=/filename=nothing.fits"):
        with server.client() as client:
            reply = client.get(f"/jsonfilelist/{selection}")
        assert reply.headers["Armillary-Features"] == "header-export"
        assert len(reply.json()) == (shared_file in selection)
