"""Style sheets, scripts and pictures of pages, at addresses that name their content: browsers keep them."""

from __future__ import annotations

import hashlib
import mimetypes
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, Response

from armillary.console.routing import anybody
from armillary.errors import NotFound

router = APIRouter()
STATIC = Path(str(files("armillary.console") / "static"))
KEPT = {"Cache-Control": "public, max-age=31536000, immutable"}
SUFFIXES = frozenset({".css", ".js", ".svg", ".png", ".woff2"})
TYPES = {".js": "text/javascript", ".svg": "image/svg+xml"}


class Asset:
    """A file of the console in memory, with what it is known by."""

    def __init__(self, file: Path) -> None:
        self.content = file.read_bytes()
        self.digest = hashlib.sha256(self.content).hexdigest()[:12]
        self.media_type = TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0]


@lru_cache(maxsize=100)
def find(name: str) -> Asset:
    """Return a file of the console.

    Raises
    ------
    NotFound
        If there is none, or its name leads elsewhere.
    """
    file = STATIC / name
    if (
        file.suffix not in SUFFIXES
        or ".." in file.parts
        or not file.is_relative_to(STATIC)
        or not file.is_file()
    ):
        raise NotFound
    return Asset(file)


def address_of(name: str) -> str:
    """Return the address of a file of the console; other content has another one."""
    return f"/assets/{find(name).digest}/{name}"


@router.get("/assets/{digest}/{name:path}", dependencies=anybody)
async def asset(digest: str, name: str) -> Response:
    """Send a file of the console, whichever version of it a page asks for."""
    found = find(name)
    rule = KEPT if digest == found.digest else {"Cache-Control": "no-cache"}
    return Response(found.content, media_type=found.media_type, headers=rule)
