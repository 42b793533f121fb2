"""Pages of lists: how many rows each kind gives, and totals that are remembered for a day."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import urlencode

from armillary.demo.svo.replies import Reply, bad
from armillary.demo.svo.world import World

T = TypeVar("T")
DEFAULT = 20
REMEMBERED = timedelta(hours=24)
Query = Mapping[str, str]


@dataclass(frozen=True)
class Paging:
    """The most rows of a page; 0 gives all. ``cached`` is whether totals are remembered."""

    most: int
    cached: bool = False


RECORDS, LOCATIONS, ALL = Paging(100, cached=True), Paging(1000), Paging(0)


def page(
    world: World, path: str, query: Query, rows: Sequence[T], paging: Paging, shown: Callable[[T], Any]
) -> Reply:
    """Return one page of rows as a list answers."""
    limit, offset = _number(query, "limit", DEFAULT), _number(query, "offset", 0)
    limit = limit or paging.most
    if paging.most:
        limit = min(limit, paging.most)
    total = _total(world, path, query, len(rows)) if paging.cached else len(rows)
    chosen = rows[offset : offset + limit] if limit else rows[offset:]
    meta = {
        "limit": limit,
        "next": _link(path, query, limit, offset + limit) if limit and offset + limit < total else None,
        "offset": offset,
        "previous": _link(path, query, limit, offset - limit) if limit and offset - limit >= 0 else None,
        "total_count": total,
    }
    return Reply(body={"meta": meta, "objects": [shown(one) for one in chosen]})


def _number(query: Query, name: str, default: int) -> int:
    said = query.get(name)
    if said is None:
        return default
    if not said.isascii() or not said.isdecimal():
        raise bad(f"Invalid {name} '{said}' provided. Please provide a positive integer.")
    return int(said)


def _total(world: World, path: str, query: Query, count: int) -> int:
    asked = (path, frozenset((key, value) for key, value in query.items() if key not in ("limit", "offset")))
    known = world.totals.get(asked)
    if world.caches_totals and known is not None and known[1] > world.now():
        return known[0]
    world.totals[asked] = count, world.now() + REMEMBERED
    return count


def _link(path: str, query: Query, limit: int, offset: int) -> str:
    # Everything that was asked comes again, a key in the query, too.
    return f"{path}?{urlencode({**query, 'limit': limit, 'offset': offset})}"
