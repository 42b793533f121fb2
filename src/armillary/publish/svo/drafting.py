"""Records as the archive would have them: from the headers of a frame, by the keywords of a dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Final

from armillary.archive.query.service import Offered
from armillary.fits.header import Header
from armillary.fits.models import Value
from armillary.publish.svo.coercion import Uncoercible, coerce, instant, value_of, values_of
from armillary.publish.svo.comparing import digest, drafted
from armillary.publish.svo.identities import Identity
from armillary.publish.svo.models import LONGEST_TAG, Draft, Json, Keyword, KeywordType, Product
from armillary.publish.svo.places import LONGEST_URL, Whereabouts, place_of
from armillary.settings import SvoSettings

WORDS = ("FEATURES", "EVENTS")
NOT_ASSESSED: Final = "MISSING"


class Unpublishable(Exception):
    """A frame of which no record can be made; the message is the reason."""


def draft_of(settings: SvoSettings, keywords: Sequence[Keyword], one: Offered, oid: str) -> Draft:
    """Return the record of a frame under an oid.

    Raises
    ------
    Unpublishable
        If nothing tells when it began, or its file has no usable address.
    """
    primary = _primary(one)
    values = values_of(primary)
    fields, warnings = _fields(keywords, values)
    offline = not one.open or not one.version.present
    place = place_of(settings, _whereabouts(one, values, oid), offline=offline)
    if len(place.file_url) > LONGEST_URL:
        raise Unpublishable(f"its file URL has {len(place.file_url)} characters, more than {LONGEST_URL}")
    tags, more = _tags(values) if settings.tags else (None, [])
    return Draft(oid, fields, Header(primary).text(), place, tags, (*warnings, *more))


def product_of(
    settings: SvoSettings, keywords: Sequence[Keyword], one: Offered, identity: Identity
) -> Product:
    """Return what is remembered of a frame as one of its identities: its record's digest, or why there is none."""
    version = one.version
    aside = Product(identity.oid, version.file_id, version.place, "", None)
    if identity.reason:
        return replace(aside, reason=identity.reason, failed=identity.failed)
    try:
        draft = draft_of(settings, keywords, one, identity.oid)
    except Unpublishable as error:
        return replace(aside, reason=str(error), failed=True)
    rank = (identity.cube, _created(one), version.mtime_ns)
    found = digest(drafted(keywords, draft), draft.header, draft.tags)
    return replace(aside, digest=found, place=draft.place, rank=rank, warnings=draft.warnings)


def _primary(one: Offered) -> bytes:
    if not one.version.is_fits:
        raise Unpublishable("it is no FITS file")
    return one.version.headers()[0]


def _created(one: Offered) -> str:
    """Return when the header was made, by which of two files of one oid the newer is known."""
    said = values_of(_primary(one)).get("DATE")
    return said.strip() if isinstance(said, str) else ""


def _whereabouts(one: Offered, values: Mapping[str, Value], oid: str) -> Whereabouts:
    version = one.version
    return Whereabouts(
        version.file_id,
        version.location.key,
        version.file_size,
        _day(one, values),
        one.instrument.strip(),
        oid,
    )


def _day(one: Offered, values: Mapping[str, Value]) -> date:
    said = values.get("DATE-BEG")
    try:
        return instant(said if isinstance(said, str) else "").date()
    except Uncoercible:
        if one.started_at is None:
            raise Unpublishable("neither DATE-BEG nor another keyword tells when it began") from None
    return one.started_at.date()


def _fields(keywords: Sequence[Keyword], values: Mapping[str, Value]) -> tuple[dict[str, Json], list[str]]:
    """Return the fields that have values, and what could not be one."""
    system = values.get("TIMESYS")
    scale = system.strip() if isinstance(system, str) else "UTC"
    fields: dict[str, Json] = {}
    warnings = []
    for one in keywords:
        value = value_of(values, one.keyword)
        try:
            said = coerce(value, KeywordType(one.type), time_system=scale)
        except Uncoercible as error:
            warnings.append(f"{one.keyword} = {value!r} is left out: {error}")
            continue
        if said is not None:
            fields[one.name] = said
    return fields, warnings


def _tags(values: Mapping[str, Value]) -> tuple[frozenset[str], list[str]]:
    found, warnings = set(), []
    for keyword in WORDS:
        said = values.get(keyword)
        if not isinstance(said, str) or said.strip() == NOT_ASSESSED:
            continue
        for word in filter(None, map(str.strip, said.split(","))):
            if len(word) > LONGEST_TAG:
                warnings.append(
                    f"{keyword} names '{word}', which is longer than a tag may be: it is left out"
                )
            else:
                found.add(word)
    return frozenset(found), warnings
