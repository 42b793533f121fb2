"""Requests that are carried out without the framework, its layers and its messages.

For a short request these take many times longer than what it asks for: messages, and copies of what was said. So
a dialect may name lanes, for routes that are asked all night. A request takes this way only if all about it is
ordinary: a short body that is valid, no header that a layer has to judge, a token that opened a door lately, a
caller who may do this and is within the limits. Of anything else this way knows only that it is not meant for it:
nothing has been done by then, and the request takes the long way, where it is answered or refused as any is.

Both ways ask the same limits, tokens, rules and queues; their answers are dressed by the same functions, counted
and logged alike.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from starlette.datastructures import State
from starlette.responses import Response
from starlette.types import Scope

from armillary.access.models import ANYBODY, Principal
from armillary.access.service import Tokens
from armillary.api.http.carriers import SHOWN_BY_PATH
from armillary.api.http.dialect import RECENT, Addressed, Dialect, dialect_of, render
from armillary.api.http.heard import headers_of
from armillary.api.http.lanes import Done, Errand, Heard, Lane
from armillary.api.http.limits import Limited
from armillary.api.http.log import HEADER, Traceable, Traced, new_id
from armillary.api.http.privacy import marked
from armillary.api.http.sending import Headers, Sending
from armillary.base.log import bound, get_logger

log = get_logger(__name__)
LARGEST = 1 << 14
"""Bytes of a body; larger ones are received in pieces, which the long way is made for."""
ORDINARY = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"accept-language",
        b"authorization",
        b"connection",
        b"content-length",
        b"content-type",
        b"host",
        b"user-agent",
        b"x-api-key",
    }
)
"""Headers that nobody judges but whoever looks for a token; any other one is heard on the long way."""
Cycle = Any
"""A request and its answer, as the HTTP server keeps them (`RequestResponseCycle` of uvicorn)."""


class Express:
    """Knows which requests may be carried out without the framework; one for all connections of an application."""

    def __init__(self, state: State, addressed: Addressed, limited: Limited, traced: Traced) -> None:
        self.state, self.limited, self.traced = state, limited, traced
        self._addressed = addressed
        self._known = lru_cache(RECENT)(self._find)

    def way_of(self, cycle: Cycle, url: bytes) -> Way | None:
        """Return the way of a request of which the head is received; None if it is the long one."""
        scope: Scope = cycle.scope
        if scope["method"] != "POST" or (way := self._known(url)) is None:
            return None
        said = headers_of(scope)
        size = said.get(b"content-length", b"0")
        if not ORDINARY.issuperset(said) or not size.isdigit() or int(size) > LARGEST:
            return None
        return way

    def _find(self, url: bytes) -> Way | None:
        if any(one in url for one in (b"?", b"%", b"#")) or not url.startswith(b"/"):
            return None
        said: Scope = {"type": "http", "method": "POST", "headers": [], "query_string": b"", "client": None}
        scope = self._addressed.addressed({**said, "path": url.decode("latin-1"), "raw_path": url})
        dialect = dialect_of(scope)
        lane = dialect.lane(scope) if dialect.lane else None
        return Way(self, lane, dialect, scope) if lane and SHOWN_BY_PATH not in scope["state"] else None


class Way:
    """The lane that an address leads to.

    Parameters
    ----------
    scope
        What the layers would have made of the address.
    """

    def __init__(self, express: Express, lane: Lane, dialect: Dialect, scope: Scope) -> None:
        self._state, self._limited, self._traced = express.state, express.limited, express.traced
        self._lane, self._dialect, self._scope = lane, dialect, scope
        json = [(b"content-type", b"application/json")]
        self._lines = {known: _lines(self._dressed(json, known=known)) for known in (False, True)}
        """The lines of a good answer that are the same for all, by whether it is known who asks."""

    def _dressed(self, headers: Headers, *, known: bool) -> Headers:
        cors = self._dialect.cors
        told = cors.teller(self._scope)(headers) if cors and cors.always else headers
        return marked(told, self._dialect.carriers, shown=known)

    def errand_of(self, cycle: Cycle) -> Errand | None:
        """Return what a request asks for that is received; None if it has to take the long way."""
        try:
            return self._errand_of(cycle)
        except Exception:
            # Nobody would answer a request whose reading fails here.
            log.exception("request not read", path=self._scope["path"])
            return None

    def _errand_of(self, cycle: Cycle) -> Errand | None:
        scope, state = cycle.scope, self._state
        principal = self._principal_of(scope)
        if principal is None or len(cycle.body) > LARGEST:
            return None
        errand = self._lane.read(Heard(state, bytes(cycle.body), cycle.receive))
        if errand is None or not self._lane.admits(state, principal, errand.resource):
            return None
        # Asked last, since it counts.
        if not self._limited.grants(principal, scope["client"][0] if scope["client"] else ""):
            return None
        scope["state"]["principal"] = principal
        return errand

    def _principal_of(self, scope: Scope) -> Principal | None:
        """Return who asks, None if that takes more than a look at what was found out lately."""
        carriers, said = self._dialect.carriers, headers_of(scope)
        if not carriers.shown(said):
            return ANYBODY if self._state.strangers else None
        secrets = carriers.secrets(scope)
        tokens: Tokens = self._state.tokens
        return tokens.recall(secrets[0], time.monotonic()) if len(secrets) == 1 else None

    async def carry_out(self, errand: Errand, cycle: Cycle) -> None:
        """Carry out what a request asks for, and answer it; whoever gets no answer is not kept waiting for one."""
        try:
            await self._carry_out(errand, cycle)
        except Exception:
            log.exception("request not answered", path=self._scope["path"])
        finally:
            if not cycle.response_complete:
                cycle.transport.close()

    async def _carry_out(self, errand: Errand, cycle: Cycle) -> None:
        began, answer, scope = time.perf_counter(), Traceable(new_id()), cycle.scope
        scope["path"], scope["state"]["request_id"] = self._scope["path"], answer.id
        with bound(request=answer.id):
            try:
                done: Done = await errand.carry_out()
            except Exception as error:
                state = {**self._scope["state"], **scope["state"]}
                done = render({**self._scope, **scope, "state": state}, error)
            known = bool(scope["state"]["principal"].name)
            if isinstance(done, bytes):
                # Who reads no answers is asked for no more requests until that changes.
                if cycle.flow.write_paused and not cycle.disconnected:
                    await cycle.flow.drain()
                self._write(cycle, answer, done, known=known)
            else:
                await self._send(cycle, answer, done, known=known)
            self._traced.note(scope, answer, time.perf_counter() - began)

    async def _send(self, cycle: Cycle, answer: Traceable, done: Response, *, known: bool) -> None:
        dressing = Sending(cycle.send, dressed=lambda headers: self._dressed(headers, known=known))
        await done(cycle.scope, cycle.receive, Sending(dressing, dressed=answer.sign, seen=answer.see))

    def _write(self, cycle: Cycle, answer: Traceable, body: bytes, *, known: bool) -> None:
        """Write an answer in one piece, and leave the cycle as it is after its last message."""
        answer.status, answer.size, answer.whole = 200, len(body), True
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.disconnected:
            lines = _lines(cycle.default_headers) + self._lines[known]
            last = b"" if cycle.keep_alive else b"connection: close\r\n"
            cycle.transport.write(
                b"HTTP/1.1 200 OK\r\n%scontent-length: %d\r\n%s: %s\r\n%s\r\n%s"
                % (lines, len(body), HEADER, answer.id.encode(), last, body)
            )
            if not cycle.keep_alive:
                cycle.transport.close()
        cycle.on_response()


def _lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join([b"%s: %s\r\n" % pair for pair in headers])
