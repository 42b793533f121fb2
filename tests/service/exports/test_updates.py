"""Header updates are found from the past of a file, and only if they lead to the very same bytes."""

from __future__ import annotations

from typing import Any

import pytest

from armillary.exports.models import HeaderUpdate
from armillary.exports.updates import header_updates
from tests.support.archive import Archive, put
from tests.support.headers import a_file

NAME = "N20260101S0001.fits"
CARDS = [("OBSERVER", "nobody", "who was it"), ("AIRMASS", 1.5, "how thick")]


async def taken_in(archive: Archive, content: bytes | None = None) -> str:
    """Take a file in and return the digest of its content."""
    content = content or a_file(cards=CARDS, extensions=2)
    await archive.ingest(put(archive.directory / "in" / NAME, content))
    return await digest(archive)


async def digest(archive: Archive) -> str:
    await archive.drain()
    found = (await archive.version(NAME)).data_md5
    assert found is not None
    return found


async def updates(archive: Archive, before: str) -> tuple[HeaderUpdate, ...]:
    await archive.drain()
    return header_updates(await archive.history(NAME), await archive.version(NAME), before)


async def set_there(archive: Archive, extension: int, **cards: Any) -> None:
    values = {"generic": [[key, value] for key, value in cards.items()]}
    await archive.edit(NAME, values, extension=extension)


async def test_an_edit_is_its_final_cards_between_two_digests(archive: Archive) -> None:
    before = await taken_in(archive)
    await archive.edit(NAME, {"qa_state": "Pass", "generic": {"AIRMASS": 1e5}})
    (update,) = await updates(archive, before)
    after = await digest(archive)
    assert update.item(NAME) == {
        "filename": NAME,
        "values": {"generic": [["RAWGEMQA", "USABLE"], ["RAWPIREQ", "YES"], ["AIRMASS", 1e5]]},
        "if_data_md5": before,
        "expect_data_md5": after,
    }
    assert isinstance(update.cards[2][1], float)


async def test_waiting_edits_merge_from_the_first_digest_to_the_last(archive: Archive) -> None:
    before = await taken_in(archive)
    await archive.set(NAME, OBSERVER="a", NEW=1)
    between = await digest(archive)
    await archive.set(NAME, OBSERVER="b")
    after = await digest(archive)
    assert await updates(archive, before) == (
        HeaderUpdate(0, (("OBSERVER", "b"), ("NEW", 1)), before, after),
    )
    assert await updates(archive, between) == (HeaderUpdate(0, (("OBSERVER", "b"),), between, after),)
    assert await updates(archive, after) == ()


async def test_a_text_on_the_card_of_a_number_is_sent_in_quotes(archive: Archive) -> None:
    before = await taken_in(archive)
    await archive.set(NAME, AIRMASS="'33'", OBSERVER="44")
    after = await digest(archive)
    assert await updates(archive, before) == (
        HeaderUpdate(0, (("AIRMASS", "'33'"), ("OBSERVER", "'44'")), before, after),
    )


async def test_history_is_appended_as_often_as_it_was(archive: Archive) -> None:
    before = await taken_in(archive)
    await archive.set(NAME, HISTORY="first")
    await archive.set(NAME, HISTORY="second")
    (update,) = await updates(archive, before)
    assert update.cards == (("HISTORY", "first"), ("HISTORY", "second"))


async def test_several_extensions_are_several_updates_in_turn(archive: Archive) -> None:
    before = await taken_in(archive)
    await set_there(archive, 1, GAIN=2.0)
    await set_there(archive, 1, GAIN=2.5)
    between = await digest(archive)
    await set_there(archive, 2, GAIN=3.0)
    after = await digest(archive)
    assert await updates(archive, before) == (
        HeaderUpdate(1, (("GAIN", 2.5),), before, between),
        HeaderUpdate(2, (("GAIN", 3.0),), between, after),
    )


async def test_edits_that_shared_a_rewrite_of_two_extensions_are_sent_whole(archive: Archive) -> None:
    before = await taken_in(archive)
    await archive.edit(NAME, {"qa_state": "Pass", "generic": {"GAIN": 1.0}}, extension=1)
    assert await updates(archive, before) == ()


async def test_a_card_that_went_away_is_no_update(archive: Archive) -> None:
    await taken_in(archive)
    await archive.set(NAME, NEW=1)
    between = await digest(archive)
    await archive.revert(NAME)
    assert await updates(archive, between) == ()


async def test_a_reverted_value_is_an_update_back(archive: Archive) -> None:
    before = await taken_in(archive)
    await archive.set(NAME, OBSERVER="x")
    between = await digest(archive)
    await archive.revert(NAME)
    assert await digest(archive) == before
    assert await updates(archive, between) == (HeaderUpdate(0, (("OBSERVER", "nobody"),), between, before),)
    assert await updates(archive, before) == ()


async def test_other_data_are_no_update(archive: Archive) -> None:
    before = await taken_in(archive)
    other = bytearray(a_file(cards=CARDS, extensions=2))
    other[-2870] ^= 1
    await archive.ingest(put(archive.directory / "in" / NAME, bytes(other), mtime_ns=10**18))
    await archive.set(NAME, OBSERVER="x")
    assert await updates(archive, before) == ()


async def test_what_was_never_here_has_no_update(archive: Archive) -> None:
    await taken_in(archive)
    await archive.set(NAME, OBSERVER="x")
    assert await updates(archive, "0" * 32) == ()


@pytest.mark.parametrize("value", ["", "it's", "long " * 30, True, -5, 2.5e-300, None])
async def test_every_kind_of_value_is_carried(archive: Archive, value: Any) -> None:
    before = await taken_in(archive)
    await archive.set(NAME, OBSERVER=value)
    (update,) = await updates(archive, before)
    assert update.cards == (("OBSERVER", value),)
