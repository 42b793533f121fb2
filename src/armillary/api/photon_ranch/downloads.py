"""Addresses of single objects, converted if wanted, and of zips of many."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from armillary.api.http.calls import Call, Ctx
from armillary.api.http.zips import serve_zip
from armillary.api.photon_ranch.dates import read_date
from armillary.api.photon_ranch.images import addresses_for, asker_of
from armillary.api.photon_ranch.parameters import Asked, Parameters
from armillary.api.photon_ranch.replies import Refused, as_json, raw
from armillary.api.photon_ranch.rights import anybody, in_parameters, reads
from armillary.api.photon_ranch.uploads import directory_of, object_name, site_of
from armillary.api.photon_ranch.urls import LIFE_S, SHORT_LIFE_S, base_of
from armillary.archive.images import service as images
from armillary.archive.images.service import FitsSize
from armillary.archive.products import service as products
from armillary.base.signing import is_signed, sign, signing_key

router = APIRouter()
PLAIN = frozenset({"", "fits", "fits.fz", "fz"})
TIFF = frozenset({"tif", "tiff"})
BUILD_S = 25.0
"""Seconds that the answer waits for a conversion; the address that it gives waits for the rest."""
ZIP = "zip"
ZIP_S = 300
"""Seconds in which the transfer of a zip has to begin."""


@router.post("/download", dependencies=reads(site_of), include_in_schema=False)
async def download(request: Request, ctx: Ctx, asked: Asked) -> Response:
    """Return the address of an object: as it is, as plain FITS, or as a TIFF picture."""
    directory, name = directory_of(asked), object_name(asked)
    kind = asked.text("image_type", default="fits").lower().lstrip(".")
    stretch = asked.text("stretch", default="arcsinh").lower()
    if kind in TIFF and stretch not in products.STRETCHES:
        raise Refused(f"Field stretch should be one of {', '.join(products.STRETCHES)}.")
    key = f"{directory}/{name}"
    async with ctx.context.database.begin() as connection:
        found = await images.find_object(connection, key, ctx.principal, now=ctx.context.clock.now())
        addresses = await addresses_for(request, ctx, connection)
    if found is None:
        raise Refused(f"The object {key} does not exist.", HTTPStatus.NOT_FOUND)
    form, life_s = _form(kind, stretch, found.key), LIFE_S if kind in PLAIN | TIFF else SHORT_LIFE_S
    if form in products.OF_KIND:
        await _build(ctx, form, found.version_id)
    return raw(addresses.of_object(found.key, form=form, life_s=life_s))


def _form(kind: str, stretch: str, key: str) -> str:
    """Return what an object is to be converted to: a kind of product, the name of its unpacked form, nothing."""
    filename = key.rpartition("/")[2]
    if kind in TIFF:
        return products.tif_of(stretch)
    if kind not in PLAIN:
        return ""
    if filename.endswith(".fz"):
        return products.UNPACKED
    plain = filename.removesuffix(".bz2").removesuffix(".gz")
    return plain if plain != filename else ""


async def _build(call: Call, kind: str, version_id: int) -> None:
    """See that a conversion is made, and wait a while for it."""
    made = await products.awaited(call.context, kind, version_id, timeout_s=BUILD_S)
    if made is not None and made.reason is not None:
        raise Refused(f"The object cannot be converted: {made.reason}", HTTPStatus.UNPROCESSABLE_ENTITY)


@router.post("/downloadzip", dependencies=reads(in_parameters("site")))
async def download_zip(request: Request, ctx: Ctx, asked: Asked) -> Response:
    """Freeze a selection of images of a site and return the address of their zip."""
    start, end = _instant(asked, "start_timestamp_s"), _instant(asked, "end_timestamp_s")
    site, size = asked.text("site"), asked.text("fits_size", default="best").lower()
    if size not in ("small", "large", "best"):
        raise Refused("Field fits_size should be small, large or best.")
    now = ctx.context.clock.now()
    async with ctx.context.database.begin() as connection:
        keys = await images.keys_between(connection, asker_of(ctx), site, start, end, cast(FitsSize, size))
        if not keys:
            raise Refused("No images exist for the given query.", HTTPStatus.NOT_FOUND)
        frozen = await images.freeze(
            connection,
            keys,
            filename=f"{site}-{int(now.timestamp())}.zip",
            now=now,
            most=ctx.context.settings.photon_ranch.most_zip,
        )
        secret = await signing_key(connection, "urls")
    expires = str(int(now.timestamp()) + ZIP_S)
    signature = sign(secret, ZIP, str(frozen.id), expires)
    marked = ctx.context.settings.photon_ranch.zip_mark
    query = f"expires={expires}&signature={signature}" + (f"&origin={marked}" if marked else "")
    url = f"{base_of(request, ctx.context)}/zips/{frozen.id}?{query}"
    return as_json({"message": url})


def _instant(asked: Parameters, name: str) -> datetime:
    given = asked.given(name)
    if given in (None, ""):
        raise Refused(f"Missing required field: {name}")
    if (found := read_date(given)) is None:
        raise Refused(f"Field {name} should be unix seconds, or a UTC date.")
    # Deployed clients send fractions that their predecessor cut off.
    return found.replace(microsecond=0) if isinstance(given, int | float) else found


@router.api_route("/zips/{id}", methods=["GET", "HEAD"], dependencies=anybody(), include_in_schema=False)
async def fetch_zip(
    request: Request,
    ctx: Ctx,
    id: UUID,
    expires: Annotated[str, Query(max_length=20)] = "",
    signature: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Send the zip of a frozen selection; ranges are understood, and its length is known."""
    now = ctx.context.clock.now()
    async with ctx.context.database.begin() as connection:
        secret = await signing_key(connection, "urls")
        good = is_signed(secret, signature, ZIP, str(id), expires) and int(expires) >= now.timestamp()
        if not good:
            raise Refused("The address is not valid, or not any more; ask again.", HTTPStatus.FORBIDDEN)
        frozen = await images.frozen(connection, id, now=now)
        versions = await images.zip_versions(connection, frozen)
    members, ids = images.members_of(frozen)
    return await serve_zip(request, ctx, frozen.filename, members, [versions.get(one or 0) for one in ids])
