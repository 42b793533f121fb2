"""Another server as its clients see it: what it has, uploads, header updates (specification, section 8)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urljoin

import httpx

from armillary.base import certificates
from armillary.exports.errors import DestinationAway, HeaderUpdateFailed, UnusableReply
from armillary.exports.models import Found, HeaderUpdate, Held, Parcel
from armillary.exports.secrets import read_secret
from armillary.fits.containers import logical_name
from armillary.settings import DestinationSettings, ExportSettings

UPLOAD_COOKIE, EDIT_COOKIE = "gemini_fits_upload_auth", "gemini_api_authorization"
MAX_REPLY = 1 << 20
CHUNK = 1 << 18
FOLLOW_S = 30.0
SHOWN = 60


class Peer:
    """A destination for the time of one export."""

    def __init__(
        self, destination: DestinationSettings, settings: ExportSettings, http: httpx.AsyncClient
    ) -> None:
        self._url = destination.url.rstrip("/")
        self._destination, self._settings, self._http = destination, settings, http

    @property
    def takes_header_updates(self) -> bool:
        """Whether there is a cookie for header updates."""
        return bool(self._destination.edit_secret)

    async def look(self, path: str, name: str) -> Found:
        """Ask what the destination has under a path and logical name.

        Raises
        ------
        DestinationAway
            If it does not answer in time, or with another status than 200.
        UnusableReply
            If the answer is no list of one file of that name, or of none.
        """
        url = f"{self._url}/jsonfilelist/present/path={_quoted(path)}/filename={_quoted(name)}"
        headers = self._cookie(UPLOAD_COOKIE, self._destination.upload_secret)
        try:
            async with asyncio.timeout(self._settings.look_s):
                status, body, sent = await self._ask("GET", url, headers=headers)
        except TimeoutError:
            raise DestinationAway(f"GET {url}: no answer within {self._settings.look_s:g} s") from None
        if status != HTTPStatus.OK:
            raise DestinationAway(f"GET {url}: status {status}")
        words = sent.get("Armillary-Features", "").split(",")
        return Found(_held(_one_of(url, body), url, name), frozenset(word.strip() for word in words))

    async def upload(self, path: str, parcel: Parcel, batch: str | None) -> None:
        """Send a file; it has arrived when the reply repeats its name, size and sum.

        Raises
        ------
        DestinationAway
            If the connection fails, or the status is not 200.
        UnusableReply
            If the reply speaks of something else than what was sent.
        """
        place = f"{_quoted(path, safe='/')}/{_quoted(parcel.filename)}".lstrip("/")
        url = f"{self._url}/upload_file/{place}"
        shown = f"{url}?batch={_quoted(batch)}" if batch is not None else url
        headers = {
            **self._cookie(UPLOAD_COOKIE, self._destination.upload_secret),
            "Content-Length": str(parcel.size),
            "Content-Type": "application/octet-stream",
        }
        status, body, _ = await self._ask("POST", shown, headers=headers, content=_chunks(parcel))
        if status != HTTPStatus.OK:
            raise DestinationAway(f"POST {shown}: status {status}")
        reply = _one_of(shown, body)
        received = reply and (reply.get("filename"), reply.get("size"), reply.get("md5"))
        if received != (parcel.filename, parcel.size, parcel.md5):
            raise UnusableReply(
                f"POST {shown}: the reply {_shown(body)} does not tell filename, size and md5 of what was sent "
                f"({parcel.filename}, {parcel.size}, {parcel.md5})"
            )

    async def update_headers(self, name: str, updates: Sequence[HeaderUpdate]) -> int:
        """Have header updates carried out one after the other, wait for the end, return the bytes sent.

        Raises
        ------
        HeaderUpdateFailed
            If they were not carried out as they should, or that is not known.
        """
        url = f"{self._url}/update_headers"
        body = json.dumps([update.item(name) for update in updates]).encode()
        headers = self._cookie(EDIT_COOKIE, self._destination.edit_secret)
        try:
            async with asyncio.timeout(self._settings.follow_s):
                json_type = {"Content-Type": "application/json"}
                status, answer, sent = await self._ask("POST", url, headers=headers | json_type, content=body)
                reply = _json_of(url, answer)
                good = isinstance(reply, list) and all(
                    isinstance(one, dict) and one.get("result") is True for one in reply
                )
                if status != HTTPStatus.OK or not good or "Location" not in sent:
                    raise HeaderUpdateFailed(f"POST {url}: status {status}, {_shown(answer)}")
                await self._follow(urljoin(url, sent["Location"]), headers, updates)
        except TimeoutError:
            raise HeaderUpdateFailed(
                f"POST {url}: not carried out in {self._settings.follow_s:g} s"
            ) from None
        except (DestinationAway, UnusableReply) as error:
            raise HeaderUpdateFailed(error.message) from None
        return len(body)

    async def _follow(self, url: str, headers: dict[str, str], updates: Sequence[HeaderUpdate]) -> None:
        """Wait until the status resource says that all items ended, and see that they ended well."""
        if not url.startswith(f"{self._url}/"):
            raise HeaderUpdateFailed(f"The status of the update is at {url}, on another server.")
        while True:
            status, body, _ = await self._ask("GET", f"{url}?wait={FOLLOW_S:g}", headers=headers)
            document = _json_of(url, body)
            if status != HTTPStatus.OK or not isinstance(document, dict):
                raise HeaderUpdateFailed(f"GET {url}: status {status}, {_shown(body)}")
            if document.get("done") is True:
                break
            await asyncio.sleep(min(1.0, self._settings.look_s))
        items = document.get("items")
        if not isinstance(items, list) or len(items) != len(updates):
            raise HeaderUpdateFailed(f"GET {url}: {_shown(body)}")
        for item in items:
            if not isinstance(item, dict) or item.get("state") != "completed":
                raise HeaderUpdateFailed(
                    f"GET {url}: {item.get('error') if isinstance(item, dict) else item}"
                )

    async def _ask(self, method: str, url: str, **options: Any) -> tuple[int, bytes, httpx.Headers]:
        """Return status, body and headers of an answer that is not endless."""
        try:
            async with self._http.stream(method, url, **options) as response:
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_REPLY:
                        raise UnusableReply(f"{method} {url}: the reply is longer than {MAX_REPLY} bytes")
                return response.status_code, bytes(body), response.headers
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise DestinationAway(f"{method} {url}: {type(error).__name__}: {error}") from None

    def _cookie(self, name: str, source: str) -> dict[str, str]:
        secret = read_secret(source)
        return {"Cookie": f"{name}={secret}"} if secret else {}


@asynccontextmanager
async def reach(destination: DestinationSettings, settings: ExportSettings) -> AsyncIterator[Peer]:
    """Open the way to a destination; connections are made when something is asked."""
    timeout = httpx.Timeout(settings.upload_s, connect=settings.look_s)
    async with httpx.AsyncClient(
        timeout=timeout, verify=certificates.trusted(), trust_env=False, proxy=destination.proxy
    ) as http:
        yield Peer(destination, settings, http)


def _quoted(text: str, *, safe: str = "") -> str:
    return quote(text, safe=safe)


async def _chunks(parcel: Parcel) -> AsyncIterator[bytes]:
    await asyncio.to_thread(parcel.file.seek, 0)
    while chunk := await asyncio.to_thread(parcel.file.read, CHUNK):
        yield chunk


def _json_of(url: str, body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise UnusableReply(f"{url}: the reply {_shown(body)} is no JSON") from None


def _one_of(url: str, body: bytes) -> dict[str, Any] | None:
    """Return the one object of a list, or None if the list is empty."""
    reply = _json_of(url, body)
    if not isinstance(reply, list) or len(reply) > 1 or not all(isinstance(one, dict) for one in reply):
        raise UnusableReply(f"{url}: the reply {_shown(body)} is no list of one object")
    return reply[0] if reply else None


def _held(element: dict[str, Any] | None, url: str, name: str) -> Held | None:
    if element is None:
        return None
    filename, md5, pending = (element.get(key) for key in ("filename", "data_md5", "pending_ingest"))
    known = isinstance(filename, str) and logical_name(filename) == name and "data_md5" in element
    if not known or not isinstance(md5, str | None) or not isinstance(pending, bool | None):
        raise UnusableReply(f"{url}: the reply does not speak of {name}")
    return Held(str(filename), md5, bool(pending), _instant(element.get("lastmod")))


def _instant(text: object) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return instant.replace(tzinfo=instant.tzinfo or UTC) if instant else None


def _shown(body: bytes) -> str:
    text = body[: SHOWN * 4].decode("utf-8", "replace")
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}...")
