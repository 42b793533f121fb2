"""Several who ask for the same share one making, and what was made is kept within bounds."""

from __future__ import annotations

import asyncio

import pytest

from armillary.base.sharing import Shared


class Maker:
    """Makes texts as soon as it is let."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.let = asyncio.Event()

    async def make(self, text: str) -> str:
        self.calls.append(text)
        await self.let.wait()
        if text == "bad":
            raise ValueError(text)
        return text


async def test_all_who_ask_meanwhile_share_one_making() -> None:
    shared, maker = Shared(100), Maker()
    asking = [asyncio.create_task(shared.get("a", lambda: maker.make("a"), len)) for _ in range(5)]
    await asyncio.sleep(0)
    # The one who asked first gives up.
    asking[0].cancel()
    maker.let.set()
    assert await asyncio.gather(*asking[1:]) == ["a"] * 4
    assert await shared.get("a", lambda: maker.make("a"), len) == "a"
    assert maker.calls == ["a"]


async def test_a_failure_is_told_to_all_and_tried_again() -> None:
    shared, maker = Shared(100), Maker()
    maker.let.set()
    asking = [shared.get("k", lambda: maker.make("bad"), len) for _ in range(3)]
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(one) for one in found] == [ValueError] * 3
    with pytest.raises(ValueError, match="bad"):
        await shared.get("k", lambda: maker.make("bad"), len)
    assert maker.calls == ["bad", "bad"]


async def test_what_was_used_longest_ago_goes_first() -> None:
    shared, maker = Shared(10), Maker()
    maker.let.set()
    for text in ("aaaa", "bbbb", "aaaa", "cccc", "aaaa", "bbbb"):
        assert await shared.get(text, lambda text=text: maker.make(text), len) == text  # type: ignore[misc]  # text stays the same
    assert maker.calls == ["aaaa", "bbbb", "cccc", "bbbb"]
    # What is larger than everything is not kept at all.
    for _ in range(2):
        await shared.get("large", lambda: maker.make("x" * 11), len)
    assert maker.calls[4:] == ["x" * 11] * 2
