"""Images as tiles of numbers, for viewers that zoom and stretch."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from armillary.api.http.answers import Answer, Documented, answered, answers, sends
from armillary.api.http.calls import Call, Ctx
from armillary.api.http.conditional import not_modified
from armillary.api.native.routing import anybody, failures
from armillary.archive.catalog.models import Version
from armillary.archive.download.service import version_to_serve
from armillary.archive.errors import (
    BeingChanged,
    FileAmbiguous,
    FileEmbargoed,
    FileNotFound,
    NoImage,
    PictureFailed,
    PictureTooLarge,
    PictureTooSlow,
    TileNotFound,
    TilesPending,
    TilesSuperseded,
)
from armillary.archive.products import service as products
from armillary.archive.products.service import ImageDetails, ServedTile, SkyGrid, TileIndex
from armillary.fits.container_errors import DamagedContainer, DamagedImage, UnpackedTooLarge
from armillary.fits.errors import TruncatedFile

router = APIRouter()
FILE = (FileNotFound, FileAmbiguous, FileEmbargoed)
CHILD = (PictureTooLarge, PictureTooSlow, PictureFailed)
TILE = (
    TileNotFound,
    TilesPending,
    BeingChanged,
    *CHILD,
    TruncatedFile,
    DamagedImage,
    DamagedContainer,
    UnpackedTooLarge,
)
OCTETS = "application/octet-stream"
LEVEL = 1
"""Of compression: pixels are mostly noise, and somebody waits."""
YEAR_S = 86_400 * 365
NEVER = datetime.fromtimestamp(0, UTC)
"""Tiles have no time of change."""
_IMAGE: dict[str, Any] = {
    "hdu": 1,
    "name": "SCI",
    "extver": 1,
    "width": 16384,
    "height": 16384,
    "planes": 1,
    "finest": 0,
    "coarsest": 6,
    "ready": True,
    "reason": None,
}
_DATA = "0f3b1c2d4e5f60718293a4b5"
Hdu = Annotated[int, Path(ge=0, lt=1 << 31)]
Number = Annotated[int, Path(ge=0, lt=1 << 31)]


@router.get(
    "/v1/files/{name:path}/tiles",
    dependencies=anybody,
    responses=answers(
        TileIndex,
        {
            "name": "N20260101S0001.fits",
            "data": _DATA,
            "tile_px": 256,
            "ready": True,
            "pending": False,
            "reason": None,
            "images": [_IMAGE],
        },
    )
    | failures(*FILE, NoImage),
)
async def tile_index(ctx: Ctx, name: str) -> JSONResponse:
    """List the images of a file that can be viewed in tiles, and whether the tiles are there.

    Those of large images are prepared in the background; whoever asks before gets `ready: false`, with the reason.
    """
    version = await _version(ctx, name)
    return answered(await products.tile_index(ctx.context, version), headers={"Cache-Control": "no-store"})


@router.get(
    "/v1/files/{name:path}/tiles/{hdu}",
    dependencies=anybody,
    responses=answers(
        ImageDetails,
        {
            "image": _IMAGE,
            "unit": "adu",
            "statistics": {
                "low": -3.5,
                "high": 65535.0,
                "undefined": 0,
                "sample": 1048576,
                "percentiles": [948.6, 953.5, 967.2, 986.6, 1000.1, 1013.7, 1033.5, 1049.3, 1057.5],
                "zscale": [937.5, 1117.5],
                "histogram": {"low": 948.6, "high": 1057.5, "counts": [3, 9, 4]},
            },
        },
    )
    | failures(*FILE, *TILE),
)
async def tile_image(ctx: Ctx, name: str, hdu: Hdu) -> JSONResponse:
    """Tell of an image what a viewer needs to choose black and white.

    The percentiles are those of 0.5, 1, 5, 25, 50, 75, 95, 99 and 99.5 percent.
    """
    version = await _version(ctx, name)
    return answered(
        await products.tile_image(ctx.context, version, hdu), headers={"Cache-Control": "no-store"}
    )


class ImageSky(Answer):
    """Where the sky is in an image; null if its header does not tell, or not of the sky."""

    sky: SkyGrid | None


@router.get(
    "/v1/files/{name:path}/tiles/{hdu}/sky",
    dependencies=anybody,
    responses=answers(
        ImageSky,
        {
            "sky": {
                "frame": "ICRS",
                "x": [0.5, 16384.5],
                "y": [0.5, 16384.5],
                "ra": [[150.53, 149.47], [150.54, 149.46]],
                "dec": [[19.5, 19.5], [20.5, 20.5]],
                "error_px": 0.01,
            },
        },
    )
    | failures(*FILE, TileNotFound, *CHILD),
)
async def tile_sky(ctx: Ctx, name: str, hdu: Hdu) -> JSONResponse:
    """Tell where the sky is in an image, by its header as it is now: the positions of a grid of pixels."""
    version = await _version(ctx, name)
    return answered(
        ImageSky(sky=await products.tile_sky(ctx.context, version, hdu)),
        headers={"Cache-Control": "no-store"},
    )


def _tile_documented() -> Documented:
    whole = sends(OCTETS, binary=True)
    described = {
        "Armillary-Tile": "Type, width and height: `uint8`, `int16`, `uint16`, `int32`, `float32` or `float64`",
        "Armillary-Scale": "A value is zero + scale * number",
        "Armillary-Zero": "A value is zero + scale * number",
        "Armillary-Blank": "The number that stands for no value, if one does",
    }
    headers = {key: {"description": text, "schema": {"type": "string"}} for key, text in described.items()}
    return (
        {200: {**whole[200], "headers": headers}}
        | {
            304: {"description": "The client has it"},
        }
        | failures(*FILE, *TILE, TilesSuperseded)
    )


@router.get(
    "/v1/files/{name:path}/tiles/{hdu}/{level}/{column}/{row}",
    dependencies=anybody,
    response_class=Response,
    responses=_tile_documented(),
)
async def tile(
    request: Request,
    ctx: Ctx,
    name: str,
    hdu: Hdu,
    level: Annotated[int, Path(ge=0, le=62)],
    column: Number,
    row: Number,
    data: Annotated[str | None, Query(max_length=40)] = None,
) -> Response:
    """Send a tile of an image: numbers row by row, little-endian, the first pixel of the image first.

    No bytes come where no pixel of the tile has a value.

    With `data`, the word of the index for the pixels of the file, the answer holds for ever and may be kept.
    """
    version = await _version(ctx, name)
    known = products.data_word(version)
    if data is not None and data != known:
        raise TilesSuperseded
    etag = f'W/"{known}-{hdu}-{level}-{column}-{row}"'
    kept = f"private, max-age={YEAR_S}, immutable" if data else "private, no-cache"
    headers = {"ETag": etag, "Cache-Control": kept, "Vary": "Accept-Encoding, Authorization, Cookie"}
    asked = request.headers.get("if-none-match")
    if asked is not None and not_modified(etag, NEVER, if_none_match=asked, if_modified_since=None):
        return Response(status_code=304, headers=headers)
    found = await products.tile(ctx.context, version, hdu, level, column, row)
    packed = "gzip" in request.headers.get("accept-encoding", "")
    return await asyncio.to_thread(_sent, found, headers, packed=packed)


def _sent(tile: ServedTile, headers: dict[str, str], *, packed: bool) -> Response:
    headers |= {
        "Armillary-Tile": f"{tile.kind} {tile.width} {tile.height}",
        "Armillary-Scale": repr(tile.scale),
        "Armillary-Zero": repr(tile.zero),
    }
    if tile.blank is not None:
        headers["Armillary-Blank"] = str(tile.blank)
    content = tile.content
    packed = packed and bool(content)
    if packed and not tile.compressed:
        content = gzip.compress(content, LEVEL, mtime=0)
    elif content and tile.compressed and not packed:
        content = zlib.decompress(content, 31)
    if packed:
        headers["Content-Encoding"] = "gzip"
    return Response(content, media_type=OCTETS, headers=headers)


async def _version(call: Call, name: str) -> Version:
    async with call.context.database.begin() as connection:
        served = await version_to_serve(connection, name, call.principal, now=call.context.clock.now())
    return served.version
