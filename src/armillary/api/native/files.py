"""One file: what is known of it, its versions and headers, what differs between them, its bytes."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from msgspec import Meta

from armillary.api.http.answers import Answer, Documented, answered, answers, sends
from armillary.api.http.bytes import serve_bytes
from armillary.api.http.calls import Call, Ctx
from armillary.api.native.routing import anybody, failures
from armillary.archive.catalog.models import Version
from armillary.archive.download.service import BZIP2_TYPE, GZIP_TYPE, MEDIA_TYPES
from armillary.archive.errors import (
    BeingChanged,
    FileAmbiguous,
    FileEmbargoed,
    FileNotFound,
    NoPreview,
)
from armillary.archive.products import service as products
from armillary.archive.query import service as query
from armillary.archive.query.service import KnownFrame, Record
from armillary.base.clock import Instant
from armillary.errors import BadRequest
from armillary.fits.containers import Container
from armillary.headers import service as headers

router = APIRouter()
whole = APIRouter()
"""What a path means that ends with the name of a file: to be asked after all that is below a file."""
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
_FRAME: dict[str, Any] = {
    **dict.fromkeys(KnownFrame.__required_keys__),
    "instrument": "GMOS-N",
    "exposure_s": 30.0,
    "qa_state": "Pass",
}
_ALL = sends(*MEDIA_TYPES, BZIP2_TYPE, GZIP_TYPE, binary=True)
_BYTES: Documented = {
    **_ALL,
    206: {**_ALL[200], "description": "A range of them"},
    304: {"description": "The client has them"},
    416: {"description": "There is no such range"},
}
if TYPE_CHECKING:
    _Frame = dict[str, Any]
else:
    _Frame = KnownFrame


class ToldVersion(Answer):
    """One byte state of a file at one path; digests are null until they are known."""

    id: int
    number: Annotated[int, Meta(description="Its place in the history of the file; the first is 1.")]
    root: str
    path: str
    filename: str
    container: Container
    present: bool
    canonical: bool
    origin: str
    previous: int | None
    file_size: Annotated[int, Meta(description="Bytes as stored.")]
    data_size: Annotated[int, Meta(description="Bytes uncompressed.")]
    file_md5: str | None
    data_md5: str | None
    file_sha256: str | None
    data_sha256: str | None
    file_crc64nvme: str
    data_crc64nvme: str
    lastmod: Instant
    entrytime: Instant


class ToldHdu(Answer):
    """One HDU of a version; sizes in bytes."""

    index: int
    kind: str
    name: str
    extver: int
    header_size: int
    data_size: int
    data_crc64nvme: str


class WholeVersion(ToldVersion):
    """A version with its HDUs."""

    hdus: list[ToldHdu]


class PresentAt(Answer):
    """Where the bytes of a version are."""

    root: str
    path: str
    filename: str
    version: int


class ToldFile(Answer):
    """What is known of a file: its canonical version, where it is present, its frame."""

    name: str
    version: WholeVersion
    versions: Annotated[int, Meta(description="How many there are.")]
    present: list[PresentAt]
    visible: Annotated[bool, Meta(description="Whether the caller may have the pixels.")]
    frame: _Frame | None
    warnings: list[str]
    waiting_header: Annotated[bool, Meta(description="Whether it is a raw image that has no header yet.")]


class Versions(Answer):
    """A page of the versions of a file, newest first."""

    name: str
    versions: list[ToldVersion]
    cursor: Annotated[int | None, Meta(description="What leads to the older ones; null on the last page.")]


@router.get(
    "/v1/files/{name:path}/versions",
    dependencies=anybody,
    responses=answers(Versions, {"name": "N20260101S0001.fits", "versions": [_VERSION], "cursor": None})
    | failures(FileNotFound, FileAmbiguous),
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
    shown = [ToldVersion(**_values(record, one)) for one in found]
    return answered(Versions(name=record.version.name, versions=shown, cursor=more))


@router.head("/v1/files/{name:path}/content", dependencies=anybody, include_in_schema=False)
@router.get(
    "/v1/files/{name:path}/content",
    dependencies=anybody,
    response_class=Response,
    responses=_BYTES | failures(FileNotFound, FileAmbiguous, FileEmbargoed, BeingChanged, BadRequest),
)
async def content(request: Request, ctx: Ctx, name: str) -> Response:
    """Send the bytes of a file, as `/file` does: bzip2 if the name ends so, else uncompressed FITS."""
    return await serve_bytes(request, ctx, name)


@whole.get(
    "/v1/files/{name:path}",
    dependencies=anybody,
    responses=answers(
        ToldFile,
        {
            "name": "N20260101S0001.fits",
            "version": {**_VERSION, "hdus": []},
            "versions": 2,
            "present": [
                {"root": "store", "path": "20260101", "filename": "N20260101S0001.fits", "version": 12}
            ],
            "visible": True,
            "frame": _FRAME,
            "warnings": [],
            "waiting_header": False,
        },
    )
    | failures(FileNotFound, FileAmbiguous),
)
async def file(ctx: Ctx, name: str) -> JSONResponse:
    """Tell what is known of a file: its canonical version with digests, where it is present, its frame.

    Of a frame whose coordinates are proprietary, what tells the position is null for others.
    """
    try:
        record = await _record(ctx, name)
    except FileNotFound:
        await _nothing_below(ctx, name)
        raise
    version = record.version
    async with ctx.context.database.begin() as connection:
        merged = await headers.merged(connection, version.file_id)
    hdus = [
        ToldHdu(
            index=index,
            kind=one.kind,
            name=one.name,
            extver=one.version,
            header_size=one.header_size,
            data_size=one.data_size,
            data_crc64nvme=f"{one.data_crc:016x}",
        )
        for index, one in enumerate(version.hdus)
    ]
    present = [
        PresentAt(
            root=record.roots[one.location.root_id].name,
            path=one.location.path,
            filename=one.location.filename,
            version=one.id,
        )
        for one in record.present
    ]
    return answered(
        ToldFile(
            name=version.name,
            version=WholeVersion(**_values(record, version), hdus=hdus),
            versions=len(record.ids),
            present=present,
            visible=record.visible,
            frame=record.frame,
            warnings=record.warnings,
            waiting_header=merged is not None and merged.revision is None,
        )
    )


async def _record(call: Call, name: str) -> Record:
    async with call.context.database.begin() as connection:
        return await query.record_of(connection, name, call.principal, call.today)


async def _nothing_below(call: Call, name: str) -> None:
    """Refuse the name of a picture that is none, if what comes before it is a file.

    Raises
    ------
    NoPreview
        If so.
    """
    file, joint, kind = name.rpartition("/")
    if joint:
        with suppress(FileNotFound):
            await _record(call, file)
            raise NoPreview(f"There is no '{kind}'; ask for {' or '.join(products.OF_KIND)}.")


def _values(record: Record, version: Version) -> dict[str, Any]:
    """Return what is told of a version, by name."""
    same = ("file_size", "data_size", "file_md5", "data_md5", "file_sha256", "data_sha256")
    return {
        "id": version.id,
        "number": record.number_of(version.id),
        "root": record.roots[version.location.root_id].name,
        "path": version.location.path,
        "filename": version.location.filename,
        "container": Container(version.container),
        "present": version.present,
        "canonical": version.canonical,
        "origin": version.origin,
        "previous": version.previous_id,
        **{name: getattr(version, name) for name in same},
        "file_crc64nvme": f"{version.file_crc:016x}",
        "data_crc64nvme": f"{version.data_crc:016x}",
        "lastmod": version.lastmod,
        "entrytime": version.entrytime,
    }
