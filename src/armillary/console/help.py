"""Help: the reference and the interface for programs, to be read and searched."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass
from typing import Annotated, Any

from fastapi import Query, Request, Response

from armillary.console import openapi, reference
from armillary.console.rendering import page, page_or_part
from armillary.console.routing import anybody, page_router
from armillary.errors import NotFound

router = page_router()
MOST = 20
"""Entries of each part among what was found in all of them."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the reference: its place, what it is, and where its entries come from."""

    word: str
    title: str
    text: str
    entries: Callable[[Request], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in a part, as many as are shown of how many."""

    part: Part
    entries: Sequence[Any]
    count: int


def _operations(request: Request) -> Iterable[tuple[str, str, str]]:
    return openapi.summaries(request.app.openapi())


PARTS = (
    Part(
        "commands",
        "Commands",
        "What the command line does; every command says more with --help.",
        lambda _: reference.commands(),
    ),
    Part("routes", "Routes", "Every address, and who may use it.", lambda r: reference.routes(r.app.routes)),
    Part(
        "api",
        "Interface for programs",
        "Parameters, bodies and answers of the routes that programs use, from the OpenAPI document.",
        _operations,
    ),
    Part(
        "settings",
        "Settings",
        "What can be set, in armillary.toml or by variables of the environment.",
        lambda _: reference.settings(),
    ),
    Part(
        "errors",
        "Error codes",
        "What went wrong, by the code that every page, reply and log tells.",
        lambda _: reference.error_codes(),
    ),
)
Sought = Annotated[str, Query(max_length=200)]


@router.get("/docs", dependencies=anybody)
async def index(request: Request, q: Sought = "") -> Response:
    """Show what help there is, or what of it has certain words."""
    found = [await _find(request, part, q, MOST) for part in PARTS]
    return page_or_part(request, "help.html", "found", {"found": found, "q": q, "part": None, "parts": PARTS})


@router.get("/docs/api/{method}/{path:path}", dependencies=anybody)
async def operation(request: Request, method: str, path: str) -> Response:
    """Show what one route takes and answers."""
    document = await asyncio.to_thread(request.app.openapi)
    found = openapi.find(document, method, f"/{path}")
    if found is None:
        raise NotFound(f"There is no operation {method[:10]} /{path[:200]}; /docs/api lists all.")
    curl = openapi.as_curl(found, str(request.base_url))
    return page(request, "operation.html", {"operation": found, "curl": curl, "parts": PARTS})


@router.get("/docs/{word}", dependencies=anybody)
async def one_part(request: Request, word: str, q: Sought = "") -> Response:
    """Show a part of the reference, or the entries of it that have certain words."""
    part = next((one for one in PARTS if one.word == word), None)
    if part is None:
        raise NotFound(f"There is no help about '{word[:100]}'; /docs lists what there is.")
    found = [await _find(request, part, q, None)]
    return page_or_part(request, "help.html", "found", {"found": found, "q": q, "part": part, "parts": PARTS})


async def _find(request: Request, part: Part, sought: str, most: int | None) -> Found:
    """Return the entries of a part in which all words occur."""
    # The first time, commands and errors are looked for in the whole program.
    entries = await asyncio.to_thread(lambda: list(part.entries(request)))
    words = sought.lower().split()
    fitting = [one for one in entries if all(word in _text_of(one) for word in words)]
    return Found(part, fitting[:most], len(fitting))


def _text_of(entry: Any) -> str:
    values = entry if isinstance(entry, tuple) else astuple(entry)
    return " ".join(map(str, values)).lower()
