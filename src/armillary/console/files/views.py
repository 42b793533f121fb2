"""What the templates of the page of a file are given."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from armillary.access.models import Scope
from armillary.api.http.calls import Call
from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Version
from armillary.archive.errors import FileEmbargoed, HeadersForgotten
from armillary.archive.fields import BY_NAME
from armillary.archive.products import service as products
from armillary.archive.query import service as query
from armillary.archive.query.service import Record
from armillary.console.files.cards import EVERY, CardPage, Cards, ShownCard, page_of
from armillary.console.files.differences import MOST, side_by_side
from armillary.console.files.timeline import timeline_of
from armillary.console.words import path as quoted
from armillary.edits.history.service import diff
from armillary.edits.service import rules_of
from armillary.errors import NotFound
from armillary.fits.header import Header
from armillary.headers import service as headers

HDUS = 50
"""HDUs of a list before it goes on only if somebody wants that."""
_PIXELS = {8: "uint8", 16: "int16", 32: "int32", 64: "int64", -32: "float32", -64: "float64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What of a file somebody looks at: all of it is in the address."""

    name: str
    hdu: str = "0"
    find: str = ""
    page: int = 1
    as_cards: bool = False
    hdus: int = 0
    version: int | None = None
    older: int | None = None
    start: int | None = None
    to: int | None = None

    def address(self, **changes: Any) -> str:
        """Return the address of this view with changes; what is as at first is left out."""
        one = replace(self, **changes)
        said = {
            "hdu": one.hdu if one.hdu != "0" else None,
            "find": one.find or None,
            "page": one.page if one.page > 1 else None,
            "view": "cards" if one.as_cards else None,
            "version": one.version,
            "hdus": one.hdus or None,
            "older": one.older,
            "from": one.start,
            "to": one.to,
        }
        query_string = urlencode({key: value for key, value in said.items() if value is not None})
        return f"/files/{quoted(one.name)}" + (f"?{query_string}" if query_string else "")


@dataclass(frozen=True, slots=True)
class HduLine:
    """An HDU in the list of all."""

    index: int
    kind: str
    name: str
    extver: int
    shape: str
    size: int


async def whole(call: Call, asked: View, record: Record, base: str) -> dict[str, Any]:
    """Return what the whole page needs."""
    async with call.context.database.begin() as connection:
        merged = await headers.merged(connection, record.version.file_id)
        preview = await catalog.get_product(connection, record.version.id, products.PREVIEW)
        beside = await query.neighbours_of(
            connection, record.version.file_id, call.principal, today=call.today
        )
    values = _common(call, asked, record)
    for one in ("cards", "hdus", "history", "difference", "verification"):
        values |= await part_of(call, asked, record, one)
    return values | {
        "base": base,
        "waiting_header": merged is not None and merged.revision is None,
        "address": _address(asked.name, record.version),
        "ways": _ways(asked, base),
        "beside": beside,
        "has_preview": preview is not None and preview.reason is None,
        "partly": False,
        "frame": None if record.frame is None else dict.fromkeys(BY_NAME) | record.frame,
    }


async def part_of(call: Call, asked: View, record: Record, block: str) -> dict[str, Any]:
    """Return what a part of the page needs."""
    values = _common(call, asked, record)
    match block:
        case "cards":
            return values | await _cards(call, asked, record)
        case "hdus":
            return values | await _hdus(call, asked, record)
        case "history":
            return values | {"timeline": await timeline_of(call, record, asked.older)}
        case "difference":
            return values | await _difference(call, asked, record)
    return values


def _common(call: Call, asked: View, record: Record) -> dict[str, Any]:
    return {
        "asked": asked,
        "name": asked.name,
        "record": record,
        "may_edit": call.principal.may(Scope.EDIT),
        "may_verify": call.principal.may(Scope.READ) or call.principal.may(Scope.EDIT),
        "today": call.today,
        "sent": None,
        "edited": None,
        "reverted": None,
        "refusal": None,
        "verified": None,
        "verified_at": None,
        "me": call.principal,
        "partly": True,
    }


async def _version(call: Call, record: Record, version_id: int | None) -> Version:
    if version_id in (None, record.version.id):
        return record.version
    async with call.context.database.begin() as connection:
        return await query.version_of(connection, record, version_id)


async def _cards(call: Call, asked: View, record: Record) -> dict[str, Any]:
    """Return a page of cards, or why there is none."""
    found: CardPage | None = None
    version = record.version
    trouble = None
    if record.open_headers and version.is_fits:
        version = await _version(call, record, asked.version)
        chosen = None if asked.hdu == EVERY else query.hdu_index(version, asked.hdu)
        protected = _protected(call)
        fixed = "" if version.id == record.version.id and record.present else "past"
        try:
            found = await asyncio.to_thread(_read_cards, version, chosen, asked, protected, fixed)
        except HeadersForgotten as error:
            trouble = error.message
    return {"cards": found, "shown": version, "trouble": trouble}


def _read_cards(
    version: Version, chosen: int | None, asked: View, protected: frozenset[str], fixed: str
) -> CardPage:
    raw = version.headers()
    elsewhere = len(raw) > 1 and "ZSIMPLE" in Header(raw[1]).keywords()
    wanted = range(len(raw)) if chosen is None else [chosen]
    every = [
        Cards(one, raw[one], protected, fixed=fixed or ("elsewhere" if elsewhere and one == 0 else ""))
        for one in wanted
    ]
    return page_of(every, asked.find, asked.page)


async def card_of(call: Call, record: Record, hdu: int, keyword: str) -> ShownCard:
    """Return the card that a form edits.

    Raises
    ------
    FileEmbargoed
        If the viewer may not read it.
    NotFound
        If there is none.
    """
    query.check_headers(record)
    raw = await asyncio.to_thread(record.version.headers)
    found = Cards(hdu, raw[hdu], _protected(call)).first_of(keyword) if hdu < len(raw) else None
    if found is None:
        raise NotFound(f"There is no card {keyword} in HDU {hdu} any more; load the page of the file again.")
    return found


def _protected(call: Call) -> frozenset[str]:
    return rules_of(call.context.settings.edits).protected


async def _hdus(call: Call, asked: View, record: Record) -> dict[str, Any]:
    version = record.version
    first = asked.hdus
    if not asked.hdus and asked.hdu.isascii() and asked.hdu.isdecimal() and len(asked.hdu) < 7:
        # The list begins where the HDU is that is looked at.
        first = int(asked.hdu) // HDUS * HDUS
    shown: Sequence[HduLine] = ()
    if version.is_fits and version.is_whole:
        shown = await asyncio.to_thread(_lines, version, first, told=record.open_headers)
    more = first + HDUS if first + HDUS < len(version.hdus) else None
    return {"hdu_lines": shown, "first_hdu": first, "more_hdus": more}


def _lines(version: Version, first: int, *, told: bool) -> list[HduLine]:
    raw = version.headers()
    return [
        HduLine(at, one.kind, one.name, one.version, _shape(Header(raw[at])) if told else "", one.data_size)
        for at, one in islice(enumerate(version.hdus), first, first + HDUS)
    ]


def _shape(header: Header) -> str:
    """Return what the data of an HDU are like: axes and kind of pixels, or rows and columns."""
    if header.get("XTENSION") in ("BINTABLE", "TABLE") and header.get("ZIMAGE") is not True:
        return f"{header.get('NAXIS2')} rows, {header.get('TFIELDS')} columns"
    prefix = "Z" if header.get("ZIMAGE") is True else ""
    count = header.get(f"{prefix}NAXIS")
    axes = (
        [header.get(f"{prefix}NAXIS{at}") for at in range(1, min(count, 9) + 1)]
        if isinstance(count, int)
        else []
    )
    bitpix = header.get(f"{prefix}BITPIX")
    pixels = _PIXELS.get(bitpix, "") if isinstance(bitpix, int) else ""
    packed = ", compressed" if prefix else ""
    return f"{' × '.join(map(str, axes))} {pixels}{packed}" if axes else "no data"


async def _difference(call: Call, asked: View, record: Record) -> dict[str, Any]:
    """Return the cards that differ between two versions, side by side; nothing unless two are asked for."""
    values: dict[str, Any] = {"pairs": None, "old": None, "new": None, "more_pairs": False}
    if asked.to is None and asked.start is None:
        return values
    if not record.open_headers:
        raise FileEmbargoed
    new = await _version(call, record, asked.to)
    before = record.ids[max(0, record.ids.index(new.id) - 1)]
    old = await _version(call, record, asked.start or before)
    pairs = await asyncio.to_thread(lambda: list(islice(side_by_side(diff(old, new)), MOST + 1)))
    return values | {"pairs": pairs[:MOST], "old": old, "new": new, "more_pairs": len(pairs) > MOST}


def _address(name: str, version: Version) -> str:
    """Return what a file is asked for by: as it was asked for, under its logical name."""
    path, joint, _ = name.rpartition("/")
    return f"{path}{joint}{version.name}"


def _ways(asked: View, base: str) -> Sequence[tuple[str, str]]:
    """Return how the headers that are shown are had elsewhere."""
    hdu = "" if asked.hdu == EVERY else f"/{quoted(asked.hdu)}"
    version = f"?version={asked.version}" if asked.version else ""
    url = f"{base}v1/files/{quoted(asked.name)}/headers{hdu}{version}"
    python = (
        "import httpx\n\n"
        f"reply = httpx.get({url!r}, headers={{'X-Api-Key': 'TOKEN'}})\n"
        "cards = reply.raise_for_status().json()['hdus']"
    )
    return (
        ("curl", f"curl -H 'X-Api-Key: TOKEN' {shlex.quote(url)}"),
        ("Python", python),
        ("CLI", f"armillary show --header {shlex.quote(asked.name)}"),
    )
