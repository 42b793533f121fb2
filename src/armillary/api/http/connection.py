"""One HTTP connection, watched from its first byte: what uvicorn's protocol reads without a limit has one here.

The parser below gathers a header before it tells of it, so bytes are counted as they come, too: nobody can make it
gather more than a request may have. Time is measured by `Doors.sweep` and costs a request nothing but two looks at
the clock.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import httptools
from starlette.responses import PlainTextResponse, Response
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from armillary.api.http.doors import NOBODY, Doors
from armillary.api.http.express import Way
from armillary.api.http.failures import AGAIN
from armillary.api.http.joining import Joined
from armillary.api.http.log import METHODS
from armillary.base.metrics import REQUESTS
from armillary.errors import ArmillaryError, BadRequest

PIECE = 1 << 14
"""Bytes that the parser gets at once."""
PIPELINED = 8
"""Requests of one connection that may wait for their turn."""
UNREAD = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
LINGER_S = 2.0
"""How long a client that was refused may go on sending; at once ended, it would not read why."""


class UrlTooLong(ArmillaryError):
    """The URL is longer than limits.max_url allows."""

    code, status = "url_too_long", HTTPStatus.REQUEST_URI_TOO_LONG


class HeadersTooLarge(ArmillaryError):
    """The headers are more, or larger, than limits.max_headers and limits.max_header_bytes allow."""

    code, status = "headers_too_large", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


class RequestTooSlow(ArmillaryError):
    """The request took too long to arrive."""

    code, status, transient = "request_too_slow", HTTPStatus.REQUEST_TIMEOUT, True


class NotHttp(BadRequest):
    """Invalid HTTP request."""

    code = "not_http"


class UpgradeWithBody(BadRequest):
    """A request with a body cannot ask for another protocol; leave the header Upgrade out."""

    code = "upgrade_with_body"


class TooManyPipelined(BadRequest):
    """Too many pipelined requests."""

    code = "too_many_pipelined"


class Phase(Enum):
    """What a connection does."""

    IDLE = auto()
    """It waits for a request, or for the rest of one that is answered already."""
    HEAD = auto()
    """URL and headers are received."""
    BODY = auto()
    """The body is received."""
    ANSWER = auto()
    """All is received; the answer is made and sent. Who does not read it is up to `limits.stall_s`."""
    OVER = auto()
    """Nothing is heard any more; what is still answered is the last."""
    UPGRADED = auto()
    """Another protocol has it, and its place."""


class Connection(HttpToolsProtocol):
    """A connection that keeps to the limits, or is ended."""

    def __init__(self, doors: Doors, **given: Any) -> None:
        super().__init__(**given)
        self._doors, self._limits = doors, doors.limits
        self._since = 0.0
        """When the present phase began, or a period of a body."""
        self._in_head = self._deaf = self._upgraded = self._proxied = False
        self._way: Way | None = None
        """The short way that is meant for the request which is being received, if there is one."""
        self._fed = 0
        """Bytes given to the parser from the piece on in which the head of the request began."""
        self._received = 0
        """Bytes of the body in the present period."""
        self._told, self._untold = 0, 0
        """What the parser has told of, and bytes it was given since: it gathers what it does not tell of."""
        self._objection: ArmillaryError | None = None
        self._callers: deque[str] = deque()
        """Those whose requests a proxy sent, and wait for their answers."""

    # What the doors ask.

    @property
    def address(self) -> str:
        """The address of the peer."""
        return self.client[0] if self.client else ""

    def waited_s(self, now: float) -> float | None:
        """Return how long no whole request has come; None while one is received or answered."""
        waits = self._phase() in (Phase.IDLE, Phase.HEAD, Phase.OVER) and self._is_answered()
        return now - self._since if waits else None

    def dismiss(self) -> None:
        """End it: its place is needed."""
        self._deaf = True
        self.transport.abort()

    def look(self, now: float) -> None:
        """End it if it has kept us waiting for too long."""
        if self.transport.is_closing():
            return
        limits, waited = self._limits, now - self._since
        match self._phase():
            case Phase.IDLE if waited > limits.idle_s:
                self._doors.drop("idle", self.address)
                self.transport.close()
            case Phase.HEAD if waited > limits.header_s:
                self._refuse(RequestTooSlow(f"The headers did not arrive within {limits.header_s:g} s."))
            case Phase.BODY if waited > limits.body_s:
                self._judge_pace(now, waited)
            case Phase.OVER if waited > LINGER_S and self._is_answered():
                self.transport.abort()

    def _phase(self) -> Phase:
        if self._upgraded:
            return Phase.UPGRADED
        if self._deaf:
            return Phase.OVER
        if self._in_head:
            return Phase.HEAD
        if self._is_answered():
            return Phase.IDLE
        return Phase.BODY if self.cycle.more_body else Phase.ANSWER

    def _judge_pace(self, now: float, seconds: float) -> None:
        """End a body that trickles; one that we ourselves keep waiting begins a new period."""
        least = self._limits.body_per_s * seconds
        ours = self.flow.read_paused or self.cycle.waiting_for_100_continue
        if self._received < least and not ours:
            self._refuse(RequestTooSlow(f"The body brought {self._received} bytes in {seconds:.0f} s."))
        self._since, self._received = now, 0

    def _is_answered(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    # What the transport says.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Ask the doors."""
        joined: Any = Joined(transport, self.loop)
        super().connection_made(joined)
        self._since = self.loop.time()
        self._proxied = self._doors.proxies.trusts(self.address)
        try:
            self._doors.enter(self, self._since)
        except ArmillaryError as error:
            self._turn_away(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        super().connection_lost(exc)
        self._leave()

    def _leave(self) -> None:
        self._deaf = True
        self._doors.leave(self)
        while self._callers:
            self._doors.end(self._callers.popleft())

    def data_received(self, data: bytes | memoryview) -> None:
        """Parse, in pieces, so that no piece holds much more than a request may have."""
        if len(data) > PIECE:
            whole = memoryview(data)
            for start in range(0, len(data), PIECE):
                self.data_received(whole[start : start + PIECE])
            return
        if self._deaf:
            return
        self._unset_keepalive_if_required()
        self._fed += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(self._objection or NotHttp())
        else:
            self._check_gathered(len(data))

    def _check_gathered(self, size: int) -> None:
        """Refuse what the parser, or we, would go on gathering.

        Most requests are received whole by now, and have been checked.
        """
        cycle = self.cycle
        if not self._in_head and cycle is not None and not cycle.more_body:
            return
        if self._in_head and (error := self._excess(self._fed - PIECE)):
            self._refuse(error)
            return
        # A line of a chunk, a header behind a body, empty lines before a request.
        told = self._received + len(self.headers or ())
        self._untold = self._untold + size if told == self._told else 0
        self._told = told
        if self._untold > self._limits.max_header_bytes or len(self.headers or ()) > self._limits.max_headers:
            self._refuse(self._too_large())

    def _upgrade(self, rest: bytes | memoryview) -> None:
        if not self._should_upgrade():
            # Whoever asks for another protocol and is not given it goes on in this one.
            if rest:
                self.data_received(rest)
            return
        joined: Any = self.transport
        self.transport = joined.released()
        self.handle_websocket_upgrade()
        self._upgraded = self._deaf = True
        protocol: Any = self.transport.get_protocol()
        protocol.connection_lost = partial(self._lost_upgraded, protocol.connection_lost)

    def _lost_upgraded(self, lost: Callable[[Exception | None], None], exc: Exception | None) -> None:
        self._leave()
        lost(exc)

    # What the parser says.

    def on_message_begin(self) -> None:
        """Begin to count."""
        super().on_message_begin()
        self._in_head, self._since = True, self.loop.time()
        self._fed = min(self._fed, PIECE)
        # What the parser told of an earlier request may have come to the same sum, and means nothing here.
        self._told, self._untold = -1, 0

    def on_headers_complete(self) -> None:
        """Let the application begin, unless too much is under way."""
        if error := self._excess(self._size()) or self._objection_to_head():
            self._objection = error
            raise error
        self._in_head, self._since, self._received = False, self.loop.time(), 0
        if not self._proxied:
            super().on_headers_complete()
            return
        ours = self.app
        try:
            self.app = self._counted(ours)
            super().on_headers_complete()
        finally:
            self.app = ours

    def _objection_to_head(self) -> ArmillaryError | None:
        if len(self.pipeline) >= PIPELINED:
            return TooManyPipelined()
        if self.parser.should_upgrade() and _has_body(self.headers):
            return UpgradeWithBody()
        return None

    def _counted(self, app: Any) -> Any:
        """Return what answers a request that a proxy sent for somebody."""
        address = (self._doors.proxies.client_of(self.scope) or ("", 0))[0]
        try:
            self._callers.append(self._doors.begin(address))
        except ArmillaryError as error:
            self._callers.append(NOBODY)
            self._doors.drop(error.code, address)
            return self._answer_of(error)
        return app

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        # A request that waited for its turn behind others is received by now, or partly.
        if cycle.more_body and cycle is self.cycle and app is self.config.loaded_app and not self._proxied:
            express = self._doors.express
            self._way = express.way_of(cycle, self.url) if express else None
        if self._way is None:
            super()._start_asgi_task(cycle, app)

    def on_message_complete(self) -> None:
        """Let a request begin that had to be received before."""
        super().on_message_complete()
        way, self._way, cycle = self._way, None, self.cycle
        if way is None:
            return
        errand = way.errand_of(cycle)
        if errand is None:
            super()._start_asgi_task(cycle, self.app)
            return
        task = self.loop.create_task(way.carry_out(errand, cycle))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def on_body(self, body: bytes) -> None:
        """Count a part of the body."""
        self._received += len(body)
        super().on_body(body)

    def on_response_complete(self) -> None:
        """Wait for the next request, if none has begun."""
        super().on_response_complete()
        if not self._in_head:
            self._since = self.loop.time()
        if self._callers:
            self._doors.end(self._callers.popleft())

    # Refusals.

    def _excess(self, size: int) -> ArmillaryError | None:
        """Return what is wrong with the head so far; ``size`` is what it has at least."""
        limits = self._limits
        if len(self.url) > limits.max_url:
            return UrlTooLong(f"The URL has more than {limits.max_url} bytes.")
        if len(self.headers) > limits.max_headers or size > limits.max_header_bytes:
            return self._too_large()
        return None

    def _size(self) -> int:
        """Return the bytes of the head, which are counted only if they may be too many."""
        if self._fed <= self._limits.max_header_bytes:
            return 0
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _too_large(self) -> HeadersTooLarge:
        fields, size = self._limits.max_headers, self._limits.max_header_bytes
        return HeadersTooLarge(f"The request has more than {fields} headers, or than {size} bytes of them.")

    def _refuse(self, error: ArmillaryError) -> None:
        """Say why a request is not served, if that can be said, and hear no more."""
        receiving, cycle = self._phase(), self.cycle
        self._deaf, self._since = True, self.loop.time()
        self._doors.drop(error.code, self.address)
        if cycle is None or (receiving is Phase.HEAD and cycle.response_complete):
            self._say(error, receiving)
        elif cycle.response_complete:
            # It was answered before it was received.
            self.transport.close()
        elif receiving is not Phase.BODY:
            # An earlier request is being answered; that is finished, and the connection with it.
            cycle.keep_alive = False
        elif cycle.response_started or self.pipeline:
            self.transport.abort()
        else:
            # The application learns that the rest of the body will not come.
            cycle.disconnected = True
            cycle.message_event.set()
            self._say(error, receiving)

    def _say(self, error: ArmillaryError, receiving: Phase) -> None:
        known = receiving is not Phase.IDLE and bool(self.url)
        answer = self._answer_of(error) if known else _plain(error)
        method = self._method() if known else ""
        REQUESTS.labels(method if method in METHODS else "other", str(int(error.status))).inc()
        self.transport.write(self._written(answer, with_body=method != "HEAD"))
        self.flow.resume_reading()
        # Not closed yet: the client would get a reset for what it is still sending, and not read the answer.
        self.transport.write_eof()

    def _turn_away(self, error: ArmillaryError) -> None:
        """Say why a connection is not served, and end it at once: it must not hold anything."""
        self._deaf = True
        self._doors.drop(error.code, self.address)
        self.transport.write(self._written(_plain(error)))
        self.transport.close()

    def _answer_of(self, error: ArmillaryError) -> Response:
        """Return a refusal in the dialect of the path that is asked for."""
        path = unquote(self.url.partition(b"?")[0].decode("latin-1"))
        return self._doors.dialects.refusal(self._method(), f"/{path.lstrip('/')}", error)

    def _method(self) -> str:
        return str(self.parser.get_method().decode("latin-1"))

    def _written(self, answer: Response, *, with_body: bool = True) -> bytes:
        answer.headers["Connection"] = "close"
        status = HTTPStatus(answer.status_code)
        lines = [b"HTTP/1.1 %d %s" % (status, status.phrase.encode())]
        lines += [b"%s: %s" % pair for pair in (*self.server_state.default_headers, *answer.raw_headers)]
        return b"\r\n".join([*lines, b"", bytes(answer.body) if with_body else b""])


def _plain(error: ArmillaryError) -> Response:
    """Return the refusal of whoever has not said yet what it wants."""
    return PlainTextResponse(
        f"{error.message}\n", error.status, {**UNREAD, **(AGAIN if error.transient else {})}
    )


def _has_body(headers: list[tuple[bytes, bytes]]) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip() != b"0")
        for name, value in headers
    )
