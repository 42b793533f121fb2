"""Find frames: typed criteria in, pages of frames out, always with a way to the rest."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import Principal
from armillary.archive import embargo
from armillary.archive.cones import Cone, in_cone
from armillary.archive.cursors import after_row, read_cursor, write_cursor
from armillary.archive.models import MAX_PAGE, QaState
from armillary.archive.names import storable
from armillary.archive.selection import Selection, parse
from armillary.archive.selection.conditions import begins_with
from armillary.archive.selection.conditions import conditions as selected
from armillary.archive.tables import FRAME_COLUMNS, few, file, frame, keywords_with, version
from armillary.base.database import AnyRow
from armillary.errors import BadRequest
from armillary.fits.containers import logical_name

_PREDICATE = re.compile(
    r"\s*([A-Za-z0-9_-]{1,8}|[A-Za-z0-9_-]+(?:[ .][A-Za-z0-9_-]+)+)\s*(>=|<=|!=|=|>|<)\s*(.*?)\s*", re.DOTALL
)
LONGEST_KEYWORD = 72
_JSONPATH = {"=": "==", ">": ">", "<": "<", ">=": ">=", "<=": "<="}
TEXTS = (
    "name",
    "site",
    "telescope",
    "instrument",
    "filter",
    "object",
    "program",
    "observation_id",
    "data_label",
    "observation_type",
    "qa_state",
)
COORDINATES = ("ra_deg", "dec_deg", "airmass", "object")
FILE_COLUMNS = ("path", "filename", "file_size", "data_size", "file_md5", "data_md5", "lastmod", "entrytime")


class BadPredicate(BadRequest):
    """A keyword condition reads KEYWORD=VALUE, or with !=, <, <=, >, >=."""

    code = "bad_predicate"


@dataclass(frozen=True, slots=True)
class KeywordPredicate:
    """A condition on a header keyword; numbers compare as numbers, words as words."""

    keyword: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What to look for; every criterion that is given has to hold. ``name`` may carry ``*`` and ``?``."""

    name: str | None = None
    site: str | None = None
    telescope: str | None = None
    instrument: str | None = None
    filter: str | None = None
    object: str | None = None
    program: str | None = None
    observation_id: str | None = None
    data_label: str | None = None
    observation_type: str | None = None
    qa_state: str | None = None
    night: date | None = None
    night_until: date | None = None
    since: datetime | None = None
    until: datetime | None = None
    exposure_min_s: float | None = None
    exposure_max_s: float | None = None
    cone: Cone | None = None
    keywords: tuple[KeywordPredicate, ...] = field(default=())
    selection: Selection | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the frames found, newest first, and the cursor of the next ones, if there are any."""

    frames: list[dict[str, Any]]
    cursor: str | None


def read_selection(text: str, *, today: date, summit: bool) -> Selection:
    """Return the selection that is written as in a path of Gemini's lists, the slashes between included.

    Raises
    ------
    BadSelection
        If a part of it cannot be understood; nothing is left out.
    """
    return parse(text.split("/"), today=today, summit=summit)


def criteria_of(
    given: Criteria, *, cone: str | None = None, keywords: Sequence[str] | None = None
) -> Criteria:
    """Return criteria as they were asked for in words: of the command line, or of a URL.

    Raises
    ------
    BadRequest
        If one of the words cannot be understood, or holds what no header can.
    """
    texts = [*(getattr(given, name) for name in TEXTS), *(keywords or ())]
    if bad := next((text for text in texts if text is not None and not storable(text)), None):
        raise BadRequest(f"{bad!r} holds characters that no header can have.")
    return replace(
        given,
        qa_state=_qa_word(given.qa_state),
        since=as_utc(given.since),
        until=as_utc(given.until),
        cone=Cone.parse(cone) if cone else None,
        keywords=tuple(parse_predicate(text) for text in keywords or ()),
    )


def _qa_word(text: str | None) -> str | None:
    if text is None:
        return None
    known = {one.lower(): str(one) for one in QaState}
    if text.lower() not in known:
        raise BadRequest(f"'{text}' is no QA state; write one of {', '.join(known.values())}.")
    return known[text.lower()]


def parse_predicate(text: str) -> KeywordPredicate:
    """Read ``KEYWORD=VALUE`` and its kin; the words of HIERARCH keywords may be joined by dots.

    Raises
    ------
    BadPredicate
        If the text has another form.
    """
    found = _PREDICATE.fullmatch(text)
    if not found or len(found[1]) > LONGEST_KEYWORD:
        raise BadPredicate(f"'{text}' is no keyword condition: write KEYWORD=VALUE, or !=, <, <=, >, >=.")
    keyword = found[1].upper().replace(".", " ").removeprefix("HIERARCH ")
    return KeywordPredicate(keyword, found[2], found[3])


async def search(
    connection: AsyncConnection,
    criteria: Criteria,
    viewer: Principal,
    *,
    today: date,
    limit: int = 100,
    cursor: str | None = None,
) -> Page:
    """Return one page of the frames that fit, newest first, those without a date last.

    Positions are shown to, and searched for, only those who may see them.
    """
    limit = max(1, min(limit, MAX_PAGE))
    wanted = tuple(conditions(criteria, viewer, today))
    after = read_cursor(cursor) if cursor else None
    begun = (*wanted, after_row(*after)) if after else wanted
    rows = list((await connection.execute(_select(begun, viewer, today, limit + 1))).all())
    if after and after[0] and len(rows) <= limit:
        # One condition for those before an instant and those without any would be served by no index.
        undated = _select((*wanted, frame.c.started_at.is_(None)), viewer, today, limit + 1 - len(rows))
        rows += (await connection.execute(undated)).all()
    more = write_cursor(rows[limit - 1].started_at, rows[limit - 1].file_id) if len(rows) > limit else None
    return Page([_frame_of(row) for row in rows[:limit]], more)


def _select(
    wanted: Sequence[sa.ColumnElement[bool]], viewer: Principal, today: date, limit: int
) -> sa.Select[Any]:
    """Return the query of the newest frames that fit, with all that is shown of them.

    The frames are chosen first and completed afterwards: so there are few ways to go about it, all of them good,
    and what is shown does not weigh on what is sorted.
    """
    chosen = (
        sa.select(frame.c.file_id, frame.c.started_at)
        .select_from(source(wanted))
        .where(*wanted)
        .order_by(frame.c.started_at.desc().nulls_last(), frame.c.file_id.desc())
        .limit(few(limit))
        .subquery("chosen")
    )
    complete = chosen.join(frame, frame.c.file_id == chosen.c.file_id).join(
        version, version.c.id == frame.c.version_id
    )
    query = sa.select(*_columns(viewer, today)).select_from(complete)
    return query.order_by(chosen.c.started_at.desc().nulls_last(), chosen.c.file_id.desc())


def source(wanted: Sequence[sa.ColumnElement[bool]]) -> sa.FromClause:
    """Return the tables that conditions speak of, joined to ``frame``."""
    named = sa.select(frame.c.file_id).where(*wanted).get_final_froms()
    joined: sa.FromClause = frame
    if file in named:
        joined = joined.join(file, file.c.id == frame.c.file_id)
    return joined.join(version, version.c.id == frame.c.version_id) if version in named else joined


def _columns(viewer: Principal, today: date) -> list[sa.ColumnElement[Any]]:
    open_coordinates = embargo.coordinates_visible(viewer, today)
    columns: list[sa.ColumnElement[Any]] = [frame.c.file_id]
    columns += [version.c[name] for name in FILE_COLUMNS]
    for name, kind in FRAME_COLUMNS:
        column: sa.ColumnElement[Any] = frame.c[name]
        if name in COORDINATES:
            column = sa.case((open_coordinates, column), else_=sa.cast(sa.null(), kind)).label(name)
        columns.append(column)
    columns.append(embargo.visible(viewer, today).label("visible"))
    return columns


def conditions(criteria: Criteria, viewer: Principal, today: date) -> Iterator[sa.ColumnElement[bool]]:
    """Yield the conditions under which a frame fits, for somebody who may know so much."""
    if criteria.name is not None:
        yield from _name_condition(criteria.name)
    for name in TEXTS[1:]:
        if (value := getattr(criteria, name)) is not None:
            yield frame.c[name] == value
    if criteria.object is not None:
        yield embargo.coordinates_visible(viewer, today)
    yield from _ranges(criteria)
    if criteria.selection is not None:
        yield from selected(criteria.selection, viewer, today)
    if criteria.cone is not None:
        yield in_cone(criteria.cone)
        yield embargo.coordinates_visible(viewer, today)
    if criteria.keywords:
        # Positions have too many keywords to name them all, and a condition on one is a question for it.
        yield embargo.coordinates_visible(viewer, today)
    for predicate in criteria.keywords:
        yield keyword_condition(predicate)
    if criteria.keywords:
        # Headers tell positions under many names, and a comparison gives a value away bit by bit.
        yield embargo.coordinates_visible(viewer, today)


def _name_condition(name: str) -> Iterator[sa.ColumnElement[bool]]:
    wildcard = re.search(r"[*?]", name)
    if not wildcard:
        named = file.alias("named")
        yield (
            frame.c.file_id
            == sa.select(named.c.id).where(named.c.name == logical_name(name)).scalar_subquery()
        )
        return
    if prefix := name[: wildcard.start()]:
        # A range of names serves every plan, a pattern only those that are made for it.
        yield begins_with(file.c.name, prefix)
    escaped = re.sub(r"([%_\\])", r"\\\1", name)
    yield file.c.name.like(escaped.replace("*", "%").replace("?", "_"), escape="\\")


def _ranges(criteria: Criteria) -> Iterator[sa.ColumnElement[bool]]:
    bounds = (
        (frame.c.started_at, criteria.since, criteria.until, False),
        (frame.c.exposure_s, criteria.exposure_min_s, criteria.exposure_max_s, True),
        (frame.c.night, criteria.night, criteria.night_until or criteria.night, True),
    )
    for column, low, high, closed in bounds:
        if low is not None:
            yield column >= low
        if high is not None:
            yield column <= high if closed else column < high


def keyword_condition(predicate: KeywordPredicate) -> sa.ColumnElement[bool]:
    """Return a condition on a keyword as one of SQL on ``frame``."""
    name = f'$."{predicate.keyword}"'
    operator = "==" if predicate.operator == "!=" else _JSONPATH[predicate.operator]
    path = sa.text(_quoted(f"{name} ? (@ {operator} $value)"))
    keywords = keywords_with(predicate.keyword)
    matches = [
        sa.func.jsonb_path_exists(keywords, path, sa.func.jsonb_build_object("value", _typed(reading)))
        for reading in _readings(predicate.value)
    ]
    if predicate.operator != "!=":
        return sa.or_(*matches)
    # A value of another type differs, too, which JSON paths call unknown.
    there = sa.func.jsonb_path_exists(keywords, sa.text(_quoted(name)))
    return sa.and_(there, sa.not_(sa.or_(*matches)))


def _quoted(path: str) -> str:
    # The keyword has passed the pattern of FITS keywords: no quote and no colon can be in the path.
    return "'" + path + "'::jsonpath"


def _typed(value: object) -> sa.ColumnElement[Any]:
    return sa.cast(sa.literal(value, JSONB), JSONB)


def _readings(text: str) -> list[object]:
    """Return what a word of the command line may mean: itself, a number, a logical value."""
    readings: list[object] = [text]
    try:
        number = float(text)
        if math.isfinite(number):
            readings.append(int(text) if re.fullmatch(r"[+-]?\d+", text) else number)
    except ValueError:
        pass
    if text in ("T", "F"):
        readings.append(text == "T")
    return readings


def _frame_of(row: AnyRow) -> dict[str, Any]:
    # The name follows from that of the stored file, so the table of names is not asked for it.
    told = {key: value for key, value in row._mapping.items() if key != "file_id"}
    return {"name": logical_name(told["filename"]), **told}


def as_utc(instant: datetime | None) -> datetime | None:
    """Return an instant with its zone; one without is UTC.

    Raises
    ------
    BadRequest
        If that instant has no date in UTC.
    """
    try:
        return (
            instant.astimezone(UTC) if instant and instant.tzinfo else instant and instant.replace(tzinfo=UTC)
        )
    except OverflowError:
        raise BadRequest(f"{instant} is outside the years 1 to 9999.") from None


def to_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a frame with dates and instants as text, instants in UTC with a Z."""
    return {key: _plain(value) for key, value in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value
