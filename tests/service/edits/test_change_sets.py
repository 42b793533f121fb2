"""Change sets: one edit of many files, seen before, stopped and resumed meanwhile, taken back afterwards."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from armillary.base.postgres.server import EmbeddedServer
from armillary.base.work import Worker
from armillary.edits.changesets import service, stepping
from armillary.edits.changesets.errors import BadChangeSet, ChangeSetBusy, UnknownChangeSet
from armillary.edits.changesets.models import Action, ChangeSetState, FileState, Wanted
from armillary.edits.changesets.preview import preview
from armillary.edits.errors import ItemRefused
from armillary.edits.kinds import KINDS as EDIT_KINDS
from tests.support.archive import ORIGIN, Archive, an_archive, put, sha256
from tests.support.clock import FakeClock
from tests.support.night import gemini_file

FILES = 12
NAMES = [f"N20260101S{number:04d}.fits" for number in range(1, FILES + 1)]


@pytest.fixture
async def night(postgres: EmbeddedServer, tmp_path: Path) -> AsyncIterator[Archive]:
    """Open an archive of twelve files; those with an even number are of M 2."""
    async with an_archive(postgres, tmp_path) as archive:
        for at, name in enumerate(NAMES, 1):
            label = f"GN-2026A-Q-1-{at}-001"
            content = gemini_file(DATALAB=label, OBJECT="M 2" if at % 2 == 0 else "M 1", kb=1)
            put(tmp_path / "in" / name, content)
        assert (await archive.ingest(tmp_path / "in")).ingested == FILES
        yield archive


def setting(**cards: Any) -> Wanted:
    """Return a change set of the whole night that sets cards."""
    return Wanted(values={"generic": [[key, value] for key, value in cards.items()]}, selection=("20260101",))


async def create(archive: Archive, wanted: Wanted) -> int:
    """Create a change set, and do nothing of its work."""
    async with archive.context.database.begin() as connection:
        change_set = await service.ask(connection, archive.context, wanted, ORIGIN)
        await connection.execute(text("DELETE FROM work_order WHERE id = :id"), {"id": change_set})
        await service.create(connection, archive.context, change_set, wanted, ORIGIN)
    return change_set


async def work(archive: Archive, change_set: int) -> dict[str, Any]:
    """Work until a change set rests; return what is known of it."""
    async with archive.context.database.begin() as connection:
        order = await service.begin_step(connection, change_set)
    await archive.finish([order])
    return await known(archive, change_set)


async def known(archive: Archive, change_set: int) -> dict[str, Any]:
    async with archive.context.database.begin() as connection:
        document: dict[str, Any] = msgspec.to_builtins(await service.document(connection, change_set))
        return document


async def act(archive: Archive, change_set: int, action: Action) -> None:
    async with archive.context.database.begin() as connection:
        await service.act(connection, change_set, action, actor="second observer")


async def apply(archive: Archive, wanted: Wanted) -> tuple[int, dict[str, Any]]:
    change_set = await create(archive, wanted)
    return change_set, await work(archive, change_set)


async def values(archive: Archive, keyword: str) -> list[Any]:
    """Return what every file of the night says of a keyword, in order of name."""
    found = {}
    for name in NAMES:
        headers = (await archive.version(name)).headers()
        cards = [headers[0][at : at + 80].decode() for at in range(0, len(headers[0]), 80)]
        found[name] = next(
            (card[10:].split("/")[0].strip(" '") for card in cards if card[:8].strip() == keyword), None
        )
    return [found[name] for name in NAMES]


def files_of(document: dict[str, Any]) -> dict[str, int]:
    return {state: number for state, number in document["files"].items() if number}


async def sql(archive: Archive, query: str, **given: object) -> list[Any]:
    async with archive.context.database.begin() as connection:
        result = await connection.execute(text(query), given)
        return [tuple(row) for row in result.all()] if result.returns_rows else []


async def test_a_preview_counts_and_shows_cards_and_writes_nothing(night: Archive) -> None:
    await night.drain()
    digests = [sha256(await night.path(name)) for name in NAMES]
    tables = ("work_order", "edit", "version", "change_set", "change_set_file")
    before = [await sql(night, f"SELECT count(*) FROM {table}") for table in tables]
    wanted = Wanted(
        values={"generic": {"OBJECT": "M 2"}}, selection=("GMOS-N/20260101/RAW",), keywords=("EXPTIME>10",)
    )
    found = await preview(night.context, wanted, samples=2)
    assert (found.matched, found.would_change, found.unchanged, found.refused) == (12, 6, 6, 0)
    assert [one["file"] for one in found.samples] == ["N20260101S0001.fits", "N20260101S0003.fits"]
    (change,) = found.samples[0]["changes"]
    assert (change["keyword"], change["old"], change["new"], change["created"]) == (
        "OBJECT",
        "M 1",
        "M 2",
        False,
    )
    assert change["before"].startswith("OBJECT  = 'M 1")
    assert change["after"].startswith("OBJECT  = 'M 2")
    assert [await sql(night, f"SELECT count(*) FROM {table}") for table in tables] == before
    assert [sha256(await night.path(name)) for name in NAMES] == digests


async def test_a_preview_counts_refusals_by_reason(night: Archive) -> None:
    await night.set(NAMES[0], MYWORD=1)
    wanted = Wanted(values={"generic": {"MYWORD": 2}}, selection=("20260101",), reject_new=True)
    found = await preview(night.context, wanted, samples=5)
    assert (found.matched, found.would_change, found.refused) == (12, 1, 11)
    assert found.reasons == {"Some of the keywords don't exist in the file: MYWORD": 11}


async def test_every_file_is_edited_once_with_a_record_of_its_own(night: Archive) -> None:
    change_set, document = await apply(night, setting(OBSERVER="A. Newcomer", GAIN=1.5))
    assert (document["state"], document["matched"], files_of(document)) == ("completed", 12, {"changed": 12})
    assert await values(night, "OBSERVER") == ["A. Newcomer"] * 12
    records = await sql(
        night,
        "SELECT name, outcome, actor, why, change_set FROM edit JOIN file ON file.id = file_id ORDER BY name",
    )
    assert records == [(name, "changed", "observer", "a test", change_set) for name in NAMES]
    assert set((await night.verify(*NAMES)).values()) == {""}
    assert [len((await night.history(name)).versions) for name in NAMES] == [2] * 12


async def test_files_that_say_so_already_are_left_alone(night: Archive) -> None:
    _, document = await apply(night, setting(OBJECT="M 2"))
    assert files_of(document) == {"changed": 6, "unchanged": 6}


async def test_a_condition_on_keywords_and_names_choose_files(night: Archive) -> None:
    odd = Wanted(values={"generic": {"A": 1}}, keywords=("OBJECT=M 1",))
    assert files_of((await apply(night, odd))[1]) == {"changed": 6}
    assert await values(night, "A") == ["1", None] * 6
    named = Wanted(values={"generic": {"B": 1}}, names=(NAMES[3], f"{NAMES[4]}.bz2", NAMES[4]))
    assert (await preview(night.context, named, samples=0)).would_change == 2
    assert files_of((await apply(night, named))[1]) == {"changed": 2}
    assert [at for at, value in enumerate(await values(night, "B")) if value] == [3, 4]


async def test_the_words_of_header_updates_are_those_of_change_sets(night: Archive) -> None:
    wanted = Wanted(values={"qa_state": "fail", "raw_site": ["iqany", "cc50"]}, selection=("present",))
    assert files_of((await apply(night, wanted))[1]) == {"changed": 12}
    assert await values(night, "RAWGEMQA") == ["BAD"] * 12
    assert await values(night, "RAWCC") == ["50-percentile"] * 12


async def test_files_that_come_later_do_not_belong_to_it(night: Archive) -> None:
    change_set = await create(night, setting(A=1))
    put(night.directory / "late" / "N20260101S0099.fits", gemini_file(DATALAB="late", kb=1))
    assert (await night.ingest(night.directory / "late")).ingested == 1
    document = await work(night, change_set)
    assert document["matched"] == 12
    assert len((await night.history("N20260101S0099.fits")).edits) == 0


@pytest.mark.parametrize(
    ("wanted", "error", "message"),
    [
        (Wanted(values={"generic": {"A": 1}}), BadChangeSet, "means no files"),
        (Wanted(values={}, selection=("present",)), BadChangeSet, "changes nothing"),
        (Wanted(values={"generic": {"NAXIS": 1}}, selection=("present",)), ItemRefused, "Protected keyword"),
        (Wanted(values={"qa_state": "god"}, selection=("present",)), ItemRefused, "Illegal value"),
        (Wanted(values={"generic": {"A": 1}}, names=("a",), keywords=("A=1",)), BadChangeSet, "not both"),
        (
            Wanted(values={"generic": {"A": 1}}, names=("no.fits",)),
            BadChangeSet,
            "not in the archive: no.fits",
        ),
        (Wanted(values={"generic": {"A": 1}}, selection=("presnt",)), Exception, "did you mean 'present'"),
        (Wanted(values={"generic": {"A": 1}}, keywords=("A~1",)), Exception, "no keyword condition"),
    ],
)
async def test_what_is_unclear_is_refused_as_a_whole(
    night: Archive, wanted: Wanted, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        await create(night, wanted)
    with pytest.raises(error, match=message):
        await preview(night.context, wanted, samples=1)
    assert await sql(night, "SELECT * FROM change_set") == []


async def test_one_bad_file_does_not_stop_the_others(night: Archive) -> None:
    path = await night.path(NAMES[4])
    path.write_bytes(path.read_bytes()[:-2880] + b"x" * 2880)
    await sql(night, "UPDATE version SET present = false WHERE filename = :name", name=NAMES[5])
    wanted = Wanted(values={"generic": {"A": 1}}, selection=("20260101", "present"))
    change_set = await create(night, wanted)
    await sql(night, "UPDATE version SET present = false WHERE filename = :name", name=NAMES[6])
    document = await work(night, change_set)
    assert files_of(document) == {"changed": 9, "refused": 1, "failed": 1}
    errors = {one["file"]: one["error"] for one in document["errors"]}
    assert errors.keys() == {NAMES[4], NAMES[6]}
    assert "changed outside Armillary" in errors[NAMES[4]]
    assert "No present file" in errors[NAMES[6]]
    async with night.context.database.begin() as connection:
        shown, after = await service.files(connection, change_set, [FileState.FAILED], after=0, count=10)
    assert ([one.file for one in shown], after) == ([NAMES[4]], None)


async def test_a_selection_means_what_it_meant_when_it_was_accepted(night: Archive) -> None:
    then = dataclasses.replace(night.context, clock=FakeClock())
    wanted = Wanted(values={"generic": {"A": 1}}, selection=("today",), keywords=("OBJECT=M 2",))
    async with then.database.begin() as connection:
        change_set = await service.ask(connection, then, wanted, ORIGIN)
    # The worker's clock shows another day; only the text of the selection says otherwise.
    await night.finish([change_set])
    document = await work(night, change_set)
    assert files_of(document) == {"changed": 6}
    assert (document["selection"], document["keywords"]) == (("today",), ("OBJECT=M 2",))
    assert "terms" not in document


async def test_an_order_of_before_is_read_by_its_words(night: Archive) -> None:
    async with night.context.database.begin() as connection:
        change_set = await service.ask(connection, night.context, setting(A=1), ORIGIN)
    text_of = "(args->>'wanted')::jsonb - 'terms'"
    await sql(
        night,
        f"UPDATE work_order SET args = jsonb_set(args, '{{wanted}}', to_jsonb(({text_of})::text)) WHERE id = :id",
        id=change_set,
    )
    await night.finish([change_set])
    assert files_of(await work(night, change_set)) == {"changed": 12}


async def test_a_stopped_set_is_resumed_where_it_was(night: Archive) -> None:
    change_set = await create(night, setting(A=1))
    await stepping.step(night.context, change_set, chunk=4, window=4)
    await stepping.step(night.context, change_set, chunk=4, window=4)
    assert files_of(await known(night, change_set)) == {"waiting": 8, "queued": 4}
    await act(night, change_set, Action.STOP)
    assert files_of(await known(night, change_set)) == {"waiting": 12}
    document = await work(night, change_set)
    assert (document["state"], files_of(document)) == ("stopped", {"waiting": 12})
    assert await values(night, "A") == [None] * 12
    await act(night, change_set, Action.RESUME)
    document = await work(night, change_set)
    assert (document["state"], files_of(document)) == ("completed", {"changed": 12})
    assert await sql(night, "SELECT count(*) FROM edit") == [(12,)]


async def test_a_step_that_is_repeated_edits_nothing_twice(night: Archive) -> None:
    change_set = await create(night, setting(A=1))
    for _ in range(9):
        await stepping.step(night.context, change_set, chunk=4)
    document = await work(night, change_set)
    assert files_of(document) == {"changed": 12}
    assert await sql(night, "SELECT count(*), count(DISTINCT file_id) FROM edit") == [(12, 12)]


async def test_a_set_is_reverted_byte_for_byte(night: Archive) -> None:
    before = [sha256(await night.path(name)) for name in NAMES]
    change_set, _ = await apply(night, setting(OBJECT="M 33", NEWWORD=1))
    await act(night, change_set, Action.REVERT)
    document = await work(night, change_set)
    assert (document["state"], files_of(document)) == ("reverted", {"reverted": 12})
    assert [sha256(await night.path(name)) for name in NAMES] == before
    records = await sql(
        night, "SELECT actor, outcome, count(*) FROM edit WHERE reverts IS NOT NULL GROUP BY 1, 2"
    )
    assert records == [("second observer", "changed", 12)]


async def test_a_running_set_is_reverted_as_far_as_it_came(night: Archive) -> None:
    change_set = await create(night, setting(A=1))
    await stepping.step(night.context, change_set, chunk=4, window=8)
    queued = [row[0] for row in await sql(night, "SELECT order_id FROM change_set_file WHERE order_id > 0")]
    await Worker(night.context, EDIT_KINDS, name="edits", slots=1).run_until(queued)
    await stepping.step(night.context, change_set, chunk=4, window=8)
    assert files_of(await known(night, change_set)) == {"waiting": 4, "queued": 4, "changed": 4}
    await act(night, change_set, Action.REVERT)
    document = await work(night, change_set)
    assert (document["state"], files_of(document)) == ("reverted", {"waiting": 8, "reverted": 4})
    assert await values(night, "A") == [None] * 12


async def test_a_card_that_was_edited_since_is_reported_and_kept(night: Archive) -> None:
    change_set, _ = await apply(night, setting(OBJECT="M 33"))
    await night.set(NAMES[2], OBJECT="M 34")
    await night.set(NAMES[3], OBSERVER="somebody")
    await act(night, change_set, Action.REVERT)
    document = await work(night, change_set)
    assert (document["state"], files_of(document)) == ("reverted", {"reverted": 11, "kept": 1})
    assert [one["file"] for one in document["errors"]] == [NAMES[2]]
    assert "a later edit changed it" in document["errors"][0]["error"]
    found = await values(night, "OBJECT")
    assert (found[0], found[2], found[3]) == ("M 1", "M 34", "M 2")
    assert (await values(night, "OBSERVER"))[3] == "somebody"
    # When the later edit is out of the way, the rest can be reverted too.
    await night.revert(NAMES[2])
    await act(night, change_set, Action.REVERT)
    assert files_of(await work(night, change_set)) == {"reverted": 12}
    assert (await values(night, "OBJECT"))[2] == "M 1"


async def test_orders_that_died_unrecorded_count_as_failed(night: Archive) -> None:
    change_set = await create(night, setting(A=1))
    await stepping.step(night.context, change_set)
    await sql(
        night,
        "UPDATE work_order SET state = 'Failed', error = 'died', finished = now(), expires = now(),"
        """ response = '{"ok": false, "error": "died", "value": null}' WHERE id IN"""
        " (SELECT min(order_id) FROM change_set_file)".replace(": ", r"\: "),
    )
    await sql(night, "DELETE FROM work_order WHERE id = (SELECT max(order_id) FROM change_set_file)")
    document = await work(night, change_set)
    assert files_of(document) == {"changed": 10, "failed": 2}
    assert {one["error"] for one in document["errors"]} == {
        "died",
        "its work order ended without a record; see the log of the worker",
    }
    assert await sql(night, "SELECT error, change_set FROM edit WHERE outcome = 'failed'") == [
        ("died", change_set)
    ]


async def test_what_is_over_cannot_be_stopped(night: Archive) -> None:
    change_set, document = await apply(night, setting(A=1))
    assert document["state"] == ChangeSetState.COMPLETED
    for action in (Action.STOP, Action.RESUME):
        with pytest.raises(ChangeSetBusy, match=f"is completed; it cannot {action}"):
            await act(night, change_set, action)
    with pytest.raises(UnknownChangeSet):
        await act(night, change_set + 1000, Action.STOP)


async def test_creation_and_preview_are_orders_with_the_id_of_the_set(night: Archive) -> None:
    async with night.context.database.begin() as connection:
        change_set = await service.ask(connection, night.context, setting(A=1), ORIGIN)
        dry = await service.ask(connection, night.context, setting(A=1), ORIGIN, samples=1)
    assert (await known(night, change_set))["state"] == "requested"
    assert await night.finish([change_set]) == [{"matched": 12}]
    assert (await work(night, change_set))["state"] == "completed"
    await night.finish([dry])
    document = await known(night, dry)
    assert (document["state"], document["preview"]["matched"]) == ("previewed", 12)
    async with night.context.database.begin() as connection:
        listed = await service.overview(connection, before=None, count=10)
    assert [one.id for one in listed] == [change_set]
