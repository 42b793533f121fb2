"""A lock file says of a worker what the kernel knows: nothing while it lives, and nothing of other kernels."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from armillary.base.work import presence
from armillary.base.work.presence import LITTER_S, Presence
from tests.support.victims import abandon

OWNER = "worker-1-17-abcd"
OTHER_BOOT = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Presence]:
    """Hold the lock of a worker that lives."""
    one = Presence(tmp_path, OWNER)
    one.take()
    yield one
    one.leave()


def die(one: Presence, *, boot: str = "", host: str = "") -> None:
    """Let the kernel drop the lock, as it does at the end of the process; the holder had another boot or host."""
    found = one.file.read_text().split()
    one.file.write_text(f"{boot or found[0]} {host or found[1]} {found[2]}\n")
    abandon(one)


def test_who_lives_has_not_ended(tmp_path: Path, here: Presence) -> None:
    assert presence.ended(tmp_path) == []
    assert here.file.exists()


def test_whose_lock_is_free_has_ended_until_it_is_forgotten(tmp_path: Path, here: Presence) -> None:
    die(here)
    assert presence.ended(tmp_path) == presence.ended(tmp_path) == [OWNER]
    presence.forget(tmp_path, [OWNER])
    assert presence.ended(tmp_path) == []
    assert not here.file.exists()


def test_who_leaves_is_not_missed(tmp_path: Path, here: Presence) -> None:
    here.leave()
    assert presence.ended(tmp_path) == []
    assert not here.file.exists()


@pytest.mark.parametrize(
    ("boot", "host", "known"),
    [(OTHER_BOOT, "", True), ("", "a.container", True), (OTHER_BOOT, "another.machine", False)],
)
def test_a_machine_knows_who_worked_on_it_before_it_was_started_again(
    tmp_path: Path, here: Presence, boot: str, host: str, known: bool
) -> None:
    die(here, boot=boot, host=host)
    assert presence.ended(tmp_path) == ([OWNER] if known else [])
    assert here.file.exists()


def test_a_copied_file_says_nothing_of_the_one_that_its_owner_holds(tmp_path: Path, here: Presence) -> None:
    copied = tmp_path / "copy" / here.file.relative_to(tmp_path)
    copied.parent.mkdir(parents=True)
    copied.write_bytes(here.file.read_bytes())
    assert presence.ended(tmp_path / "copy") == []


@pytest.mark.parametrize("content", [b"", b"torn", b"a b c d e\n", b"\xff\x00\xff"])
def test_what_cannot_be_read_says_nothing_and_is_removed_some_day(
    tmp_path: Path, here: Presence, content: bytes
) -> None:
    here.file.write_bytes(content)
    abandon(here)
    assert presence.ended(tmp_path) == []
    assert here.file.exists()
    long_ago = here.file.stat().st_mtime - 2 * LITTER_S
    os.utime(here.file, (long_ago, long_ago))
    assert presence.ended(tmp_path) == []
    assert not here.file.exists()


def test_a_worker_that_lives_for_long_keeps_its_file(tmp_path: Path, here: Presence) -> None:
    here.harden()
    os.utime(here.file, (0, 0))
    assert presence.ended(tmp_path) == []
    assert here.file.exists()


def test_a_name_may_be_anything(tmp_path: Path) -> None:
    owner = "../é %2f-17-abcd"
    one = Presence(tmp_path, owner)
    one.take()
    assert one.file.parent == tmp_path / "private" / "workers"
    die(one)
    assert presence.ended(tmp_path) == [owner]
    presence.forget(tmp_path, [owner])
    assert presence.ended(tmp_path) == []


def test_where_there_can_be_no_file_nobody_has_ended(tmp_path: Path) -> None:
    one = Presence(tmp_path / "nowhere", OWNER)
    with pytest.raises(OSError, match="nowhere"):
        one.take()
    one.harden()
    one.leave()
    assert presence.ended(tmp_path / "nowhere") == []
