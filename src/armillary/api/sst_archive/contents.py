"""What there is of one cube: headers, file, pictures and movie, and what was derived from its extensions."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.api.http.bytes import serve_found
from armillary.api.http.calls import Call, Ctx
from armillary.api.http.conditional import http_date, not_modified
from armillary.api.http.products import serve_product
from armillary.api.sst_archive.data_cubes import CUBE, anybody, cube_of
from armillary.api.sst_archive.documents import DERIVED, PICTURES
from armillary.api.sst_archive.errors import BadFields
from armillary.api.sst_archive.headers import FORMS, header_as
from armillary.archive.cubes import service as cubes
from armillary.archive.cubes.service import DerivedKind, ShownCube
from armillary.archive.download.service import Served, serve_version
from armillary.errors import NotFound

router = APIRouter()
Handler = TypeVar("Handler", bound=Callable[..., Any])
_SEALED = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}
"""Of pictures that browsers could take for pages."""


def _both(below: str) -> Callable[[Handler], Handler]:
    """Declare a route below a cube for GET and HEAD."""

    def declare(handler: Handler) -> Handler:
        router.head(f"{CUBE}{below}", dependencies=anybody, include_in_schema=False)(handler)
        return router.get(f"{CUBE}{below}", dependencies=anybody)(handler)

    return declare


class NothingDerived(NotFound):
    """The cube has no such data: its file has no extension that they could come from."""

    code = "nothing_derived"


class NoSuchHdu(NotFound):
    """The file has no such HDU."""

    code = "no_such_hdu"


@_both("/header")
async def header(ctx: Ctx, number: str, hdu: str = "", format: str = "") -> Response:
    """Return the header of an HDU, the primary one unless told: its exact bytes, as lines, or as JSON."""
    shown = await cube_of(ctx, number)
    shown.check_headers()
    index = _hdu(shown, hdu)
    if (form := format or "text") not in FORMS:
        raise BadFields.of("format", f"There is no form '{format[:100]}'; there are {', '.join(FORMS)}.")
    media_type, content = await asyncio.to_thread(header_as, form, shown.version, index)
    return Response(content, media_type=media_type, headers={"Cache-Control": "no-store"})


def _hdu(shown: ShownCube, text: str) -> int:
    if text and not (text.isascii() and text.isdecimal()):
        raise BadFields.of("hdu", "This has to be the number of an HDU; the primary one is 0.")
    count = len(shown.version.hdus)
    if len(text) > 9 or int(text or 0) >= count:
        raise NoSuchHdu(f"The file has no HDU {text[:20]}; it has 0 to {count - 1}.")
    return int(text or 0)


@_both("/download")
async def download(request: Request, ctx: Ctx, number: str) -> Response:
    """Send the file as it is stored, with ranges, a strong entity tag and digests."""
    shown = await cube_of(ctx, number)
    file_id, name = shown.cube.file_id, shown.cube.location.filename

    async def find(connection: AsyncConnection) -> Served:
        return await serve_version(connection, file_id, ctx.principal, now=ctx.context.clock.now())

    shown.check_readable()
    return await serve_found(request, ctx, name, find)


async def _picture(request: Request, ctx: Call, number: str, name: str) -> Response:
    shown = await cube_of(ctx, number)
    shown.check_readable()
    return await serve_product(request, ctx, shown.version, PICTURES[name])


@_both("/preview")
async def preview(request: Request, ctx: Ctx, number: str) -> Response:
    """Return the full-size picture: JPEG."""
    return await _picture(request, ctx, number, "preview")


@_both("/thumbnail")
async def thumbnail(request: Request, ctx: Ctx, number: str) -> Response:
    """Return the thumbnail: PNG."""
    return await _picture(request, ctx, number, "thumbnail")


@_both("/video")
async def video(request: Request, ctx: Ctx, number: str) -> Response:
    """Return the movie: WebM."""
    return await _picture(request, ctx, number, "video")


@_both("/r0")
async def seeing(request: Request, ctx: Ctx, number: str) -> Response:
    """Return the seeing while the cube was taken."""
    return await _derived(request, ctx, number, DERIVED["r0"])


@_both("/spectral_line")
async def spectral_line(request: Request, ctx: Ctx, number: str, format: str = "") -> Response:
    """Return the profile of the spectral line: as JSON, or with `format=svg` as a small picture."""
    kinds = {
        "": DERIVED["spectral_line"],
        "json": DERIVED["spectral_line"],
        "svg": DerivedKind.SPECTRAL_LINE_SVG,
    }
    if format not in kinds:
        raise BadFields.of("format", f"There is no form '{format[:100]}'; there are json, svg.")
    return await _derived(request, ctx, number, kinds[format])


@_both("/wcs")
async def coverage(request: Request, ctx: Ctx, number: str) -> Response:
    """Return which part of the solar disk the cube shows, when, and at which wavelengths."""
    return await _derived(request, ctx, number, DERIVED["wcs"])


async def _derived(request: Request, ctx: Call, number: str, kind: DerivedKind) -> Response:
    shown = await cube_of(ctx, number)
    shown.check_readable()
    async with ctx.context.database.begin() as connection:
        found = await cubes.derived_of(connection, shown.cube.id, kind)
    if found is None:
        raise NothingDerived
    media_type, content, made = found
    etag = f'"{hashlib.sha256(content).hexdigest()}"'
    headers: Mapping[str, Any] = {
        "ETag": etag,
        "Last-Modified": http_date(made),
        "Cache-Control": "private, no-cache",
        **_SEALED,
    }
    known = request.headers
    same = not_modified(
        etag, made, if_none_match=known.get("if-none-match"), if_modified_since=known.get("if-modified-since")
    )
    if same:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(content, media_type=media_type, headers=headers)
