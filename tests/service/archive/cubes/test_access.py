"""Owners and groups of orders read a cube before its release, and so do those of the file that it replaces."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from armillary.access import service as access
from armillary.archive.catalog.service import file_subjects
from armillary.base.postgres.server import EmbeddedServer
from armillary.demo.solar import SolarCube
from armillary.settings import SstSettings
from tests.support.ingestion import TINY, Observatory, an_observatory, steps_of

CUBE = SolarCube(**TINY, release="2199-01-01")


async def held(observatory: Observatory, oid: str = CUBE.oid) -> set[tuple[str, str]]:
    cube = await observatory.present(oid)
    async with observatory.context.database.begin() as connection:
        subjects = await file_subjects(connection, cube.file_id)
        found = await access.list_grants(connection, subjects=subjects)
    return {(str(one.holder), one.principal) for one in found}


async def test_lists_replace_and_what_is_not_said_stays(observatory: Observatory) -> None:
    path = observatory.put(CUBE)
    await observatory.take_in(path, owner_email_addresses=["Ann@c.d", "bob@c.d"], groups=["g"])
    assert await held(observatory) == {("email", "ann@c.d"), ("email", "bob@c.d"), ("group", "g")}
    await observatory.take_in(path)
    await observatory.take_in(path, force=True)
    assert len(await held(observatory)) == 3
    await observatory.take_in(path, owner_email_addresses=["BOB@c.d"])
    assert await held(observatory) == {("email", "bob@c.d"), ("group", "g")}
    await observatory.take_in(path, owner_email_addresses=[], groups=[])
    assert await held(observatory) == set()


async def test_each_change_says_which_order_it_was(observatory: Observatory) -> None:
    order = await observatory.take_in(observatory.put(CUBE), groups=["g"])
    async with observatory.context.database.begin() as connection:
        (change,) = (await access.grant_audit(connection)).changes
    assert (change.actor, change.origin, change.principal) == ("test", f"order {order.id}", "g")


async def test_a_bad_address_refuses_the_file_and_changes_nothing(observatory: Observatory) -> None:
    path = observatory.put(CUBE)
    await observatory.take_in(path, owner_email_addresses=["ann@c.d"])
    order = await observatory.take_in(path, owner_email_addresses=["bob"])
    assert order.error_code == "invalid_grantee"
    assert await held(observatory) == {("email", "ann@c.d")}
    other = replace(CUBE, instrument="CHROMIS", filter="3950")
    await observatory.take_in(observatory.put(other), owner_email_addresses=["bob"])
    assert await observatory.cube(other.oid) is None


async def test_grants_follow_a_file_that_is_exported_anew(observatory: Observatory) -> None:
    await observatory.take_in(observatory.put(CUBE), owner_email_addresses=["ann@c.d"], groups=["g"])
    newer = replace(CUBE, made="2027-01-01T00:00:00")
    await observatory.take_in(observatory.put(newer, name="again.fits"), groups=["h"])
    assert (await observatory.present(CUBE.oid)).path == "again.fits"
    assert await held(observatory) == {("email", "ann@c.d"), ("group", "h")}
    async with observatory.context.database.begin() as connection:
        assert len(await access.list_grants(connection)) == 2


@pytest.mark.parametrize("group", ["swedish", ""])
async def test_swedish_data_is_for_the_group_of_the_setting(
    postgres: EmbeddedServer, tmp_path: Path, group: str
) -> None:
    async with an_observatory(postgres, tmp_path, sst=SstSettings(swedish_group=group)) as observatory:
        path = observatory.put(CUBE)
        order = await observatory.take_in(path, groups=["g"], swedish_data=True)
        expected = {("group", "g")} | ({("group", "swedish")} if group else set())
        assert await held(observatory) == expected
        why = "done" if group else "done: swedish_data names nobody: the setting sst.swedish_group is empty"
        assert steps_of(order)["access"] == [why]
        await observatory.take_in(path)
        assert await held(observatory) == expected
        order = await observatory.take_in(path, swedish_data=False)
        assert await held(observatory) == {("group", "g")}
        assert steps_of(order)["access"] == ["done"]
