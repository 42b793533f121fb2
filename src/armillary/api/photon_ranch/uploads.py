"""Slots for uploads, the endpoint that they lead to, and the log of what came."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response

from armillary.access.models import Scope
from armillary.api.http.calls import Call, Ctx
from armillary.api.http.forms import BadForm, read_form
from armillary.api.photon_ranch.parameters import Asked, Parameters
from armillary.api.photon_ranch.replies import Refused, as_json, nothing
from armillary.api.photon_ranch.rights import anybody, in_parameters, needs, reads
from armillary.api.photon_ranch.urls import base_of
from armillary.archive.errors import BadFileName
from armillary.archive.images import service as images
from armillary.archive.images.service import Directory, ImageName, Slot, read_slot, write_slot
from armillary.base.signing import signing_key
from armillary.base.text import storable

router = APIRouter()
NO_DIRECTORY = "s3_directory must be either 'data', 'info-images', or 'allsky'."
NO_SITE = "Please be sure to include the sitecode query parameter."
CHANNELS = (1, 2, 3)


def site_of(_: Request, parameters: Parameters) -> str | None:
    """Return the site that the name of an object begins with."""
    name = parameters.given("object_name", "filename")
    return images.site_of(name) if isinstance(name, str) else None


@router.post("/upload", dependencies=needs(Scope.UPLOAD, site_of))
async def upload(request: Request, ctx: Ctx, asked: Asked) -> Response:
    """Give a slot for a file: the address to post it to, and the fields of the form to post it with."""
    directory, name = directory_of(asked), object_name(asked)
    channel = _channel(asked) if directory is Directory.INFO else 0
    settings, now = ctx.context.settings, ctx.context.clock.now()
    slot = Slot(
        f"{directory}/{name}",
        now + timedelta(seconds=settings.photon_ranch.slot_s),
        settings.archive.max_upload,
        ctx.principal.name,
    )
    async with ctx.context.database.begin() as connection:
        secret = await signing_key(connection, "urls")
        if channel:
            site, base = images.site_of(name), images.info_base(name)
            await images.reserve_slot(connection, site=site, channel=channel, base=base, now=now)
        await _put_header(ctx, connection, directory, name, asked.given("header_data"))
    url = f"{base_of(request, ctx.context)}/upload-slot"
    return as_json({"url": url, "fields": write_slot(secret, slot)})


def directory_of(asked: Parameters) -> Directory:
    """Return the directory that is asked about.

    Raises
    ------
    Refused
        If it is none that files are sent to.
    """
    try:
        return Directory(asked.values.get("s3_directory", Directory.DATA))
    except ValueError:
        raise Refused(NO_DIRECTORY, HTTPStatus.FORBIDDEN) from None


def object_name(asked: Parameters) -> str:
    """Return the name of the object that is asked about.

    Raises
    ------
    Refused
        If it is missing, or no name that an object could have.
    """
    name = asked.text("object_name", "filename")
    try:
        images.check_object(name)
    except BadFileName as error:
        raise Refused(f"object_name: {error.message}") from None
    return name


def _channel(asked: Parameters) -> int:
    given = asked.given("info_channel")
    text = "1" if given is None else str(given).strip()
    if isinstance(given, bool) or text not in map(str, CHANNELS):
        raise Refused(
            f"Value for info_channel must be either 1, 2, or 3. Received {given} instead.",
            HTTPStatus.FORBIDDEN,
        )
    return int(text)


async def _put_header(call: Call, connection: Any, directory: Directory, name: str, header: Any) -> None:
    """Fill the row of an image at once from a header that comes with the request for a slot."""
    parts: ImageName | None = images.parse_name(name)
    if not isinstance(header, dict) or parts is None or directory is Directory.INFO:
        return
    now, read = call.context.clock.now(), images.read_mapping(header)
    await images.put_header(
        connection,
        parts,
        read,
        images.columns_of(read.values),
        directory=directory,
        source="request",
        now=now,
        expires=images.RETENTION.expires(parts.site, parts.kind, now),
    )


@router.post("/upload-slot", dependencies=anybody())
async def receive(request: Request, ctx: Ctx) -> Response:
    """Take the file of a slot; 204 once its bytes and the work that they need are durable."""
    now = ctx.context.clock.now()
    async with ctx.context.database.begin() as connection:
        secret = await signing_key(connection, "urls")
    form = await read_form(request.headers.get("content-type", ""), _body(request))
    slot = read_slot(secret, form.fields, now)
    directory, _, name = slot.key.partition("/")
    declared = form.fields.get("x-armillary-sha256")
    chunks = _checked(form.file, declared) if declared else form.file
    await images.receive(
        ctx.context, chunks, directory=Directory(directory), name=name, size=None, actor=slot.actor
    )
    return nothing()


async def _body(request: Request) -> AsyncGenerator[bytes, None]:
    async for chunk in request.stream():
        yield chunk


async def _checked(chunks: AsyncIterator[bytes], declared: str) -> AsyncIterator[bytes]:
    summed = hashlib.sha256()
    async for chunk in chunks:
        summed.update(chunk)
        yield chunk
    if summed.hexdigest() != declared.strip().lower():
        raise BadForm("x-armillary-sha256 is not the digest of the bytes that came; send the file again.")


@router.get("/recentuploads", dependencies=reads(in_parameters("site")))
async def recent_uploads(ctx: Ctx, asked: Asked) -> Response:
    """List what came from a site, or from `all`, in the last two days, oldest first."""
    site = asked.given("site")
    if not isinstance(site, str) or not site or not storable(site):
        raise Refused(NO_SITE, HTTPStatus.NOT_FOUND)
    async with ctx.context.database.begin() as connection:
        asker = images.Asker(ctx.principal, ctx.context.clock.now())
        rows = await images.arrivals(connection, asker, None if site == "all" else site)
    return as_json(
        [
            {
                "site": row.site,
                "upload_timestamp_s": int(row.arrived.timestamp()),
                "expire_timestamp_s": int(row.expires.timestamp()),
                "filename": row.filename,
                "size_bytes": row.size_bytes,
            }
            for row in rows
        ]
    )
