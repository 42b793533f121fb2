"""What one turn of the loop writes goes out together at its end, and nothing waits for a later one."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, cast

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from armillary.api.http.joining import MOST_HELD, Joined

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]}
BODY = {"type": "http.response.body", "body": b"some"}


class Wire(asyncio.Transport):
    """Keeps what each call to the system would have sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.closed = self.ended = False

    def write(self, data: Any) -> None:
        """Keep it."""
        self.sent.append(bytes(data))

    def writelines(self, list_of_data: Any) -> None:
        """Keep all of it as one."""
        self.sent.append(b"".join(list_of_data))

    def write_eof(self) -> None:
        """Note that nothing follows."""
        self.ended = True

    def is_closing(self) -> bool:
        """Tell whether it was closed."""
        return self.closed

    def close(self) -> None:
        """Close it."""
        self.closed = True


def answering(method: str = "GET", *, keep_alive: bool = True, patient: bool = False) -> tuple[Any, Wire]:
    """Return how an answer is sent, and the wire that it goes to."""
    wire, log = Wire(), logging.getLogger("test")
    joined = cast(Any, Joined(wire, asyncio.get_running_loop()))
    cycle = RequestResponseCycle(
        scope=cast(Any, {"type": "http", "method": method}),
        transport=joined,
        flow=FlowControl(joined),
        logger=log,
        access_logger=log,
        access_log=False,
        default_headers=[],
        message_event=asyncio.Event(),
        expect_100_continue=patient,
        keep_alive=keep_alive,
        on_response=lambda: None,
    )
    return cycle, wire


async def test_head_and_body_go_out_in_one_call() -> None:
    cycle, wire = answering()
    await cycle.send(START)
    await cycle.send(BODY)
    await asyncio.sleep(0)
    (sent,) = wire.sent
    assert sent.startswith(b"HTTP/1.1 200 OK\r\n")
    assert sent.endswith(b"\r\n\r\nsome")


async def test_the_head_of_a_stream_does_not_wait_for_its_first_part() -> None:
    cycle, wire = answering()
    await cycle.send(START)
    await asyncio.sleep(0)
    assert [one[-4:] for one in wire.sent] == [b"\r\n\r\n"]
    await cycle.send(BODY)
    await asyncio.sleep(0)
    assert wire.sent[1:] == [b"some"]


async def test_answers_of_one_turn_are_sent_one_after_another_at_its_end() -> None:
    found = [answering() for _ in range(3)]
    for cycle, _ in found:
        await cycle.send(START)
        await cycle.send(BODY)
    assert [wire.sent for _, wire in found] == [[], [], []]
    await asyncio.sleep(0)
    assert [len(wire.sent) for _, wire in found] == [1, 1, 1]


async def test_the_transport_is_told_of_what_is_too_much_to_hold() -> None:
    cycle, wire = answering()
    large = bytes(MOST_HELD + 1)
    await cycle.send({**START, "headers": [(b"content-length", b"%d" % len(large))]})
    await cycle.send({**BODY, "body": large})
    (sent,) = wire.sent
    assert sent.endswith(large)
    await asyncio.sleep(0)
    assert len(wire.sent) == 1


async def test_what_is_held_goes_before_an_end_and_before_another_protocol() -> None:
    for last in ("write_eof", "released"):
        wire = Wire()
        joined = Joined(wire, asyncio.get_running_loop())
        joined.write(b"some")
        assert getattr(joined, last)() in (None, wire)
        assert wire.sent == [b"some"]
        assert wire.ended is (last == "write_eof")


async def test_an_answer_without_a_body_is_sent_before_the_connection_is_closed() -> None:
    for method in ("HEAD", "GET"):
        cycle, wire = answering(method, keep_alive=False)
        await cycle.send({**START, "headers": [(b"content-length", b"0")]})
        await cycle.send({**BODY, "body": b""})
        assert wire.closed
        assert b"".join(wire.sent).endswith(b"\r\n\r\n")


async def test_who_asks_whether_to_go_on_is_told_while_the_body_is_waited_for() -> None:
    cycle, wire = answering("POST", patient=True)
    receiving = asyncio.create_task(cycle.receive())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert wire.sent == [b"HTTP/1.1 100 Continue\r\n\r\n"]
    cycle.more_body, cycle.body = False, bytearray(b"all")
    cycle.message_event.set()
    assert (await receiving)["body"] == b"all"
    await cycle.send(START)
    await cycle.send(BODY)
    await asyncio.sleep(0)
    assert len(wire.sent) == 2
    assert wire.sent[1].startswith(b"HTTP/1.1 200 OK\r\n")


async def test_nothing_is_written_to_a_connection_that_was_cut_meanwhile() -> None:
    cycle, wire = answering()
    await cycle.send(START)
    wire.close()
    await asyncio.sleep(0)
    assert wire.sent == []
