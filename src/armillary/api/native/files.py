"""One file: what is known of it, its versions and headers, what differs between them, its bytes."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from armillary.api.http.bytes import serve_bytes
from armillary.api.http.calls import Call, Ctx
from armillary.api.http.values import plain
from armillary.api.native.routing import NEGOTIATED, Documented, answers, anybody, failures
from armillary.archive.catalog.models import Version
from armillary.archive.errors import (
    BeingChanged,
    FileAmbiguous,
    FileEmbargoed,
    FileNotFound,
    HduNotFound,
    VersionNotFound,
)
from armillary.archive.query import service as query
from armillary.archive.query.service import Record
from armillary.edits.service import diff
from armillary.errors import BadRequest
from armillary.fits.cards import body_of, printable, split_cards
from armillary.fits.header import Header
from armillary.fits.models import Card

router = APIRouter()
Form = Annotated[Literal["json", "text"] | None, Query(description="Otherwise as Accept says.")]
Id = Annotated[
    int | None, Query(ge=1, lt=1 << 63, description="Id of a version; otherwise the canonical one.")
]
_VERSION = {
    "id": 12,
    "number": 2,
    "root": "store",
    "path": "20260101",
    "filename": "N20260101S0001.fits",
    "container": "plain",
    "present": True,
    "canonical": True,
    "origin": "edit",
    "previous": 11,
    "file_size": 8405760,
    "data_size": 8405760,
    "file_md5": "6f5902ac237024bdd0c176cb93063dc4",
    "data_md5": "6f5902ac237024bdd0c176cb93063dc4",
    "file_sha256": None,
    "data_sha256": None,
    "file_crc64nvme": "a2c1f1d5b2a1f3e4",
    "data_crc64nvme": "a2c1f1d5b2a1f3e4",
    "lastmod": "2026-01-01T05:00:00Z",
    "entrytime": "2026-01-01T05:00:01Z",
}
_CARD = {
    "keyword": "RAWIQ",
    "value": "70-percentile",
    "comment": "Raw IQ",
    "card": "RAWIQ   = '70-percentile'",
}
_HEADERS = {
    "name": "N20260101S0001.fits",
    "version": 12,
    "hdus": [{"index": 0, "kind": "PRIMARY", "name": "", "extver": 1, "cards": [_CARD]}],
}

_BYTES: Documented = {
    200: {"description": "The bytes", "content": {"application/fits": {"schema": {"type": "string"}}}},
    206: {"description": "A range of them"},
    304: {"description": "The client has them"},
    416: {"description": "There is no such range"},
}


@router.get(
    "/v1/files/{name}",
    dependencies=anybody,
    responses=answers(
        {
            "name": "N20260101S0001.fits",
            "version": {**_VERSION, "hdus": []},
            "versions": 2,
            "present": [
                {"root": "store", "path": "20260101", "filename": "N20260101S0001.fits", "version": 12}
            ],
            "visible": True,
            "frame": {"instrument": "GMOS-N", "exposure_s": 30.0, "qa_state": "Pass"},
            "warnings": [],
        }
    )
    | failures(FileNotFound),
)
async def file(ctx: Ctx, name: str) -> JSONResponse:
    """Tell what is known of a file: its canonical version with digests, where it is present, its frame.

    Of a frame whose coordinates are proprietary, what tells the position is null for others.
    """
    record = await _record(ctx, name)
    version = record.version
    hdus = [
        {
            "index": index,
            "kind": one.kind,
            "name": one.name,
            "extver": one.version,
            "header_size": one.header_size,
            "data_size": one.data_size,
            "data_crc64nvme": f"{one.data_crc:016x}",
        }
        for index, one in enumerate(version.hdus)
    ]
    present = [
        {
            "root": record.roots[one.location.root_id].name,
            "path": one.location.path,
            "filename": one.location.filename,
            "version": one.id,
        }
        for one in record.present
    ]
    return JSONResponse(
        {
            "name": version.name,
            "version": {**_version_json(record, version), "hdus": hdus},
            "versions": len(record.ids),
            "present": present,
            "visible": record.visible,
            "frame": plain(record.frame) if record.frame is not None else None,
            "warnings": record.warnings,
        }
    )


@router.get(
    "/v1/files/{name}/versions",
    dependencies=anybody,
    responses=answers({"name": "N20260101S0001.fits", "versions": [_VERSION], "cursor": None})
    | failures(FileNotFound),
)
async def versions(
    ctx: Ctx,
    name: str,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[int | None, Query(ge=1, lt=1 << 63)] = None,
) -> JSONResponse:
    """List the versions of a file, newest first; `cursor` in the answer leads to the older ones."""
    record = await _record(ctx, name)
    async with ctx.context.database.begin() as connection:
        found = await query.versions_before(connection, record, cursor, limit)
    more = found[-1].id if found and found[-1].id != record.ids[0] else None
    shown = [_version_json(record, one) for one in found]
    return JSONResponse({"name": record.version.name, "versions": shown, "cursor": more})


@router.get(
    "/v1/files/{name}/headers",
    dependencies=anybody,
    response_class=Response,
    responses=answers(_HEADERS, {"text/plain": "SIMPLE  =                    T\n"})
    | failures(FileNotFound, FileEmbargoed, VersionNotFound),
)
async def headers(request: Request, ctx: Ctx, name: str, version: Id = None, format: Form = None) -> Response:
    """Show the cards of every HDU of a version: keyword, value, comment and the raw card; or FITS text."""
    return await _headers(request, ctx, name, None, version, format)


@router.get(
    "/v1/files/{name}/headers/{hdu}",
    dependencies=anybody,
    response_class=Response,
    responses=answers(_HEADERS, {"text/plain": "SIMPLE  =                    T\n"})
    | failures(FileNotFound, FileEmbargoed, VersionNotFound, HduNotFound),
)
async def header(
    request: Request, ctx: Ctx, name: str, hdu: str, version: Id = None, format: Form = None
) -> Response:
    """Show the cards of one HDU, given by its index, by EXTNAME, or by EXTNAME,EXTVER."""
    return await _headers(request, ctx, name, hdu, version, format)


async def _headers(
    request: Request, call: Call, name: str, hdu: str | None, version_id: int | None, form: str | None
) -> Response:
    _, version = await _open_version(call, name, version_id)
    chosen = range(len(version.hdus)) if hdu is None else [query.hdu_index(version, hdu)]
    raw = await asyncio.to_thread(version.headers)
    if _wants_text(request, form):
        texts = [_text_of(raw[index]) for index in chosen]
        return PlainTextResponse("\n".join(texts), headers=NEGOTIATED)
    shown = await asyncio.to_thread(lambda: [_hdu_json(version, index, raw[index]) for index in chosen])
    return JSONResponse({"name": version.name, "version": version.id, "hdus": shown}, headers=NEGOTIATED)


@router.get(
    "/v1/files/{name}/diff",
    dependencies=anybody,
    response_class=Response,
    responses=answers(
        {
            "name": "N20260101S0001.fits",
            "from": 11,
            "to": 12,
            "cards": [
                {"hdu": 0, "sign": "-", "card": "RAWIQ   = 'Any     '"},
                {"hdu": 0, "sign": "+", "card": "RAWIQ   = '70-percentile'"},
            ],
        },
        {"text/plain": "-0 RAWIQ   = 'Any     '\n+0 RAWIQ   = '70-percentile'\n"},
    )
    | failures(FileNotFound, FileEmbargoed, VersionNotFound),
)
async def difference(
    request: Request,
    ctx: Ctx,
    name: str,
    to: Id = None,
    start: Annotated[
        int | None,
        Query(alias="from", ge=1, lt=1 << 63, description="Id of a version; otherwise the one before."),
    ] = None,
    format: Form = None,
) -> Response:
    """Show the cards that only one of two versions has: `-` those of `from`, `+` those of `to`."""
    record, new = await _open_version(ctx, name, to)
    before = record.ids[max(0, record.ids.index(new.id) - 1)]
    async with ctx.context.database.begin() as connection:
        old = await query.version_of(connection, record, start or before)
    found = await asyncio.to_thread(lambda: list(diff(old, new)))
    if _wants_text(request, format):
        lines = (f"{sign}{hdu} {_shown(card)}\n" for hdu, sign, card in found)
        return PlainTextResponse("".join(lines), headers=NEGOTIATED)
    cards = [{"hdu": hdu, "sign": sign, "card": _shown(card)} for hdu, sign, card in found]
    body = {"name": new.name, "from": old.id, "to": new.id, "cards": cards}
    return JSONResponse(body, headers=NEGOTIATED)


@router.head("/v1/files/{name}/content", dependencies=anybody, include_in_schema=False)
@router.get(
    "/v1/files/{name}/content",
    dependencies=anybody,
    response_class=Response,
    responses=_BYTES | failures(FileNotFound, FileAmbiguous, FileEmbargoed, BeingChanged, BadRequest),
)
async def content(request: Request, ctx: Ctx, name: str) -> Response:
    """Send the bytes of a file, as `/file` does: bzip2 if the name ends so, else uncompressed FITS."""
    return await serve_bytes(request, ctx, name)


async def _record(call: Call, name: str) -> Record:
    async with call.context.database.begin() as connection:
        return await query.record_of(connection, name, call.principal, call.today)


async def _open_version(call: Call, name: str, version_id: int | None) -> tuple[Record, Version]:
    """Return a version whose headers the caller may read."""
    async with call.context.database.begin() as connection:
        record = await query.record_of(connection, name, call.principal, call.today)
        query.check_headers(record)
        return record, await query.version_of(connection, record, version_id)


def _wants_text(request: Request, form: str | None) -> bool:
    return form == "text" if form else request.headers.get("accept", "").startswith("text/plain")


def _version_json(record: Record, version: Version) -> dict[str, Any]:
    same = ("file_size", "data_size", "file_md5", "data_md5", "file_sha256", "data_sha256")
    return {
        "id": version.id,
        "number": record.number_of(version.id),
        "root": record.roots[version.location.root_id].name,
        "path": version.location.path,
        "filename": version.location.filename,
        "container": str(version.container),
        "present": version.present,
        "canonical": version.canonical,
        "origin": version.origin,
        "previous": version.previous_id,
        **{name: getattr(version, name) for name in same},
        "file_crc64nvme": f"{version.file_crc:016x}",
        "data_crc64nvme": f"{version.data_crc:016x}",
        "lastmod": plain(version.lastmod),
        "entrytime": plain(version.entrytime),
    }


def _hdu_json(version: Version, index: int, raw: bytes) -> dict[str, Any]:
    one = version.hdus[index]
    cards = [_card_json(card) for card in Header(raw).cards]
    return {"index": index, "kind": one.kind, "name": one.name, "extver": one.version, "cards": cards}


def _card_json(card: Card) -> dict[str, Any]:
    value: Any = card.value
    if isinstance(value, complex):
        value = [value.real, value.imag]
    return {
        "keyword": card.keyword,
        "value": value,
        "comment": card.comment,
        "card": printable(card.raw).decode("ascii"),
    }


def _text_of(raw: bytes) -> str:
    """Return the physical cards of a header as lines of 80 characters, END included."""
    cards = [printable(one).decode("ascii") for one in split_cards(body_of(raw))]
    return "".join(f"{card}\n" for card in (*cards, "END".ljust(80)))


def _shown(card: str) -> str:
    return printable(card.encode("latin-1")).decode("ascii")
