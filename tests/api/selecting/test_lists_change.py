"""The JSON lists while files change: unfinished work, new versions, old ones."""

from __future__ import annotations

from typing import Any

import pytest

from armillary.base.work import busy
from tests.api.selecting.conftest import NAMES, Lists

pytestmark = pytest.mark.asyncio(loop_scope="module")

N1, N2, N3, N4, *_ = NAMES


async def test_unfinished_work_on_a_file_is_told(lists: Lists) -> None:
    archive = lists.archive

    async def pending() -> dict[str, bool]:
        found = (await lists.get("/jsonfilelist/N2026/canonical")).json()
        return {one["name"]: one["pending_ingest"] for one in found}

    assert not any((await pending()).values())
    await archive.submit(lists.paths[N1], force=True, in_place=True)
    assert await pending() == {N1: True, N2: False, N3: False, N4: False}
    await archive.drain()
    assert not any((await pending()).values())


async def test_an_edit_shows_in_all_lists_and_old_versions_stay_listed(lists: Lists) -> None:
    before = await lists.archive.version(N4)
    await lists.archive.edit(N4, {"qa_state": "Usable"})
    waiting = (await lists.get(f"/jsonfilelist/canonical/filename={N4}")).json()
    assert waiting[0]["pending_ingest"] is (waiting[0]["data_md5"] is None)
    await lists.archive.drain()
    old, new = (await lists.get(f"/jsonfilelist/filename={N4}")).json()
    assert (old["data_md5"], old["canonical"], old["present"]) == (before.data_md5, False, False)
    assert (new["canonical"], new["present"]) == (True, True)
    assert new["data_md5"] != old["data_md5"]
    assert new["entrytime"] > old["entrytime"]
    (state,) = (await lists.get(f"/jsonqastate/filename={N4}")).json()
    assert (state["qa_state"], state["data_md5"]) == ("Usable", new["data_md5"])
    (summary,) = (await lists.summaries(f"filename={N4}")).values()
    assert (summary["qa_state"], summary["entrytime"]) == ("Usable", new["entrytime"])
    assert await lists.names(f"filename={N4}") == [N4]
    assert len((await lists.get(f"/jsonsummary/notcanonical/filename={N4}")).json()) == 1


async def test_work_that_ends_while_a_list_is_made_is_still_told(
    lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a file would seem to be final and to have no digest, or the one of before."""
    archive = lists.archive
    await archive.submit(lists.paths[N2], force=True, in_place=True)

    async def after_all_work(*args: Any, **options: Any) -> set[str]:
        await archive.drain()
        return await busy.busy_keys(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr("armillary.archive.query.listing.busy_keys", after_all_work)
        (found,) = (await lists.get(f"/jsonfilelist/canonical/filename={N2}")).json()
    assert found["pending_ingest"] is True
    (found,) = (await lists.get(f"/jsonfilelist/canonical/filename={N2}")).json()
    assert found["pending_ingest"] is False
