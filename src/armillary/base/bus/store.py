"""Every statement on samples; what stores and answers them is functions of the database."""

# What is put into these texts are constants of this module.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.base.bus.models import AsOf, Filter, Question, Stored
from armillary.base.bus.payloads import decode
from armillary.base.database import AnyRow

Row: TypeAlias = tuple[str, str, str, int, str, int | None, int | None, int, str, str | None]
"""Source, topic, epoch, seq, kind, t_event, expires, t_received, payload and what is odd in it."""

_COLUMNS = (
    *(
        "source",
        "topic",
        "epoch",
        "seq",
        "kind",
        "t_event",
        "expires",
        "id",
        "t_received",
        "assumed",
        "skewed",
    ),
    *("payload::text", "odd::text"),
)
_PUBLISH = "SELECT bus_publish($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
_ANSWER = f"""
SELECT a.question, {", ".join(f"(a.sample).{one}" for one in _COLUMNS)}
FROM bus_answer($1, $2, $3, $4, $5, $6, $7) AS a
"""
# Each piece of the log is read by the primary key, however many samples there are.
_PIECES = f"""
SELECT {", ".join(f"s.{one}" for one in _COLUMNS)}
FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS p (first, last, place)
CROSS JOIN LATERAL (
    SELECT * FROM bus_sample AS b WHERE b.id BETWEEN p.first AND p.last AND b.id > $3::bigint
    ORDER BY b.id LIMIT 65536
) AS s
WHERE cardinality($4::text[]) = 0 OR EXISTS (
    SELECT FROM unnest($4::text[], $5::text[]) AS f (source, topic)
    WHERE f.source = s.source AND (f.topic IS NULL OR f.topic = s.topic))
ORDER BY p.place, s.id
"""
_WATERMARK = """
SELECT t_event FROM bus_sample WHERE source = $1 AND topic = $2 ORDER BY t_event DESC, seq DESC LIMIT 1
"""
_NEWEST = "SELECT id, t_received FROM bus_sample ORDER BY id DESC LIMIT 1"
_ARRIVED = "SELECT id, t_received FROM bus_sample WHERE id >= $1 ORDER BY id LIMIT 1"
# Those that no question about a kept instant can lead to: a later sample of their topic was in force by then.
# A clock that is wrong may put samples anywhere in time, so these go by their arrival.
_FORGET = """
WITH oldest AS (
    SELECT id, source, topic, t_event, seq, t_received, skewed FROM bus_sample
    WHERE id > $1::bigint AND id <= $2::bigint AND t_received < $3::bigint ORDER BY id LIMIT $5::bigint
), gone AS (
    DELETE FROM bus_sample AS s USING oldest AS o
    WHERE s.id = o.id AND (
        o.t_event < $4::bigint AND EXISTS (
            SELECT FROM bus_sample AS later
            WHERE later.source = o.source AND later.topic = o.topic AND later.t_event <= $4::bigint
                AND (later.t_event, later.seq) > (o.t_event, o.seq))
        OR o.skewed AND o.t_event > o.t_received AND o.t_received < $4::bigint)
    RETURNING s.id
)
SELECT (SELECT count(*) FROM gone) AS gone, (SELECT max(id) FROM oldest) AS last
"""


async def publish(connection: AsyncConnection, rows: Sequence[Row], skew_ns: int) -> tuple[int, list[int]]:
    """Store samples, and announce them when the transaction commits.

    Returns
    -------
    The offset of the first one, and the offsets of those that were not there yet. The offset of each is as far
    behind the first as its place in ``rows``.
    """
    columns: list[Any] = [list(column) for column in zip(*rows, strict=True)]
    given = (*columns[:8], skew_ns, *columns[8:])
    first, *stored = (await connection.exec_driver_sql(_PUBLISH, given)).scalar_one()
    return first, stored


async def answer(connection: AsyncConnection, questions: Sequence[Question]) -> list[list[Stored]]:
    """Answer all questions by one statement."""
    found: list[list[Stored]] = [[] for _ in questions]
    columns = [list(column) for column in zip(*map(_asked, questions), strict=True)]
    for row in await connection.exec_driver_sql(_ANSWER, tuple(columns)):
        found[row[0] - 1].append(_stored(row[1:]))
    return found


def _asked(question: Question) -> tuple[str, str, int | None, int, str | None, str | None, int | None]:
    if isinstance(question, AsOf):
        field, value = question.match or (None, None)
        return question.source, question.topic, None, question.t, _path(field), value, None
    return question.source, question.topic, question.t0, question.t1, None, None, question.most


def _path(field: str | None) -> str | None:
    """Return a dotted field as PostgreSQL writes an array of texts."""
    if field is None:
        return None
    quoted = (part.replace("\\", "\\\\").replace('"', '\\"') for part in field.split("."))
    return "{" + ",".join(f'"{part}"' for part in quoted) + "}"


async def pieces(
    connection: AsyncConnection, ends: Sequence[tuple[int, int]], wanted: Filter, *, behind: int = -1
) -> list[Stored]:
    """Return the wanted samples of pieces of the log, each given by its first and last offset."""
    firsts, lasts = [first for first, _ in ends], [last for _, last in ends]
    sources, topics = [one for one, _ in wanted.channels], [one for _, one in wanted.channels]
    given = (firsts, lasts, behind, sources, topics)
    return [_stored(row) for row in await connection.exec_driver_sql(_PIECES, given)]


async def watermark(connection: AsyncConnection, source: str, topic: str) -> int | None:
    """Return the latest event time of a topic."""
    found: int | None = (await connection.exec_driver_sql(_WATERMARK, (source, topic))).scalar()
    return found


async def newest(connection: AsyncConnection) -> tuple[int, int] | None:
    """Return offset and arrival of the sample that was stored last."""
    return _pair((await connection.exec_driver_sql(_NEWEST)).first())


async def from_offset(connection: AsyncConnection, offset: int) -> tuple[int, int] | None:
    """Return offset and arrival of the first sample that is not before an offset."""
    return _pair((await connection.exec_driver_sql(_ARRIVED, (offset,))).first())


def _pair(row: AnyRow | None) -> tuple[int, int] | None:
    return (row[0], row[1]) if row else None


async def forget(
    connection: AsyncConnection, *, behind: int, last: int, before: int, needed: int, limit: int
) -> tuple[int, int | None]:
    """Look at up to ``limit`` samples in the order of offsets; return how many went, and the last looked at."""
    row = (await connection.exec_driver_sql(_FORGET, (behind, last, before, needed, limit))).one()
    return row.gone, row.last


def _stored(row: Sequence[Any]) -> Stored:
    source, topic, epoch, seq, kind, t_event, expires, offset, received, assumed, skewed, text, odd = row
    return Stored(
        source,
        topic,
        epoch,
        seq,
        decode(text, odd),
        kind=kind,
        expires=expires,
        t_event=t_event,
        offset=offset,
        t_received=received,
        assumed=assumed,
        skewed=skewed,
    )
