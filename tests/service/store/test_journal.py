"""Journals as power cuts leave them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from armillary.base.store.change import Change, change_of
from armillary.base.store.files import SystemFiles, read_at
from armillary.base.store.journal import (
    BODY_AT,
    Entry,
    Journal,
    Records,
    lock_dead,
    read_record,
    settle_entries,
)
from armillary.base.store.models import Patch, StoredObject
from armillary.base.store.recovery import Outcome, restore
from armillary.fits.models import BLOCK
from tests.service.store.conftest import MakeStore
from tests.support.stores import a_growth, a_plan, allow, edited, names_in, some_bytes

DATA = some_bytes(120)
FILES = SystemFiles()
OLD_NS, NEW_NS = 1_600_000_000_000_000_001, 1_700_000_000_000_000_002


def change_for(path: Path, plan: object) -> Change:
    fd = os.open(path, os.O_RDONLY)
    try:
        change = change_of(plan, lambda at, size: read_at(fd, at, size), granule=4096)  # type: ignore[arg-type]
    finally:
        os.close(fd)
    assert change is not None
    return change


def an_entry(path: Path, plan: object) -> Entry:
    return Entry(path.name, path.stat().st_ino, OLD_NS, NEW_NS, change_for(path, plan), "edit 17")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of `DATA`."""
    path = tmp_path / "a.fits"
    path.write_bytes(DATA)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory for journals."""
    path = tmp_path / "journals"
    path.mkdir()
    return path


def test_records_come_back_as_they_were_written(file: Path, folder: Path) -> None:
    journal = Journal(folder, FILES)
    entries = (an_entry(file, a_plan(DATA, 0, 3)), an_entry(file, a_growth(DATA)))
    journal.record(entries)
    record = read_record(journal.file)
    assert record is not None
    assert record.entries == entries
    assert [i for i, _ in record.pending()] == [0, 1]
    settle_entries(record, [1], FILES)
    again = read_record(journal.file)
    assert again is not None
    assert [i for i, _ in again.pending()] == [0]
    journal.record(entries[:1])
    assert read_record(journal.file).settled == frozenset()  # type: ignore[union-attr]
    journal.discard()
    assert names_in(folder) == []


def test_a_reader_sees_every_new_record_and_every_mark(file: Path, folder: Path) -> None:
    journal, reader = Journal(folder, FILES), Records(folder)
    entries = (an_entry(file, a_plan(DATA, 0, 3)), an_entry(file, a_growth(DATA)))
    assert reader.read(skip=()) == []
    for written in (entries, entries[:1], entries[1:]):
        journal.record(written)
        for _ in range(2):
            assert reader.read(skip=()) == [read_record(journal.file)]
        (record,) = reader.read(skip=())
        assert [entry for _, entry in record.pending()] == list(written)
        settle_entries(record, [0], FILES)
        (record,) = reader.read(skip=())
        assert [entry for _, entry in record.pending()] == list(written[1:])
    assert reader.read(skip={journal.file.name}) == []
    assert [record.settled for record in reader.read(skip=())] == [frozenset({0})]
    journal.discard()
    assert reader.read(skip=()) == []


@pytest.mark.parametrize("at", [0, 9, 30, BODY_AT, BODY_AT + 40, BODY_AT + 9000])
def test_a_torn_record_does_not_count(file: Path, folder: Path, at: int) -> None:
    journal = Journal(folder, FILES)
    assert read_record(journal.file) is None
    journal.record([an_entry(file, a_plan(DATA, 0, 3))])
    with journal.file.open("r+b") as opened:
        opened.seek(at)
        byte = opened.read(1)
        opened.seek(at)
        opened.write(bytes([byte[0] ^ 1]))
    assert read_record(journal.file) is None
    journal.discard()


def test_a_journal_is_dead_only_when_its_writer_let_go(folder: Path) -> None:
    journal = Journal(folder, FILES)
    assert lock_dead(journal.file) is None
    journal.abandon()
    lock = lock_dead(journal.file)
    assert lock is not None
    os.close(lock)


@pytest.mark.parametrize(
    ("state", "outcome", "mtime_ns"),
    [
        (DATA, Outcome.UNTOUCHED, OLD_NS),
        (edited(DATA, a_plan(DATA, 0, 7)), Outcome.LANDED, NEW_NS),
        (edited(DATA, a_plan(DATA, 0)), Outcome.UNDONE, OLD_NS),
        (edited(DATA, a_plan(DATA, 0, mark=b"x")), Outcome.FOREIGN, None),
        (DATA + b"longer", Outcome.FOREIGN, None),
    ],
)
def test_blocks_are_undone_unless_they_all_landed(
    file: Path, state: bytes, outcome: Outcome, mtime_ns: int | None
) -> None:
    entry = an_entry(file, a_plan(DATA, 0, 7))
    file.write_bytes(state)
    with file.open("r+b") as opened:
        assert restore(opened.fileno(), entry, FILES) is outcome
    assert file.read_bytes() == (DATA if outcome is Outcome.UNDONE else state)
    assert mtime_ns in (None, file.stat().st_mtime_ns)


def test_another_file_of_the_same_name_is_left_alone(file: Path) -> None:
    entry = an_entry(file, a_plan(DATA, 0, 7))
    other = file.with_name("other")
    other.write_bytes(edited(DATA, a_plan(DATA, 0)))
    with other.open("r+b") as opened:
        assert restore(opened.fileno(), entry, FILES) is Outcome.GONE
    assert other.read_bytes() == edited(DATA, a_plan(DATA, 0))


def insert_or_skip(file: Path, offset: int, size: int) -> None:
    with file.open("r+b") as opened:
        os.fsync(opened.fileno())
        try:
            FILES.insert_range(opened.fileno(), offset, size)
        except OSError:
            pytest.skip("this file system cannot insert ranges")


@pytest.mark.parametrize("at_block", [0, 1, 20, 80])
def test_an_insertion_cut_off_halfway_is_taken_back(file: Path, at_block: int) -> None:
    plan = a_growth(DATA, 1)
    entry = an_entry(file, plan)
    assert entry.change.shift is not None
    # As if extents had been moved from the end of the file down to here only.
    insert_or_skip(file, entry.change.shift.offset + 4096 * at_block, entry.change.shift.amount)
    with file.open("r+b") as opened:
        outcome = restore(opened.fileno(), entry, FILES)
    assert outcome is (Outcome.UNTOUCHED if at_block else Outcome.COMPLETED)
    assert file.read_bytes() == (DATA if at_block else edited(DATA, plan))


def test_an_insertion_that_only_made_the_file_longer_is_taken_back(file: Path) -> None:
    entry = an_entry(file, a_growth(DATA, 1))
    os.truncate(file, entry.change.size_after)
    with file.open("r+b") as opened:
        if os.lseek(opened.fileno(), 0, os.SEEK_HOLE) == entry.change.size_after:
            pytest.skip("this file system does not tell holes")
        assert restore(opened.fileno(), entry, FILES) is Outcome.UNTOUCHED
    assert file.read_bytes() == DATA


def test_an_insertion_with_half_the_header_written_is_finished(file: Path) -> None:
    plan = a_growth(DATA, 1)
    entry = an_entry(file, plan)
    assert entry.change.shift is not None
    insert_or_skip(file, entry.change.shift.offset, entry.change.shift.amount)
    block = entry.change.blocks[0]
    for written in (100, 70_000):
        with file.open("r+b") as opened:
            FILES.write_at(opened.fileno(), block.new[:written], block.offset)
            assert restore(opened.fileno(), entry, FILES) is Outcome.COMPLETED
        assert file.read_bytes() == edited(DATA, plan)
        with file.open("r+b") as opened:
            FILES.write_at(opened.fileno(), block.old, block.offset)


async def test_a_foreign_mixture_is_kept_and_reported_once(
    make_store: MakeStore, files: Path, private: Path
) -> None:
    store = make_store()
    await store.write("a.fits", DATA)
    journal = Journal(private / "journal", FILES)
    journal.record([an_entry(files / "a.fits", a_plan(DATA, 0, 7))])
    journal.abandon()
    with (files / "a.fits").open("r+b") as opened:
        opened.write(b"from outside")
    now = (files / "a.fits").read_bytes()
    assert await store.read("a.fits") == now
    said = await store.recover()
    assert any("edit 17" in s and "left alone" in s for s in said)
    assert (files / "a.fits").read_bytes() == now
    assert [n.split(".")[1] for n in names_in(private / "journal")] == ["unresolved"]
    assert await store.recover() == []


async def test_the_next_patch_settles_an_interrupted_one_first(
    make_store: MakeStore, files: Path, private: Path
) -> None:
    store = make_store()
    await store.write("a.fits", DATA)
    journal = Journal(private / "journal", FILES)
    journal.record([an_entry(files / "a.fits", a_plan(DATA, 0, 7))])
    journal.abandon()
    with (files / "a.fits").open("r+b") as opened:
        opened.write(b"n" * BLOCK)
    (result,) = await store.patch([Patch("a.fits", a_plan(DATA, 3))], allow)
    assert isinstance(result, StoredObject)
    assert await store.recover() == []
    assert await store.read("a.fits") == edited(DATA, a_plan(DATA, 3))
