"""`armillary backup` beside a program that edits all the time, and what `armillary restore` makes of it."""

from __future__ import annotations

import bz2
import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.archive import put
from tests.support.command import PATIENCE_S, Commands
from tests.support.headers import a_file
from tests.support.patience import in_time
from tests.support.premade import prepare

NAMES = [f"n{number}.fits" for number in range(6)]


@contextmanager
def editing(address: str, secret: str) -> Iterator[list[int]]:
    """Edit all files again and again while the block runs; count the accepted edits."""
    accepted = [0]
    stop = threading.Event()

    def edit() -> None:
        with httpx.Client(base_url=address, trust_env=False, timeout=PATIENCE_S) as client:
            for number in itertools.count():
                if stop.is_set():
                    return
                items = [
                    {
                        "filename": name,
                        "values": {"generic": [["COUNT", number], [f"KEY{number % 90}", number]]},
                    }
                    for name in NAMES
                ]
                answer = client.post("/update_headers", json=items, headers={"X-Api-Key": secret})
                accepted[0] += sum(item["result"] for item in answer.json())
                client.get(answer.headers["Location"], params={"wait": 30}, headers={"X-Api-Key": secret})

    thread = threading.Thread(target=edit)
    thread.start()
    try:
        yield accepted
    finally:
        stop.set()
        thread.join()


def backup_under_edits(commands: Commands, target: Path, accepted: list[int]) -> dict[str, Any]:
    """Make backups until edits were accepted during one; each of them has to be whole."""
    end = time.monotonic() + PATIENCE_S
    while True:
        before = accepted[0]
        made: dict[str, Any] = commands.run("backup", target, "--json").json()
        assert (made["newer"], made["missing"]) == ([], [])
        if accepted[0] > before:
            return made
        in_time(end, "no edits are accepted")


def await_empty_queues(commands: Commands) -> None:
    """Wait until all that was accepted is done."""
    end = time.monotonic() + PATIENCE_S
    while queues := commands.run("status", "--json").json()["queues"]:
        in_time(end, queues)


def test_a_backup_under_edits_is_whole_and_every_byte_is_as_the_catalog_says(tmp_path: Path) -> None:
    commands, copy = Commands(prepare(tmp_path / "data")), Commands(tmp_path / "copy")
    content = a_file(cards=[("OBJECT", "M 1", "target")], extensions=2)
    for number, name in enumerate(NAMES):
        if number % 2:
            put(tmp_path / "night" / f"{name}.bz2", bz2.compress(content))
        else:
            put(tmp_path / "night" / name, content)
    commands.run("ingest", "--copy", tmp_path / "night")
    secret = commands.run("token", "create", "ann", "--scope", "edit").out.strip()
    with commands.up() as (_, address), editing(address, secret) as accepted:
        for _ in range(2):
            backup_under_edits(commands, tmp_path / "backups", accepted)
        assert commands.run("status", "--json").json()["up"]
    assert "restored" in copy.run("restore", tmp_path / "backups").out
    options = {"trust_env": False, "timeout": PATIENCE_S}
    with copy.up() as (_, address), httpx.Client(base_url=address, **options) as client:
        # Edits that had been accepted in that instant are carried out; then each file is as recorded.
        item = [{"filename": NAMES[0], "values": {"generic": [["AFTER", 1]]}}]
        answer = client.post("/update_headers", json=item, headers={"X-Api-Key": secret})
        done = client.get(
            answer.headers["Location"], params={"wait": 60}, headers={"X-Api-Key": secret}
        ).json()
        assert done["done"]
        assert done["items"][0]["state"] == "completed"
        await_empty_queues(copy)
        copy.run("verify")
        assert commands.data.resolve().as_posix() not in copy.run("show", NAMES[1], "--json").out
        copy.run("revert", NAMES[1])
        copy.run("revert", NAMES[0])
        copy.run("verify")
    copy.run("restore", tmp_path / "backups", code=1)
