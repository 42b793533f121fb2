"""Grants to people and groups, as whoever takes files in says them, and the record of all of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa

from armillary.access import service
from armillary.access.errors import InvalidGrantee
from armillary.access.models import Grantee, Grants, Holder, Level, Scope
from armillary.access.service import GrantAudit
from armillary.operations.retention import forget_grants
from tests.support.archive import Archive

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FILE, OTHER = ["/7", "a.fits"], ["/8"]
BY = {"actor": "operator", "now": NOW}


async def do(archive: Archive, act: Callable[..., Awaitable[Any]], *args: Any, **given: Any) -> Any:
    async with archive.context.database.begin() as connection:
        return await act(connection, *args, **given)


async def held(archive: Archive, subjects: list[str] = FILE) -> list[tuple[str, str, str, str]]:
    found = await do(archive, service.list_grants, kind="file", subjects=subjects)
    return sorted((one.holder, one.principal, one.subject, one.level) for one in found)


async def owners(archive: Archive, emails: Any = None, groups: Any = None, subjects: Any = FILE) -> None:
    await do(archive, service.set_file_grants, subjects, emails=emails, groups=groups, origin="order 1", **BY)


async def recorded(archive: Archive, **asked: Any) -> list[tuple[str, str, str]]:
    found: GrantAudit = await do(archive, service.grant_audit, **asked)
    return [(one.action, one.principal, one.subject) for one in reversed(found.changes)]


async def test_a_list_replaces_and_none_leaves_as_it_is(archive: Archive) -> None:
    await owners(archive, ["Ann@c.d", "bob@c.d", "ann@C.D"], ["g"])
    first = [
        ("email", "ann@c.d", "/7", "open"),
        ("email", "bob@c.d", "/7", "open"),
        ("group", "g", "/7", "open"),
    ]
    assert await held(archive) == first
    await owners(archive)
    assert await held(archive) == first
    await owners(archive, ["BOB@c.d"])
    assert await held(archive) == first[1:]
    await owners(archive, [])
    assert await held(archive) == first[2:]
    await owners(archive, None, [])
    assert await held(archive) == []
    assert await recorded(archive) == [
        ("given", "ann@c.d", "/7"),
        ("given", "bob@c.d", "/7"),
        ("given", "g", "/7"),
        ("taken", "ann@c.d", "/7"),
        ("taken", "bob@c.d", "/7"),
        ("taken", "g", "/7"),
    ]


async def test_what_stays_as_it_is_leaves_no_record(archive: Archive) -> None:
    await owners(archive, ["ann@c.d"], ["g"])
    before = await recorded(archive)
    await owners(archive, ["ANN@c.d"], ["g"])
    assert await recorded(archive) == before


async def test_a_grant_by_name_is_replaced_too_and_one_of_metadata_becomes_whole(archive: Archive) -> None:
    for subject, email in (("a.fits", "ann@c.d"), ("/7", "bob@c.d")):
        to = Grantee(Holder.EMAIL, email)
        await do(archive, service.grant, to, "file", subject, now=NOW, level=Level.METADATA)
    await owners(archive, ["bob@c.d"])
    assert await held(archive) == [("email", "bob@c.d", "/7", "open")]


async def test_tokens_and_other_files_keep_theirs(archive: Archive) -> None:
    await do(archive, service.grant, "ann", "file", "/7", now=NOW)
    await owners(archive, ["ann@c.d"], subjects=OTHER)
    await owners(archive, [], [])
    assert await held(archive) == [("token", "ann", "/7", "open")]
    assert await held(archive, OTHER) == [("email", "ann@c.d", "/8", "open")]


async def test_a_bad_list_changes_nothing(archive: Archive) -> None:
    await owners(archive, ["ann@c.d"], ["g"])
    before = await held(archive)
    for emails, groups in ((["bob@c.d", "bob"], None), (["bob@c.d"], [""])):
        with pytest.raises(InvalidGrantee):
            await owners(archive, emails, groups)
        # In one transaction with others, too.
        async with archive.context.database.begin() as connection:
            with pytest.raises(InvalidGrantee):
                await service.set_file_grants(connection, FILE, emails=emails, groups=groups, **BY)
    assert await held(archive) == before


async def test_one_group_comes_and_goes_alone(archive: Archive) -> None:
    await owners(archive, ["ann@c.d"], ["g"])
    for _ in range(2):
        await do(archive, service.add_group, FILE, " swedish ", **BY)
    assert [one[1] for one in await held(archive)] == ["ann@c.d", "g", "swedish"]
    for _ in range(2):
        await do(archive, service.remove_group, FILE, "swedish", **BY)
    assert [one[1] for one in await held(archive)] == ["ann@c.d", "g"]
    assert (await recorded(archive, who="swedish")) == [
        ("given", "swedish", "/7"),
        ("taken", "swedish", "/7"),
    ]


async def test_grants_follow_a_file(archive: Archive) -> None:
    await owners(archive, ["ann@c.d", "bob@c.d"], ["g"])
    await do(archive, service.grant, Grantee(Holder.EMAIL, "ann@c.d"), "file", "a.fits", now=NOW)
    await do(archive, service.grant, "tok", "file", "a.fits", now=NOW, level=Level.METADATA)
    await do(archive, service.grant, "tok", "file", "/8", now=NOW)
    await do(
        archive, service.grant, Grantee(Holder.EMAIL, "bob@c.d"), "file", "/8", now=NOW, level=Level.METADATA
    )
    await do(archive, service.move_file_grants, FILE, OTHER, **BY)
    assert await held(archive) == []
    assert await held(archive, OTHER) == [
        ("email", "ann@c.d", "/8", "open"),
        ("email", "bob@c.d", "/8", "open"),
        ("group", "g", "/8", "open"),
        ("token", "tok", "/8", "open"),
    ]
    before = await recorded(archive)
    await do(archive, service.move_file_grants, OTHER, OTHER, **BY)
    await do(archive, service.move_file_grants, FILE, OTHER, **BY)
    assert await recorded(archive) == before


async def test_all_grants_of_a_file_go_with_it(archive: Archive) -> None:
    await owners(archive, ["ann@c.d"], ["g"])
    await do(archive, service.grant, "tok", "file", "a.fits", now=NOW)
    await owners(archive, ["ann@c.d"], subjects=OTHER)
    await do(archive, service.remove_file_grants, FILE, **BY)
    assert await held(archive) == []
    assert len(await held(archive, OTHER)) == 1


async def create(archive: Archive, **given: Any) -> str:
    secret: str = await do(archive, service.create_token, "ann", {Scope.INGEST}, now=NOW, **given)
    return secret


async def test_a_token_has_what_its_name_addresses_and_groups_were_granted(archive: Archive) -> None:
    secret = await create(archive, emails=["Ann@c.d", "a@c.d"], groups=["g"])
    for to, kind, subject in (
        ("ann", "program", "P1"),
        (Grantee(Holder.EMAIL, "ann@c.d"), "program", "P2"),
        (Grantee(Holder.EMAIL, "a@c.d"), "instrument", "CHROMIS"),
        (Grantee(Holder.GROUP, "g"), "observation", "O1"),
        (Grantee(Holder.GROUP, "ann@c.d"), "program", "P3"),
        (Grantee(Holder.EMAIL, "ann"), "program", "P4"),
        (Grantee(Holder.TOKEN, "g"), "program", "P5"),
        (Grantee(Holder.TOKEN, "ann@c.d"), "program", "P7"),
        (Grantee(Holder.EMAIL, "bob@c.d"), "program", "P6"),
    ):
        await do(archive, service.grant, to, kind, subject, now=NOW)
    await do(archive, service.grant, "ann", "program", "P2", now=NOW, level=Level.METADATA)
    found = await do(archive, service.authenticate, secret)
    assert found.grants.programs == {"P1", "P2"}
    assert found.grants.metadata.programs == {"P2"}
    assert (found.grants.instruments, found.grants.observations) == ({"CHROMIS"}, {"O1"})
    same = await do(archive, service.grants_of, "ann", emails=["ann@c.d", "a@c.d"], groups=["g"])
    assert same == found.grants
    assert await do(archive, service.grants_of, "") == Grants()


async def test_a_revoked_token_takes_no_grants_of_addresses_along(archive: Archive) -> None:
    await create(archive, emails=["ann@c.d"])
    await do(archive, service.grant, Grantee(Holder.EMAIL, "ann@c.d"), "program", "P1", now=NOW)
    await do(archive, service.grant, "ann", "program", "P2", now=NOW)
    await do(archive, service.revoke, "ann", now=NOW)
    assert await recorded(archive) == [
        ("given", "ann@c.d", "P1"),
        ("given", "ann", "P2"),
        ("taken", "ann", "P2"),
    ]
    # Whoever gets a token of that name is somebody else.
    secret = await create(archive)
    assert (await do(archive, service.authenticate, secret)).grants == Grants()


async def test_a_token_is_bound_to_no_bad_address(archive: Archive) -> None:
    with pytest.raises(InvalidGrantee):
        await create(archive, emails=["ann"])
    assert await do(archive, service.list_tokens) == []


async def test_the_record_is_found_by_who_when_and_what(archive: Archive) -> None:
    later = NOW + timedelta(hours=1)
    await do(archive, service.grant, "ann", "program", "P1", now=NOW, actor="op")
    await do(archive, service.grant, "ann", "file", "/7", now=later, actor="chef", origin="a visit")
    await do(
        archive, service.note_read, "ann", reason="canhaveit", file_id=7, version_id=9, name="a.fits",
        first_byte=10, count=5, now=later,
    )  # fmt: skip
    assert await recorded(archive, who="op") == [("given", "ann", "P1")]
    assert await recorded(archive, until=later) == [("given", "ann", "P1")]
    assert await recorded(archive, since=later, kind="file") == [("given", "ann", "/7")]
    assert await recorded(archive, subjects=["/7"]) == [("given", "ann", "/7")]
    whole: GrantAudit = await do(archive, service.grant_audit)
    assert [one.at for one in whole.changes] == [later, NOW]
    assert (whole.changes[0].actor, whole.changes[0].origin, whole.changes[0].level) == (
        "chef",
        "a visit",
        "open",
    )
    (read,) = whole.reads
    assert (read.viewer, read.name, read.first_byte, read.bytes, read.at) == ("ann", "a.fits", 10, 5, later)
    assert (await do(archive, service.grant_audit, file_ids=[8], subjects=["/8"])).reads == []
    assert (await do(archive, service.grant_audit, kind="program")).reads == []
    assert len((await do(archive, service.grant_audit, limit=1)).changes) == 1


async def test_what_is_older_than_settings_say_is_forgotten_and_nothing_recent(archive: Archive) -> None:
    now = archive.context.clock.now()
    for number, days in enumerate((400, 300, 40, 20, 0)):
        await do(archive, service.grant, "ann", "program", f"P{number}", now=now - timedelta(days=days))
        await do(
            archive, service.note_read, "ann", reason="pi", file_id=number, version_id=1, name="a.fits",
            first_byte=0, count=None, now=now - timedelta(days=days),
        )  # fmt: skip
    assert await forget_grants(archive.context, 100.0, portion=1) == 4
    assert [one[2] for one in await recorded(archive)] == ["P2", "P3", "P4"]
    # Whatever a program asks for, the last thirty days stay.
    await do(archive, service.forget_audit, before=now, limit=100)
    found: GrantAudit = await do(archive, service.grant_audit)
    assert [one.subject for one in found.changes] == ["P4", "P3"]
    assert [one.file_id for one in found.reads] == [4, 3]


@pytest.mark.parametrize("table", ["grant_change", "embargoed_read"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET at = now()", "TRUNCATE {}"])
async def test_the_role_of_workers_only_adds_to_the_record(
    archive: Archive, table: str, statement: str
) -> None:
    async with archive.context.database.raw() as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement.format(table))
    async with archive.context.database.begin() as connection:
        assert await connection.scalar(sa.text(f"SELECT count(*) FROM {table}")) == 0
