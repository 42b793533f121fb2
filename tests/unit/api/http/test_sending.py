"""Layers see an answer from the inside out, also where a stranger stands between them."""

from __future__ import annotations

from starlette.types import Message, Send

from armillary.api.http.sending import START, Dressed, Headers, Sending


def adding(letter: bytes) -> Dressed:
    """Return what adds a header."""
    return lambda headers: [*headers, (b"by", letter)]


async def test_the_inner_layer_is_asked_first_wherever_a_stranger_stands() -> None:
    sent: list[Message] = []
    order: list[str] = []

    async def wire(message: Message) -> None:
        sent.append(message)

    def strange(send: Send) -> Send:
        async def pass_on(message: Message) -> None:
            headers: Headers = [*message["headers"], (b"by", b"?")]
            await send({**message, "headers": headers})

        return pass_on

    outer = Sending(wire, dressed=adding(b"c"), seen=lambda _: order.append("outer"))
    start: Message = {"type": START, "headers": ()}
    await Sending(Sending(outer, dressed=adding(b"b")), dressed=adding(b"a"))(start)
    await Sending(strange(outer), dressed=adding(b"a"))(start)
    await outer(start)
    assert [b"".join(value for _, value in one["headers"]) for one in sent] == [b"abc", b"a?c", b"c"]
    assert order == ["outer"] * 3


async def test_those_who_watch_see_what_is_sent_in_the_end() -> None:
    seen: list[Message] = []
    sent: list[Message] = []

    async def wire(message: Message) -> None:
        sent.append(message)

    sending = Sending(Sending(wire, dressed=adding(b"b"), seen=seen.append), seen=seen.append)
    await sending({"type": START, "headers": [(b"by", b"a")]})
    await sending({"type": "http.response.body", "body": b"some"})
    assert seen == [sent[0], sent[0], sent[1], sent[1]]
    assert sent[0]["headers"] == [(b"by", b"a"), (b"by", b"b")]
    assert sent[1] == {"type": "http.response.body", "body": b"some"}
