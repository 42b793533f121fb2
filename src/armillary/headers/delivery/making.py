"""Making a header of samples, with all that is stored and told of it: pure, for a thread beside the event loop."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import msgspec
import zstandard
from msgspec import Struct

from armillary.base.bus.models import Stored
from armillary.headers.delivery.judging import judged
from armillary.headers.delivery.models import (
    CardDifference,
    Format,
    HeaderCreated,
    HeaderObject,
    MissingValue,
)
from armillary.headers.delivery.store import Revision
from armillary.headers.exposures.models import Latest
from armillary.headers.recipes.models import Recipe, Template
from armillary.headers.render.fitsfile import fits_bytes
from armillary.headers.render.models import Exposure, Header
from armillary.headers.render.rendering import render
from armillary.headers.render.sidecar import read_sidecar, sidecar
from armillary.headers.render.yamlfile import correction, yaml_bytes
from armillary.sky.timescales import utc_from_tai

MEDIA_TYPES: Mapping[Format, str] = {
    "fits": "application/fits",
    "json": "application/json",
    "yaml": "application/yaml",
    "correction": "application/yaml",
}
EXTENSIONS: Mapping[Format, str] = {
    "fits": "fits",
    "json": "json",
    "yaml": "yaml",
    "correction": "correction.yaml",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Inputs(Struct, frozen=True):
    """What a header of one product is made of; ``image_id`` is the id under which its exposure is kept."""

    recipe: Recipe
    template: Template
    exposure: Exposure
    image_id: str
    answers: Sequence[Sequence[Stored]]
    created: int
    deadline: bool


class Made(Struct, frozen=True):
    """A header and its forms, with the revision that it is."""

    header: Header
    revision: Revision


def make(inputs: Inputs) -> Header:
    """Return the header of an exposure."""
    return render(
        inputs.recipe,
        inputs.template,
        inputs.exposure,
        inputs.answers,
        created=inputs.created,
        deadline=inputs.deadline,
    )


def revise(inputs: Inputs, latest: Latest | None) -> Made | None:
    """Return the next revision of a header, None if the latest one has the same content."""
    header = make(inputs)
    if latest is not None and latest.content_hash == header.content_hash:
        return None
    return pack(inputs, judged(header), latest)


def pack(inputs: Inputs, header: Header, latest: Latest | None) -> Made:
    """Return a header as the revision that follows the latest one."""
    number = latest.revision + 1 if latest else 1
    supersedes = latest.revision if latest else None
    packed = sidecar(header, revision=number, supersedes=supersedes)
    told = _announcement(inputs, header, number, supersedes, packed)
    formats: list[Format] = ["fits", "json", "yaml"]
    if latest is not None:
        formats.append("correction")
    revision = Revision(
        product=header.product,
        revision=number,
        day_obs=str(header.day_obs),
        content_hash=header.content_hash,
        inputs_hash=header.inputs_hash,
        complete=header.complete,
        announcement=msgspec.json.encode(told).decode(),
        difference="[]",
        sidecar=compress(packed),
        created=inputs.created,
        extensions=list(formats),
        keys=[key_of(told, one) for one in formats],
    )
    return Made(header, revision)


def _announcement(
    inputs: Inputs, header: Header, number: int, supersedes: int | None, packed: bytes
) -> HeaderCreated:
    forms: dict[Format, bytes] = {"fits": fits_bytes(header), "json": packed}
    where = (inputs.recipe.instrument, inputs.image_id, header.product, number)
    return HeaderCreated(
        instrument=inputs.recipe.instrument,
        image_id=inputs.image_id,
        day_obs=str(header.day_obs),
        seq_num=header.seq_num,
        product=header.product,
        revision=number,
        supersedes=supersedes,
        content_hash=header.content_hash,
        complete=header.complete,
        science_complete=header.science_complete,
        simulated=header.simulated,
        missing=[MissingValue(one.key, str(one.reason)) for one in header.missing],
        objects=[object_of(url_of(*where, form), form, body) for form, body in forms.items()],
        config_rev=header.config_rev,
        template_rev=header.template_rev,
        created=utc_of(inputs.created),
    )


def url_of(instrument: str, image_id: str, product: str, revision: int, form: Format) -> str:
    """Return the address of one form of a revision."""
    image = f"/v1/headers/{quote(instrument)}/{quote(image_id)}"
    return f"{image}?rev={revision}&product={quote(product)}&format={form}"


def key_of(told: HeaderCreated, form: Format) -> str:
    """Return where one form of a revision lies in the annex."""
    image = quote(told.image_id, safe="")
    folder = f"{told.instrument}/header/{told.day_obs}/{image}"
    return f"{folder}/{image}.{told.product}.r{told.revision}.{EXTENSIONS[form]}"


def object_of(url: str, form: Format, body: bytes) -> HeaderObject:
    """Return what is told of one form of a header."""
    return HeaderObject(url, MEDIA_TYPES[form], len(body), hashlib.sha256(body).hexdigest())


def utc_of(tai: int) -> datetime:
    """Return an instant of TAI ns as UTC, to the microsecond."""
    return utc_from_tai(_EPOCH + timedelta(microseconds=tai // 1000))


def compress(packed: bytes) -> bytes:
    """Return a side-car as the database keeps it."""
    return zstandard.ZstdCompressor(level=1).compress(packed)


def decompress(kept: bytes) -> bytes:
    """Return a side-car that was kept."""
    return zstandard.ZstdDecompressor().decompress(kept)


def difference(old: Header, new: Header) -> list[CardDifference]:
    """Return what differs between two headers, card by card, without what is new with each revision."""
    before, after = _values(old), _values(new)
    return [
        CardDifference(*place, before.get(place), after.get(place))
        for place in dict.fromkeys((*before, *after))
        if before.get(place) != after.get(place)
    ]


def _values(header: Header) -> dict[tuple[str, str], Any]:
    return {(hdu.name, card.key): card.value for hdu in header.hdus for card in hdu.cards}


def bytes_of(header: Header, form: Format, packed: bytes) -> bytes:
    """Return one form of a header, whose side-car is ``packed``."""
    match form:
        case "json":
            return packed
        case "yaml":
            return yaml_bytes(header)
    return fits_bytes(header)


def form_of(form: Format, kept: bytes, first: bytes | None) -> tuple[bytes, str]:
    """Return one form of a revision, and its SHA-256, from the side-cars of it and of the first revision."""
    packed = decompress(kept)
    if first is not None:
        body = correction(read_sidecar(packed), read_sidecar(decompress(first)))
    else:
        body = packed if form == "json" else bytes_of(read_sidecar(packed), form, packed)
    return body, hashlib.sha256(body).hexdigest()
