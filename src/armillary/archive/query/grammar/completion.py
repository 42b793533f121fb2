"""What may come next in a selection: words of the grammar, and values of the archive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import Principal
from armillary.archive.catalog.tables import few, frame
from armillary.archive.query import visibility
from armillary.archive.query.grammar.identifiers import kind_of_id
from armillary.archive.query.grammar.parser import vocabulary
from armillary.archive.query.grammar.words import INSTRUMENTS

OFFERED = ("site", "instrument", "program", "observation_type", "filter")
"""Fields whose values are offered; none of them tells a position."""
NEWEST, MOST_OFFERED, MOST_WORDS = 5000, 100, 30
_KEYS: Mapping[str, str] = {"filter": "filter", "Filter": "filter", "progid": "program"}
_FIRST = ("today", "yesterday", "Pass", "NotFail", "present", "canonical", "science", "defaults")
Values = Mapping[str, Sequence[str]]


async def recent_values(connection: AsyncConnection, viewer: Principal, *, today: date) -> Values:
    """Return values of some fields that the newest frames have of which the viewer may know, frequent ones first.

    Values that only older frames have are left out: looking at every frame would take seconds.
    """
    columns = [frame.c[name] for name in OFFERED]
    newest = (
        sa.select(*columns)
        .where(visibility.known(viewer, today))
        .order_by(frame.c.started_at.desc().nulls_last(), frame.c.file_id.desc())
        .limit(few(NEWEST))
        .subquery("newest")
    )
    counted = sa.select(*newest.c, sa.func.count().label("frames")).group_by(*newest.c)
    rows = (await connection.execute(counted.order_by(sa.desc("frames")))).all()
    found = {name: dict.fromkeys(getattr(row, name) for row in rows) for name in OFFERED}
    return {name: [one for one in values if one][:MOST_OFFERED] for name, values in found.items()}


def completions(text: str, values: Values) -> list[str]:
    """Return selections that begin with a text: its last word, which may be empty, is completed or replaced."""
    before, joint, last = text.rpartition("/")
    found: dict[str, str] = {}
    for word in _words(last, values):
        # Some words are known in any case; the archive's own spelling comes first.
        found.setdefault(word.casefold(), f"{before}{joint}{word}")
    return [one for one in found.values() if one != text][:MOST_WORDS]


def _words(last: str, values: Values) -> Iterator[str]:
    key, equals, begun = last.partition("=")
    if equals:
        offered = values.get(_KEYS.get(key, ""), ())
        yield from (f"{key}={value}" for value in offered if _begins(value, begun))
        return
    known = vocabulary()
    folded = {one.casefold() for one in known}
    words = [*values.get("instrument", ()), *values.get("observation_type", ())]
    # What the grammar does not know would be refused.
    own = [one for one in words if one.casefold() in folded]
    own += [one for one in values.get("program", ()) if kind_of_id(one)]
    if last:
        yield from (one for one in (*own, *INSTRUMENTS, *known) if _begins(one, last))
    else:
        yield from (*own[: MOST_WORDS // 2], *_FIRST, *(f"{one}=" for one in ("object", "filter", "progid")))


def _begins(word: str, begun: str) -> bool:
    return word.casefold().startswith(begun.casefold()) and "/" not in word
