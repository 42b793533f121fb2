"""Where vocabularies are read: a file, or the server that a setting names, and no other."""

from __future__ import annotations

import asyncio
import os
import stat
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx

from armillary.base.certificates import certificates_for

LARGEST = 1 << 20
MOST_REDIRECTS = 3


class VocabularyUnreadable(Exception):
    """A vocabulary could not be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a source holds; ``etag`` and ``modified`` are sent back to a server when it is asked again."""

    content: bytes
    etag: str | None = None
    modified: str | None = None


def is_remote(source: str) -> bool:
    """Tell whether a source is a server's."""
    return source.startswith(("http://", "https://"))


async def read_source(
    source: str, *, timeout_s: float, etag: str | None = None, modified: str | None = None
) -> Reply | None:
    """Return what a source holds; None if it is still what ``etag`` and ``modified`` say.

    Raises
    ------
    VocabularyUnreadable
        If it cannot be read in time.
    """
    try:
        async with asyncio.timeout(timeout_s):
            if is_remote(source):
                return await _ask(source, timeout_s, etag, modified)
            return Reply(await asyncio.to_thread(_read, Path(source)))
    except TimeoutError:
        raise VocabularyUnreadable(f"there was no answer within {timeout_s:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise VocabularyUnreadable(f"{type(error).__name__}: {error}") from None


def _read(path: Path) -> bytes:
    # A pipe would not answer before somebody writes into it.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise VocabularyUnreadable("it is no file")
        return _bounded(file.read(LARGEST + 1))


async def _ask(source: str, timeout_s: float, etag: str | None, modified: str | None) -> Reply | None:
    said = {"If-None-Match": etag, "If-Modified-Since": modified, "Accept": "text/plain, */*;q=0.5"}
    headers = {name: value for name, value in said.items() if value}
    url = source
    async with httpx.AsyncClient(
        timeout=timeout_s, verify=certificates_for(source), trust_env=False, follow_redirects=False
    ) as client:
        for _ in range(MOST_REDIRECTS + 1):
            async with client.stream("GET", url, headers=headers) as response:
                if response.status_code == HTTPStatus.NOT_MODIFIED:
                    return None
                if not response.has_redirect_location:
                    return await _reply(response)
                url = _next(url, response.headers["location"])
    raise VocabularyUnreadable(f"there are more than {MOST_REDIRECTS} redirects")


async def _reply(response: httpx.Response) -> Reply:
    if response.status_code != HTTPStatus.OK:
        raise VocabularyUnreadable(f"the server answers with status {response.status_code}")
    if response.headers.get("content-type", "").lower().startswith("text/html"):
        raise VocabularyUnreadable("the server answers with a page, not with plain text")
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        _bounded(content)
    return Reply(bytes(content), response.headers.get("etag"), response.headers.get("last-modified"))


def _next(url: str, location: str) -> str:
    """Return where a redirect leads; only what a setting names is asked."""
    target = urljoin(url, location)
    if urlsplit(target)[:2] != urlsplit(url)[:2]:
        raise VocabularyUnreadable(
            f"the server refers to {urlsplit(target).netloc}; name that in the setting if it is meant"
        )
    return target


def _bounded(content: bytes | bytearray) -> bytes:
    if len(content) > LARGEST:
        raise VocabularyUnreadable(f"it has more than {LARGEST} bytes")
    return bytes(content)
