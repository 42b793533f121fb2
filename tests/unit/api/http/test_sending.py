"""Layers see an answer from the inside out, also where a stranger stands between them."""

from __future__ import annotations

from starlette.types import Message, Send

from armillary.api.http.sending import Seen, Sending


def adding(letter: str) -> Seen:
    """Return what adds a letter to a message."""
    return lambda message: {**message, "seen": message.get("seen", "") + letter}


async def test_the_inner_layer_is_asked_first_wherever_a_stranger_stands() -> None:
    sent: list[Message] = []

    async def wire(message: Message) -> None:
        sent.append(message)

    def strange(send: Send) -> Send:
        async def pass_on(message: Message) -> None:
            await send(adding("?")(message))

        return pass_on

    outer = Sending(wire, adding("c"))
    await Sending(Sending(outer, adding("b")), adding("a"))({"type": "a message"})
    await Sending(strange(outer), adding("a"))({"type": "a message"})
    await outer({"type": "a message"})
    assert [one["seen"] for one in sent] == ["abc", "a?c", "c"]
