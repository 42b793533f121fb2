"""Questions about images: one by its name, the latest, those that fulfil conditions, information images."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.api.http.calls import Call, Ctx
from armillary.api.photon_ranch.dates import read_date
from armillary.api.photon_ranch.packages import as_strings, info_package, package
from armillary.api.photon_ranch.parameters import Asked, Parameters
from armillary.api.photon_ranch.replies import Refused, as_json, nothing
from armillary.api.photon_ranch.rights import in_parameters, in_path, reads
from armillary.api.photon_ranch.urls import Addresses, base_of
from armillary.archive.images import service as images
from armillary.archive.images.service import Asker, ImageCriteria
from armillary.base.database import AnyRow
from armillary.base.signing import signing_key
from armillary.base.text import storable
from armillary.sites import service as sites

router = APIRouter()
NEXT = "X-Armillary-Next-Cursor"


async def addresses_for(request: Request, call: Call, connection: AsyncConnection) -> Addresses:
    """Return what makes addresses in an answer."""
    secret = await signing_key(connection, "urls")
    return Addresses(base_of(request, call.context), secret, call.context.clock.now())


def asker_of(call: Call) -> Asker:
    """Return who asks about images, and when."""
    return Asker(call.principal, call.context.clock.now())


def _site(request: Request, _: Parameters) -> str:
    return images.site_of(request.path_params["base_filename"])


@router.get("/image/{base_filename}", dependencies=reads(_site))
async def image(request: Request, ctx: Ctx, asked: Asked, base_filename: str) -> Response:
    """Return the image of a base name that has a picture."""
    async with ctx.context.database.begin() as connection:
        found = await _by_base(connection, ctx, base_filename, pictured=True)
        addresses = await addresses_for(request, ctx, connection)
    if not found:
        raise Refused(f"No results found for {base_filename}", HTTPStatus.NOT_FOUND)
    return as_json(package(found[0], addresses, detail=asked.flag("detail")))


async def _by_base(connection: AsyncConnection, call: Call, base: str, *, pictured: bool) -> list[AnyRow]:
    if not storable(base):
        return []
    return await images.image_by_base(connection, asker_of(call), base, pictured=pictured)


@router.get("/fitsheader/{base_filename}", dependencies=reads(_site))
async def fits_header(ctx: Ctx, asked: Asked, base_filename: str) -> Response:
    """Return the header of an image, with all values as texts unless `typed=1`."""
    async with ctx.context.database.begin() as connection:
        found = await _by_base(connection, ctx, base_filename, pictured=False)
    if not found:
        text = f"No fits header found in the db for {base_filename}"
        raise Refused(text, HTTPStatus.NOT_FOUND)
    header = found[0].header or {}
    return as_json(header if asked.flag("typed") else as_strings(header))


@router.get("/{site}/latest_images/{count}", dependencies=reads(in_path("site")))
async def latest_images(request: Request, ctx: Ctx, asked: Asked, site: str, count: str) -> Response:
    """Return the newest images of a site, those of one user if one is named."""
    most = _count(count)
    user = asked.text("userid", default="")
    async with ctx.context.database.begin() as connection:
        rows = await images.latest(connection, asker_of(ctx), _storable(site, "site"), most, user_id=user)
        addresses = await addresses_for(request, ctx, connection)
    return as_json([package(row, addresses, detail=asked.flag("detail")) for row in rows])


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise Refused("The number of images should be an integer of at least 0.")
    return min(int(text[-18:]) if len(text) < 18 else images.MOST, images.MOST)


def _storable(text: str, name: str) -> str:
    if not storable(text):
        raise Refused(f"Field {name} holds characters that no name can have.")
    return text


@router.get("/latest_image_all_sites", dependencies=reads())
async def latest_image_all_sites(request: Request, ctx: Ctx) -> Response:
    """Return the address of the newest picture of every site that has a configuration, and a picture."""
    async with ctx.context.database.begin() as connection:
        names = await sites.site_names(connection)
        newest = await images.latest_of_each(connection, asker_of(ctx), names)
        addresses = await addresses_for(request, ctx, connection)
    return as_json({site: addresses.of_object(row.jpg_medium_key) for site, row in newest.items()})


@router.get("/filtered_images", dependencies=reads(in_parameters("site")))
async def filtered_images(request: Request, ctx: Ctx, asked: Asked) -> Response:
    """Return the images that fulfil all conditions, newest first, smart stacks by their last member.

    A list that is cut says where it goes on in `X-Armillary-Next-Cursor`, which `cursor=` takes.
    """
    most = ctx.context.settings.photon_ranch.most_images
    limit = min(asked.integer("limit", default=most, least=1), most)
    cursor = _cursor(asked)
    async with ctx.context.database.begin() as connection:
        page = await images.filtered(connection, asker_of(ctx), _criteria(asked), limit=limit, cursor=cursor)
        addresses = await addresses_for(request, ctx, connection)
    told = [package(row, addresses, detail=asked.flag("detail")) for row in page.rows]
    return as_json(told, headers={NEXT: page.cursor} if page.cursor else None)


def _cursor(asked: Parameters) -> str | None:
    given = asked.text("cursor", default="")
    if given and not images.is_cursor(given):
        raise Refused("Field cursor should be one that X-Armillary-Next-Cursor gave.")
    return given or None


def _criteria(asked: Parameters) -> ImageCriteria:
    return ImageCriteria(
        site=_text(asked, "site"),
        username=_text(asked, "username"),
        user_id=_text(asked, "user_id"),
        filter_used=_text(asked, "filter"),
        exposure_min_s=_number(asked, "exposure_time_min"),
        exposure_max_s=_number(asked, "exposure_time_max"),
        start=_date(asked, "start_date"),
        end=_date(asked, "end_date"),
        filename=_text(asked, "filename"),
    )


def _text(asked: Parameters, name: str) -> str | None:
    return asked.text(name) if asked.given(name) not in (None, "") else None


def _number(asked: Parameters, name: str) -> float | None:
    return asked.number(name) if asked.given(name) not in (None, "") else None


def _date(asked: Parameters, name: str) -> datetime | None:
    value = asked.given(name)
    if value in (None, ""):
        return None
    if (found := read_date(value)) is None:
        raise Refused(f"Field {name} should be a date: YYYY-MM-DD HH:MM:SS, or unix seconds.")
    return found


@router.get("/infoimage/{site}/{channel}", dependencies=reads(in_path("site")))
async def info_image(request: Request, ctx: Ctx, site: str, channel: str) -> Response:
    """Return what is in a slot of information images; nothing (204) if it is empty or expired."""
    if channel not in ("1", "2", "3") or not storable(site):
        return nothing()
    async with ctx.context.database.begin() as connection:
        row = await images.info(connection, asker_of(ctx), site, int(channel))
        addresses = await addresses_for(request, ctx, connection)
    return nothing() if row is None else as_json(info_package(row, channel, addresses))
