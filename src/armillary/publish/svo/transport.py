"""Requests to the virtual observatory: timeouts, other tries, redirects, who may be shown the key.

What is sent again by itself does the same when it is done twice: GET, PATCH, DELETE. Of a POST that was not
answered nobody knows what became of it; whoever sent it has to look.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from armillary.base import certificates
from armillary.base.log import get_logger
from armillary.base.work import Retry
from armillary.publish.svo.errors import (
    ReadOnlyRun,
    SvoAway,
    SvoKeyMissing,
    SvoRefused,
    SvoUnclear,
    UnusableSvoReply,
)
from armillary.publish.svo.models import LARGEST_BODY, Json
from armillary.publish.svo.secrets import Credentials, base_url, credentials
from armillary.settings import SvoSettings

log = get_logger(__name__)
TRIES = 5
MAX_REPLY = 300 << 20
MAX_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
BUSY = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
READ = "GET"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    def json(self) -> Json:
        """Return the JSON of the body.

        Raises
        ------
        UnusableSvoReply
            If it is none.
        """
        try:
            return json.loads(self.body, parse_constant=lambda _name: None)
        except (ValueError, RecursionError):
            raise UnusableSvoReply("The virtual observatory sent something that is no JSON.") from None


class Transport:
    """The way to one observatory, for the time of one run; without a key it can only read."""

    def __init__(
        self, base: str, http: httpx.AsyncClient, settings: SvoSettings, key: Credentials | None
    ) -> None:
        self.base, self._http, self._key = base, http, key
        last_s = max(settings.retry_last_s / 10, settings.retry_first_s)
        self._retry = Retry(settings.retry_first_s, last_s, TRIES)
        self._last_s = settings.retry_last_s
        self.writes = 0
        """How many requests have changed something."""

    async def read(self, address: str, query: Mapping[str, str] | None = None) -> Answer:
        """GET an address: a path below the base, one of the host, or a whole URL of the same origin.

        Raises
        ------
        SvoAway
            If there is no answer after several tries.
        """
        url = str(httpx.URL(self.resolve(address), params=query)) if query else self.resolve(address)
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._again(READ, url, None)
            if answer.status not in REDIRECTS:
                return answer
            url = urljoin(url, answer.headers.get("location", ""))
        raise UnusableSvoReply(f"GET {_shown(url)}: there are more than {MAX_REDIRECTS} redirects.")

    async def write(self, method: str, address: str, body: Mapping[str, Json] | None = None) -> Answer:
        """Send a request that changes something.

        Raises
        ------
        ReadOnlyRun
            In a dry run.
        SvoUnclear
            If nobody knows what became of it.
        SvoAway
            If it was refused for the moment, again and again.
        SvoRefused
            If the body is larger than the server takes.
        """
        if self._key is None:
            raise ReadOnlyRun
        content = _content(body) if body is not None else None
        url = self.resolve(address)
        if method == "POST":
            answer = await self._post(url, content)
        else:
            answer = await self._again(method, url, content)
        if answer.status in REDIRECTS:
            raise UnusableSvoReply(f"{method} {_shown(url)}: the request was sent elsewhere; check svo.url.")
        self.writes += answer.status < HTTPStatus.MULTIPLE_CHOICES
        return answer

    def resolve(self, address: str) -> str:
        """Return a whole URL: of a path that begins with a slash, from the root of the host."""
        if address.startswith(("http://", "https://", "/")):
            return urljoin(f"{self.base}/", address)
        return f"{self.base}/{address}"

    async def _post(self, url: str, content: bytes | None) -> Answer:
        for attempt in range(1, TRIES + 1):
            try:
                answer = await self._once("POST", url, content)
            except httpx.ConnectError as error:
                await self._pause(attempt, f"POST {_shown(url)}: {_why(error)}", None)
                continue
            except (httpx.HTTPError, OSError) as error:
                raise SvoUnclear(f"POST {_shown(url)}: {_why(error)}") from None
            if answer.status != HTTPStatus.TOO_MANY_REQUESTS:
                if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise SvoUnclear(f"POST {_shown(url)}: status {answer.status}")
                return answer
            await self._pause(attempt, f"POST {_shown(url)}: status {answer.status}", answer)
        raise AssertionError("the last pause raises")

    async def _again(self, method: str, url: str, content: bytes | None) -> Answer:
        """Send a request that may be done twice, until there is an answer."""
        for attempt in range(1, TRIES + 1):
            try:
                answer = await self._once(method, url, content)
            except (httpx.HTTPError, OSError) as error:
                await self._pause(attempt, f"{method} {_shown(url)}: {_why(error)}", None)
                continue
            broken = answer.status == HTTPStatus.INTERNAL_SERVER_ERROR and attempt == 1
            if answer.status not in BUSY and not broken:
                return answer
            await self._pause(attempt, f"{method} {_shown(url)}: status {answer.status}", answer)
        raise AssertionError("the last pause raises")

    async def _pause(self, attempt: int, reason: str, answer: Answer | None) -> None:
        if attempt >= TRIES:
            raise SvoAway(f"The virtual observatory does not answer: {reason}. Try again later.")
        pause_s = self._retry.delay_s(attempt, random.random())  # noqa: S311  # spreads tries, and no more
        said = answer.headers.get("retry-after", "") if answer else ""
        if said.isascii() and said.isdecimal():
            pause_s = min(float(said), self._last_s)
        log.info("svo asked again", reason=reason, pause_s=pause_s)
        await asyncio.sleep(pause_s)

    async def _once(self, method: str, url: str, content: bytes | None) -> Answer:
        headers = {"Accept": "application/json"}
        # Reading needs no key, so it is shown with writes alone, and never to another host.
        if method != READ and self._key is not None and _origin(url) == _origin(self.base):
            headers["Authorization"] = self._key.header
        if content is not None:
            headers["Content-Type"] = "application/json"
        body = bytearray()
        async with self._http.stream(method, url, headers=headers, content=content) as response:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_REPLY:
                    raise UnusableSvoReply(f"{method} {_shown(url)}: the reply is endless.")
            return Answer(response.status_code, bytes(body), response.headers)


def _content(body: Mapping[str, Json]) -> bytes:
    content = json.dumps(body, allow_nan=False).encode()
    if len(content) > LARGEST_BODY:
        raise SvoRefused(
            f"The record has {len(content)} bytes; the virtual observatory takes {LARGEST_BODY} at most."
        )
    return content


def _origin(url: str) -> tuple[str, str | None, int | None]:
    split = urlsplit(url)
    return split.scheme, split.hostname, split.port


def _shown(url: str) -> str:
    return urlsplit(url)._replace(netloc=urlsplit(url).netloc.rpartition("@")[2], query="").geturl()


def _why(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")


@asynccontextmanager
async def reach(
    settings: SvoSettings, *, dry_run: bool, timeout_s: float | None = None
) -> AsyncIterator[Transport]:
    """Open the way to the observatory of the settings; a dry run has no key to write with.

    Raises
    ------
    SvoNotConfigured, SvoKeyMissing, SvoKeyExposed
        If settings or environment do not say enough.
    """
    base, key = base_url(settings), _key(settings, dry_run=dry_run)
    verify: Any = certificates.certificates_for(base)
    async with httpx.AsyncClient(
        timeout=timeout_s or settings.timeout_s, verify=verify, trust_env=False, follow_redirects=False
    ) as http:
        yield Transport(base, http, settings, key)


def _key(settings: SvoSettings, *, dry_run: bool) -> Credentials | None:
    """Return who writes; a dry run is nobody, and tells all the same that a key is exposed."""
    try:
        found = credentials(settings)
    except SvoKeyMissing:
        if not dry_run:
            raise
        return None
    return None if dry_run else found
