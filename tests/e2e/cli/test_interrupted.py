"""A command helps with its own orders; whatever ends it in the middle, the next worker goes on at once."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits

from armillary.base.store.locks import PathLocks
from armillary.settings import DatabaseSettings, Settings
from tests.support.archive import put
from tests.support.command import PATIENCE_S, Commands, finish
from tests.support.patience import in_time
from tests.support.postgres import server_account
from tests.support.premade import prepare
from tests.support.running import Running

ORDER = """
SELECT state, split_part(lease_owner, '-', 1), extract(epoch FROM lease_until)::float8,
    extract(epoch FROM finished)::float8, error
FROM work_order WHERE kind = 'update_headers'
"""


def until_started(hand: Running) -> tuple[Any, ...]:
    """Return how the one edit stands, once somebody has begun it."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := hand.sql(ORDER)) or found[0][0] != "Started":
        in_time(deadline, found)
        time.sleep(0.02)
    (order,) = found
    return tuple(order)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_an_edit_whose_command_ended_does_not_wait_for_its_lease(
    tmp_path: Path, number: signal.Signals
) -> None:
    # However slow the machine is, nothing ends before such a lease, and no edit is given up that waits for a lock.
    slow = {"ARMILLARY_WORK__LEASE_S": "3600", "ARMILLARY_WORK__MAX_ATTEMPTS": "1000"}
    commands = Commands(prepare(tmp_path / "data"), slow)
    path = put(tmp_path / "night" / "n1.fits")
    commands.run("ingest", "--private", tmp_path / "night")
    database = DatabaseSettings(account=server_account())
    hand = Running("", Settings(data=commands.data, database=database))
    (private,) = (commands.data / "private").glob("night-*")
    locks = PathLocks(private / "locks")
    try:
        assert locks.try_all(["n1.fits"]) is None
        command = commands.start("edit", "n1.fits", "OBJECT=M 31")
        _, owner, lease_until, _, _ = until_started(hand)
        assert owner == "cli"
        command.send_signal(number)
        assert finish(command).code != 0
    finally:
        locks.close()
    commands.run("worker", "--until-empty")
    ((state, _, _, finished, error),) = hand.sql(ORDER)
    assert (state, error) == ("Completed", None)
    assert finished < lease_until
    assert fits.getval(path, "OBJECT") == "M 31"


def test_nothing_is_left_of_a_command_that_ended_well(tmp_path: Path) -> None:
    commands = Commands(prepare(tmp_path / "data"))
    put(tmp_path / "night" / "n1.fits")
    commands.run("ingest", tmp_path / "night")
    assert list((commands.data / "private" / "workers").iterdir()) == []
