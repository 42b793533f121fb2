"""A client that costs next to nothing, for tests that send tens of thousands of requests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit


class Line:
    """One connection that is kept open."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, secret: str) -> None:
        self._reader, self._writer, self._secret = reader, writer, secret

    async def post(self, path: str, body: Any = None) -> tuple[int, bytes]:
        """Send a request and return status and body of the answer."""
        text = b"" if body is None else json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nX-Api-Key: {self._secret}\r\n"
        self._writer.write(f"{head}Content-Length: {len(text)}\r\n\r\n".encode() + text)
        answer = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        size = int(answer.partition(b"content-length:")[2].partition(b"\r\n")[0])
        return int(answer[9:12]), await self._reader.readexactly(size)


@asynccontextmanager
async def lines(url: str, secret: str, count: int) -> AsyncIterator[list[Line]]:
    """Open so many connections."""
    place = urlsplit(url)
    opened = [await asyncio.open_connection(place.hostname, place.port) for _ in range(count)]
    try:
        yield [Line(reader, writer, secret) for reader, writer in opened]
    finally:
        for _, writer in opened:
            writer.close()
