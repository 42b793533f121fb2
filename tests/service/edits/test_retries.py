"""Files of a change set that were refused or failed are tried again, and only those."""

from __future__ import annotations

import pytest

from armillary.edits.changesets import service
from armillary.edits.changesets.errors import ChangeSetBusy
from armillary.edits.changesets.models import Action, ChangeSetState
from tests.service.edits.test_change_sets import (
    NAMES,
    act,
    apply,
    create,
    files_of,
    known,
    night,
    setting,
    sql,
    values,
    work,
)
from tests.support.archive import Archive

__all__ = ["night"]
BROKEN, ABSENT = NAMES[4], NAMES[6]
PRESENT = "UPDATE version SET present = :present WHERE filename = :name AND canonical"


async def with_trouble(night: Archive, **cards: object) -> tuple[int, bytes]:
    """Create and work off a change set one file of which fails, and one is refused."""
    path = await night.path(BROKEN)
    content = path.read_bytes()
    change_set = await create(night, setting(**cards or {"A": 1}))
    path.write_bytes(content[:-2880] + b"x" * 2880)
    await sql(night, PRESENT, name=ABSENT, present=False)
    document = await work(night, change_set)
    assert (document["state"], files_of(document)) == (
        ChangeSetState.COMPLETED,
        {"changed": 10, "refused": 1, "failed": 1},
    )
    return change_set, content


async def mend(night: Archive, content: bytes) -> None:
    path = await night.path(BROKEN)
    path.write_bytes(content)
    await night.submit(path, force=True, in_place=True)
    await night.drain()
    await sql(night, PRESENT, name=ABSENT, present=True)


async def test_mended_files_are_edited_by_the_retry_and_the_others_left_alone(night: Archive) -> None:
    change_set, content = await with_trouble(night)
    before = await sql(night, "SELECT id FROM edit WHERE outcome = 'changed' ORDER BY id")
    await mend(night, content)
    await act(night, change_set, Action.RETRY)
    assert files_of(await known(night, change_set)) == {"changed": 10, "waiting": 2}
    document = await work(night, change_set)
    assert (document["state"], files_of(document), document["errors"]) == (
        ChangeSetState.COMPLETED,
        {"changed": 12},
        [],
    )
    assert document["finished"] is not None
    assert await values(night, "A") == ["1"] * 12
    after = await sql(night, "SELECT id FROM edit WHERE outcome = 'changed' ORDER BY id")
    assert (after[:10], len(after)) == (before, 12)
    # What failed is on record for ever.
    assert await sql(night, "SELECT count(*) FROM edit WHERE outcome = 'failed'") == [(1,)]


async def test_files_in_the_same_trouble_fail_again_with_their_reason(night: Archive) -> None:
    change_set, _ = await with_trouble(night)
    reasons = (await known(night, change_set))["errors"]
    await act(night, change_set, Action.RETRY)
    document = await work(night, change_set)
    assert files_of(document) == {"changed": 10, "refused": 1, "failed": 1}
    assert document["errors"] == reasons


async def test_a_retried_set_is_reverted_as_a_whole(night: Archive) -> None:
    change_set, content = await with_trouble(night)
    await mend(night, content)
    await act(night, change_set, Action.RETRY)
    await work(night, change_set)
    await act(night, change_set, Action.REVERT)
    document = await work(night, change_set)
    assert (document["state"], files_of(document)) == (ChangeSetState.REVERTED, {"reverted": 12})
    assert await values(night, "A") == [None] * 12
    with pytest.raises(ChangeSetBusy, match="is reverted; it cannot retry any more"):
        await act(night, change_set, Action.RETRY)


async def test_a_set_without_trouble_has_nothing_to_retry(night: Archive) -> None:
    change_set, document = await apply(night, setting(A=1))
    with pytest.raises(ChangeSetBusy, match="nothing to retry"):
        await act(night, change_set, Action.RETRY)
    assert await known(night, change_set) == document


async def test_a_stopped_set_is_resumed_before_it_is_retried(night: Archive) -> None:
    change_set = await create(night, setting(A=1))
    await act(night, change_set, Action.STOP)
    assert (await work(night, change_set))["state"] == ChangeSetState.STOPPED
    with pytest.raises(ChangeSetBusy, match="is stopped; resume it first"):
        await act(night, change_set, Action.RETRY)


async def test_the_web_asks_by_an_order(night: Archive) -> None:
    whole, document = await apply(night, setting(A=1))
    change_set, content = await with_trouble(night, A=2)
    await mend(night, content)
    async with night.context.database.begin() as connection:
        with pytest.raises(ChangeSetBusy, match="nothing to retry"):
            await service.ask_to(connection, whole, Action.RETRY, actor="somebody")
        for _ in range(2):
            await service.ask_to(connection, change_set, Action.RETRY, actor="somebody")
    await night.drain()
    assert files_of(await work(night, change_set)) == {"changed": 12}
    assert await known(night, whole) == document
    # One of the two came too late, and was told so.
    query = "SELECT error FROM work_order WHERE kind = 'change_set_control' ORDER BY error NULLS FIRST"
    first, second = [error for (error,) in await sql(night, query)]
    assert (first, "nothing to retry" in second) == (None, True)
