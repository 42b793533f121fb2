"""Two whole servers that export to each other: kilobytes for a keyword, deaths in the middle, no ping-pong."""

from __future__ import annotations

import asyncio
import bz2
import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from armillary.access.models import Scope
from armillary.archive.intake import bulk
from armillary.context import Context
from armillary.settings import DatabaseSettings, Settings
from tests.crash.tree import QUICK, Tree
from tests.support.night import gemini_file, write_as
from tests.support.patience import in_time
from tests.support.running import Running
from tests.support.wire import Wire, wire

WAIT_S = 300.0
EXPORTS = {
    # A lease that ends while its holder lives, because the machine paused, would do an export twice.
    "ARMILLARY_WORK__LEASE_S": "60",
    "ARMILLARY_EXPORTS__AWAY_S": "0.3",
    "ARMILLARY_EXPORTS__PENDING_S": "0.1",
    "ARMILLARY_EXPORTS__RETRY_FIRST_S": "0.1",
    "ARMILLARY_EXPORTS__RETRY_LAST_S": "0.5",
}


@dataclass
class Server:
    """One of the two: its processes, its name, and the wire that leads to it."""

    tree: Tree
    name: str
    way: Wire

    def start(self) -> None:
        """Start it and let the wire lead there."""
        self.tree.start()
        self.way.lead_to(self.tree.url)

    def die(self) -> None:
        """Kill all of its processes at once, and start again."""
        asyncio.run(self.tree.kill_all())
        self.way.lead_to(self.tree.url)

    @property
    def hand(self) -> Running:
        """What tests do with it."""
        account = DatabaseSettings(account=QUICK["ARMILLARY_DATABASE__ACCOUNT"])
        return Running(self.tree.url, Settings(data=self.tree.data, database=account), self.__tokens)

    def __post_init__(self) -> None:
        self.__tokens: dict[str, str] = {}

    def take_in(self, path: Path) -> None:
        """Take a file into the store; what follows happens by itself."""
        self.hand.ingest(path, copy=True)

    def edit(self, name: str, extension: int = 0, **cards: Any) -> None:
        """Have cards changed and wait until that is done."""
        options = {"extension": extension} if extension else {}
        item = self.hand.edit(name, {"generic": cards}, **options)
        assert (item["state"], item["changed"]) == ("completed", True), item

    def content(self, name: str) -> bytes:
        """Return the uncompressed bytes that it serves."""
        with self.hand.client(scope=Scope.READ) as client:
            reply = client.get(f"/file/{name}")
        return reply.content if reply.status_code == 200 else b""

    def versions(self, name: str) -> int:
        """Return how many versions of a file it has recorded."""
        query = "SELECT count(*) FROM version JOIN file ON file.id = file_id WHERE name = $1"
        return int(self.hand.sql(query, name)[0][0])

    def exported(self) -> dict[str, tuple[str, str]]:
        """Return how files got from here to the other, and their digests there."""
        rows = self.hand.sql("SELECT name, how, data_md5 FROM export")
        return {name: (how, digest) for name, how, digest in rows}


@dataclass
class Pair:
    """Two servers."""

    north: Server
    south: Server

    def settle(self) -> None:
        """Wait until neither has anything to do any more, nor gives the other anything."""
        end = time.monotonic() + WAIT_S
        quiet = 0
        while quiet < 2:
            in_time(end, "still busy")
            self.north.hand.settle()
            self.south.hand.settle()
            busy = "SELECT count(*) FROM work_order WHERE state IN ('Queued', 'Started')"
            quiet = quiet + 1 if self.north.hand.sql(busy) == self.south.hand.sql(busy) == [(0,)] else 0

    def agree(self, name: str) -> bytes:
        """Check that both serve the same bytes, and return them."""
        here, there = self.north.content(name), self.south.content(name)
        assert hashlib.md5(here).hexdigest() == hashlib.md5(there).hexdigest()
        assert here
        return here


def await_attempts(way: Wire, count: int) -> None:
    """Wait until so many more connections were tried."""
    enough, end = way.connections + count, time.monotonic() + WAIT_S
    while way.connections < enough:
        in_time(end, "nobody tries any more")
        time.sleep(0.01)


def configured(folder: Path, name: str, other: str, way: Wire, *, mutual: bool) -> dict[str, str]:
    destination = {
        "name": other,
        "url": way.url,
        "upload_secret": f"file:{folder / f'{other}.upload'}",
        "edit_secret": f"file:{folder / f'{other}.edit'}",
        "mutual": mutual,
    }
    return EXPORTS | {"ARMILLARY_EXPORTS__DESTINATIONS": json.dumps([destination])}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Run two servers that export everything to each other."""
    folder = tmp_path_factory.mktemp("pair")
    with ExitStack() as stack:
        ways = {name: stack.enter_context(wire()) for name in ("north", "south")}
        servers = {}
        for name, other in (("north", "south"), ("south", "north")):
            environment = configured(folder, name, other, ways[other], mutual=True)
            tree = Tree(folder / name, log=folder / f"{name}.log", **environment)
            stack.callback(tree.clear)
            servers[name] = Server(tree, name, ways[name])
            servers[name].start()
        for name, server in servers.items():
            for scope in (Scope.UPLOAD, Scope.EDIT):
                (folder / f"{name}.{scope}").write_text(server.hand.secret(scope))
        yield Pair(servers["north"], servers["south"])
        for server in servers.values():
            server.tree.stop()


_numbers = iter(range(1, 1000))


@pytest.fixture
def name() -> str:
    return f"N20260101S{next(_numbers):04d}.fits"


def a_large_file() -> bytes:
    return gemini_file(kb=4000, extensions=1)


def test_a_keyword_of_a_large_file_moves_kilobytes(pair: Pair, tmp_path: Path, name: str) -> None:
    pair.north.take_in(write_as(tmp_path / name, a_large_file()))
    pair.settle()
    size = len(pair.agree(name))
    assert pair.north.exported()[name][0] == "bytes"
    pair.south.way.reset()
    pair.north.way.reset()
    pair.north.edit(name, RAWIQ="70-percentile")
    pair.settle()
    assert b"RAWIQ   = '70-percentile'" in pair.agree(name)
    assert pair.north.exported()[name][0] == "header"
    assert pair.south.exported()[name][0] == "already"
    passed = pair.south.way.passed + pair.north.way.passed
    assert 0 < passed <= size / 100, passed
    assert pair.south.versions(name) == pair.north.versions(name) == 2


def test_a_chain_of_changes_in_several_extensions_goes_as_updates(
    pair: Pair, tmp_path: Path, name: str
) -> None:
    pair.north.take_in(write_as(tmp_path / f"{name}.bz2", gemini_file(extensions=2, checksum=True)))
    pair.settle()
    target, pair.south.way.target = pair.south.way.target, None
    for number in range(3):
        pair.north.edit(name, COUNTER=number, FLOAT=1e5)
    pair.north.edit(name, extension=2, GAIN=2.5)
    # An attempt that is under way may speak of the version before; the one after it speaks of the last.
    await_attempts(pair.south.way, 2)
    pair.south.way.target = target
    pair.settle()
    content = pair.agree(name)
    assert b"COUNTER =                    2" in content
    assert pair.north.exported()[name] == ("header", hashlib.md5(content).hexdigest())
    ((updates,),) = pair.north.hand.sql("SELECT header_update FROM export WHERE name = $1", name)
    assert [item.get("extension", 0) for item in updates] == [0, 2]
    assert updates[0]["values"] == {"generic": [["COUNTER", 2], ["FLOAT", 1e5]]}
    # The first content, then one version for both items of the update.
    assert pair.south.versions(name) == 2


def test_both_ways_come_to_rest(pair: Pair, tmp_path: Path, name: str) -> None:
    pair.south.take_in(write_as(tmp_path / name, gemini_file()))
    pair.settle()
    pair.north.edit(name, OBSERVER="north")
    pair.settle()
    pair.south.edit(name, OBSERVER="south")
    pair.settle()
    assert b"OBSERVER= 'south   '" in pair.agree(name)
    versions = pair.north.versions(name), pair.south.versions(name)
    assert versions == (3, 3)
    asked = pair.north.way.connections, pair.south.way.connections
    pair.settle()
    assert (pair.north.way.connections, pair.south.way.connections) == asked


def test_of_two_changes_at_once_the_later_one_wins_on_both_sides(
    pair: Pair, tmp_path: Path, name: str
) -> None:
    pair.north.take_in(write_as(tmp_path / name, gemini_file()))
    pair.settle()
    targets = pair.north.way.target, pair.south.way.target
    pair.north.way.target = pair.south.way.target = None
    pair.north.edit(name, OBSERVER="first")
    pair.south.edit(name, OBSERVER="second")
    pair.north.way.target, pair.south.way.target = targets
    pair.settle()
    assert b"OBSERVER= 'second  '" in pair.agree(name)
    assert pair.north.versions(name) == 3
    assert pair.south.versions(name) == 2


def test_a_destination_that_dies_in_the_middle_gets_everything_once(pair: Pair, tmp_path: Path) -> None:
    names = [f"N20260102S{number:04d}.fits" for number in range(1, 9)]
    pair.south.way.hold_after(400_000)
    paths = [write_as(tmp_path / name, gemini_file(kb=200)) for name in names]
    for path in paths:
        submit(pair.north, path)
    assert pair.south.way.held.wait(WAIT_S)
    pair.south.die()
    pair.south.way.release()
    pair.settle()
    for name in names:
        pair.agree(name)
        assert (pair.north.versions(name), pair.south.versions(name)) == (1, 1)
    assert {how for how, _ in (pair.north.exported()[name] for name in names)} <= {"bytes", "already"}


def test_a_source_that_dies_in_the_middle_finishes_what_it_began(
    pair: Pair, tmp_path: Path, name: str
) -> None:
    pair.south.way.hold_after(100_000)
    submit(pair.north, write_as(tmp_path / name, gemini_file(kb=400)))
    assert pair.south.way.held.wait(WAIT_S)
    pair.north.die()
    pair.south.way.release()
    pair.settle()
    pair.agree(name)
    assert (pair.north.versions(name), pair.south.versions(name)) == (1, 1)
    assert list((pair.north.tree.data / "private" / "exports").iterdir()) == []


def test_a_death_during_a_header_update_doubles_nothing(pair: Pair, tmp_path: Path, name: str) -> None:
    pair.north.take_in(write_as(tmp_path / name, gemini_file()))
    pair.settle()
    pair.south.way.reset()
    # As the exporter asks: an answer to whoever shows a token has other headers.
    with pair.south.hand.client(scope=Scope.EDIT) as client:
        client.get(f"{pair.south.way.url}/jsonfilelist/present/path=/filename={name}")
    # The answer to the question passes, that to the update does not.
    pair.south.way.hold_replies_after(pair.south.way.received)
    pair.north.edit(name, HISTORY="once")
    assert pair.south.way.held.wait(WAIT_S)
    pair.south.hand.settle()
    assert pair.south.versions(name) == 2
    pair.south.die()
    pair.south.way.release()
    pair.settle()
    assert pair.agree(name).count(b"HISTORY once") == 1


def test_a_file_that_was_changed_there_is_sent_whole(pair: Pair, tmp_path: Path, name: str) -> None:
    pair.north.take_in(write_as(tmp_path / name, gemini_file()))
    pair.settle()
    pair.north.way.target, target = None, pair.north.way.target
    pair.south.edit(name, OBSERVER="unknown to north")
    pair.north.edit(name, OBSERVER="later")
    pair.north.hand.settle()
    # It has arrived there; a worker there has yet to take it in.
    end = time.monotonic() + WAIT_S
    while b"OBSERVER= 'later   '" not in pair.south.content(name):
        in_time(end)
        time.sleep(0.02)
    assert pair.north.exported()[name][0] == "bytes"
    pair.north.way.target = target
    pair.settle()
    pair.agree(name)


def test_containers_of_one_file_may_differ(pair: Pair, tmp_path: Path, name: str) -> None:
    content = gemini_file()
    pair.north.take_in(write_as(tmp_path / name, content))
    pair.settle()
    (stored,) = pair.south.tree.data.glob(f"store/**/{name}*")
    assert stored.name == f"{name}.bz2"
    assert bz2.decompress(stored.read_bytes()) == content
    pair.south.edit(name, OBSERVER="south")
    pair.settle()
    assert pair.agree(name) != content


def submit(server: Server, path: Path) -> None:
    """Queue the intake of a file, and do not wait."""

    async def action(context: Context) -> None:
        await bulk.submit_paths(context, [path], copy=True, force=False, in_place=False)

    server.hand.act(action)
