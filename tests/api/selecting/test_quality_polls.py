"""What polls of quality states tell while the digest of a new version is on its way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from tests.api.selecting.conftest import NAMES, Lists

pytestmark = pytest.mark.asyncio(loop_scope="module")

N1, N2, *_ = NAMES


@asynccontextmanager
async def unknown_digests(lists: Lists, *names: str) -> AsyncIterator[None]:
    """Let the digests of the canonical versions of files be unknown, as they are behind an edit."""
    versions = {name: await lists.archive.version(name) for name in names}
    setting = "UPDATE version SET data_md5 = :md5 WHERE id = :id"

    async def put(known: bool) -> None:
        async with lists.archive.context.database.begin() as connection:
            for one in versions.values():
                await connection.execute(
                    sa.text(setting), {"id": one.id, "md5": one.data_md5 if known else None}
                )

    await put(False)
    try:
        yield
    finally:
        await put(True)


async def polled(lists: Lists, name: str) -> dict[str, Any]:
    """Return the state of a file, which has to be one."""
    (found,) = (await lists.get(f"/jsonqastate/filename={name}")).json()
    return dict(found)


async def test_an_edit_shows_its_time_together_with_its_digest(lists: Lists) -> None:
    """A client decodes every digest of the list, and gives all of it up for one that is null."""
    before = await polled(lists, N2)
    for word in ("Usable", "Pass"):
        await lists.archive.edit(N2, {"qa_state": word})
        await lists.archive.drain()
        after = await polled(lists, N2)
        async with unknown_digests(lists, N2):
            waiting = await polled(lists, N2)
        assert waiting == before | {"qa_state": word}
        assert after["data_md5"] != before["data_md5"]
        assert after["entrytime"] > before["entrytime"]
        before = after
    assert await polled(lists, N2) == before


async def test_a_new_file_is_polled_once_its_digest_is_known(lists: Lists) -> None:
    everything = (await lists.get("/jsonqastate")).json()
    assert len(everything) == len(NAMES)
    async with unknown_digests(lists, N1):
        rest = (await lists.get("/jsonqastate")).json()
    assert [one["filename"] for one in everything if one not in rest] == [N1]
    assert len(rest) == len(NAMES) - 1
    assert (await lists.get("/jsonqastate")).json() == everything
