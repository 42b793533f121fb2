"""The log of telemetry samples over WebSocket: who publishes without end, and who follows.

Messages are JSON objects, each with one verb:

``{"publish": [SAMPLE, ...], "id": ANY}``
    Stores samples as ``POST /v1/samples`` does; the reply is ``{"published": {...}, "id": ANY}``.
``{"subscribe": {"channels": [[SOURCE, TOPIC or null], ...], "offset": N}}``
    Lets the server send ``{"samples": [...], "offset": N}`` from then on. What is sent begins behind the offset;
    with ``"time": T`` instead of it, with what arrived since; with ``"at": "earliest"``, with the oldest; else
    with the next sample. Without channels, everything is told. A later request takes the place of an earlier one.
``{"unsubscribe": true}``
    Ends that.

What cannot be done is answered by ``{"error": {"code": ..., "detail": ...}, "id": ANY}``.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import Any

import msgspec
from fastapi import APIRouter, Depends, WebSocket
from starlette.websockets import WebSocketDisconnect

from armillary.access.errors import ScopeMissing
from armillary.access.models import Principal, Scope
from armillary.api.http.policy import Policy
from armillary.api.native.samples import SMALL, stored, told
from armillary.base.bus.models import Filter, Start
from armillary.base.bus.reading import read_samples
from armillary.base.database_errors import is_transient
from armillary.base.log import get_logger
from armillary.context import Context
from armillary.errors import ArmillaryError, BadRequest, RequestTooLarge, Unavailable

log = get_logger(__name__)
router = APIRouter()
SEND_S = 30.0
"""A follower that has not taken its samples by then is dropped; it may come again and miss nothing."""
MOST_TOLD = 500
"""Samples of one message."""


class BadMessage(BadRequest):
    """The message is no JSON object with one of `publish`, `subscribe` and `unsubscribe`."""

    code = "bad_bus_message"


class _Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """What somebody subscribes to."""

    channels: list[tuple[str, str | None]] = []
    offset: int | None = None
    time: int | None = None
    at: str = "latest"


class _Message(msgspec.Struct, forbid_unknown_fields=True):
    """What a client says."""

    publish: msgspec.Raw = msgspec.Raw()
    subscribe: _Wanted | None = None
    unsubscribe: bool = False
    id: Any = None


_messages = msgspec.json.Decoder(_Message)


@router.websocket("/v1/bus", dependencies=[Depends(Policy(Scope.OPERATOR, others=(Scope.READ,)))])
async def bus(connection: WebSocket) -> None:
    """Store what a client publishes, and tell it what it subscribes to."""
    await connection.accept()
    talk = _Talk(connection)
    try:
        await talk.listen()
    except WebSocketDisconnect:
        pass
    finally:
        await talk.close()
    with suppress(RuntimeError, WebSocketDisconnect):
        await connection.close()


class _Talk:
    """One connection."""

    def __init__(self, connection: WebSocket) -> None:
        self._connection = connection
        self._context: Context = connection.app.state.context
        self._principal: Principal = connection.state.principal
        self._following: asyncio.Task[None] | None = None
        self._sending = asyncio.Lock()
        self._gone = False

    async def listen(self) -> None:
        """Do what the client says, until one of both goes away."""
        receiving: asyncio.Task[Any] | None = None
        try:
            while not self._gone and not getattr(self._connection.app.state, "closing", False):
                receiving = receiving or asyncio.create_task(self._connection.receive())
                done, _ = await asyncio.wait({receiving}, timeout=1.0)
                if done:
                    message, receiving = receiving.result(), None
                    if message["type"] == "websocket.disconnect":
                        return
                    text = message.get("text")
                    await self._hear(text.encode() if text is not None else message.get("bytes") or b"")
        finally:
            if receiving:
                receiving.cancel()

    async def close(self) -> None:
        """Tell nothing more."""
        following, self._following = self._following, None
        if following is not None:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    async def _hear(self, text: bytes) -> None:
        known = None
        try:
            if len(text) > self._context.settings.bus.max_body:
                raise RequestTooLarge
            message = await self._read(text)
            known = message.id
            await self._do(message)
        except ArmillaryError as error:
            await self._refuse(error, known)
        except Exception as error:
            if not is_transient(error):
                raise
            await self._refuse(Unavailable(), known)

    async def _read(self, text: bytes) -> _Message:
        try:
            return _messages.decode(text)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            # Literals that JSON has no words for may stand in samples.
            found = await asyncio.to_thread(_publish_of, text)
            if found is None:
                raise BadMessage(f"{BadMessage().message} {error}") from None
            return found

    async def _do(self, message: _Message) -> None:
        samples = bytes(message.publish)
        if samples:
            await self._publish(samples, message.id)
        elif message.subscribe is not None:
            await self._subscribe(message.subscribe)
        elif message.unsubscribe:
            await self.close()
        else:
            raise BadMessage

    async def _publish(self, samples: bytes, known: Any) -> None:
        if not self._principal.may(Scope.OPERATOR):
            raise ScopeMissing(f"The token '{self._principal.name}' has no scope '{Scope.OPERATOR}'.")
        read = (
            read_samples(samples) if len(samples) < SMALL else await asyncio.to_thread(read_samples, samples)
        )
        await self._send({"published": await stored(self._connection.app.state.bus, read), "id": known})

    async def _subscribe(self, wanted: _Wanted) -> None:
        if wanted.at not in ("earliest", "latest"):
            raise BadMessage("`at` is `earliest` or `latest`.")
        await self.close()
        at: Any = wanted.at
        start = Start(at, offset=wanted.offset, time=wanted.time)
        self._following = asyncio.create_task(self._follow(Filter(tuple(wanted.channels)), start))

    async def _follow(self, wanted: Filter, start: Start) -> None:
        """Tell what is wanted until that is cancelled, or the client takes no more of it."""
        try:
            async with aclosing(self._context.bus.subscribe(wanted, start)) as lists:
                async for found in lists:
                    for at in range(0, len(found), MOST_TOLD):
                        portion = found[at : at + MOST_TOLD]
                        shown = {"samples": list(map(told, portion)), "offset": portion[-1].offset}
                        await asyncio.wait_for(self._send(shown), SEND_S)
        except ArmillaryError as error:
            await self._refuse(error, None)
        except (WebSocketDisconnect, TimeoutError, RuntimeError):
            self._gone = True
        except Exception as error:
            if not is_transient(error):
                log.error("subscription broken off", exc_info=error)
            await self._refuse(Unavailable(), None)

    async def _refuse(self, error: ArmillaryError, known: Any) -> None:
        await self._send({"error": {"code": error.code, "detail": error.message}, "id": known})

    async def _send(self, message: Any) -> None:
        async with self._sending:
            await self._connection.send_text(msgspec.json.encode(message).decode())


def _publish_of(text: bytes) -> _Message | None:
    """Return a message whose samples hold literals such as NaN, None if it is none."""
    import json

    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if (
        not isinstance(found, dict)
        or not isinstance(found.get("publish"), list)
        or set(found) - {"publish", "id"}
    ):
        return None
    # Written again as it was understood, literals included, for the same reader as ever.
    return _Message(publish=msgspec.Raw(json.dumps(found["publish"]).encode()), id=found.get("id"))
