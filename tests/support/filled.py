"""Databases of earlier revisions with rows in every table that they had, and what these rows mean."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from armillary.access.service import authenticate
from armillary.archive.catalog.service import get_product
from armillary.archive.changes import service as changes
from armillary.base import migrate
from armillary.base.database import Database
from armillary.edits.changesets import service as change_sets
from armillary.exports import service as exports
from tests.support.archive import Archive
from tests.support.patience import in_time

DATA = Path(__file__).parents[1] / "data" / "filled"
PATIENCE_S = 300.0
Rows = dict[str, list[dict[str, Any]]]
"""The rows of tables, each as a mapping of its columns."""


def _runs_of_orders(rows: Rows) -> None:
    """Forget the columns for what was submitted again during a run; no row of ours was."""
    for row in rows["work_order"]:
        del row["next_args"], row["claimed_revision"]


def _feed(rows: Rows) -> None:
    """Let changes be entries of a topic, where there are any; earlier revisions had no horizon."""
    if "change" not in rows:
        return
    rows["feed_generation"] = rows.pop("change_generation")
    rows["feed_entry"] = [_entry(one) for one in rows.pop("change")]
    (end,) = rows.pop("change_horizon", []) or [{"generation": 0, "xid": "0", "id": 0}]
    names = ("horizon_generation", "horizon_number", "horizon_id")
    values = (end["generation"], int(end["xid"]), end["id"])
    rows["feed_topic"] = [{"id": 1, "name": "versions", **dict(zip(names, values, strict=True))}]


def _entry(change: Mapping[str, Any]) -> dict[str, Any]:
    told = {"file": change["file_id"], **{name: change[name] for name in ("kind", "present", "canonical")}}
    kept = {name: change[name] for name in ("generation", "id", "xid", "noted") if name in change}
    return {**kept, "number": int(change["xid"]), "key": str(change["version_id"]), "payload": told}


def _products(rows: Rows) -> None:
    """Let the web role have lost pictures made again, where it has a list of what it may merge."""
    if "work_web_kind" in rows:
        rows["work_web_kind"].append({"kind": "preview"})


def _access(rows: Rows) -> None:
    """Forget the column of the replies to header updates."""
    for row in rows.get("update_request", ()):
        del row["reply"]


def _sites(rows: Rows) -> None:
    """Let there be a topic of configurations, and the web role ask for control rooms."""
    if topics := rows.get("feed_topic"):
        horizon = {"horizon_generation": 0, "horizon_number": 0, "horizon_id": 0}
        topics.append({"id": max(one["id"] for one in topics) + 1, "name": "site-configurations", **horizon})
    if "work_web_kind" in rows:
        rows["work_web_kind"].append({"kind": "room"})


def _images(rows: Rows) -> None:
    """Let there be a topic of announcements, and the web role ask for conversions."""
    _topic("imagedata")(rows)
    if "work_web_kind" in rows:
        rows["work_web_kind"] += [{"kind": "tif"}, {"kind": "unpacked"}]


def _topic(name: str) -> Callable[[Rows], None]:
    """Let there be one more topic."""

    def add(rows: Rows) -> None:
        if topics := rows.get("feed_topic"):
            horizon = {"horizon_generation": 0, "horizon_number": 0, "horizon_id": 0}
            topics.append({"id": max(one["id"] for one in topics) + 1, "name": name, **horizon})

    return add


def _asking(*kinds: str) -> Callable[[Rows], None]:
    """Let the web role ask for orders of more kinds."""

    def let_ask(rows: Rows) -> None:
        if "work_web_kind" in rows:
            rows["work_web_kind"] += [{"kind": kind} for kind in kinds]

    return let_ask


CHANGES: Mapping[str, Callable[[Rows], None]] = {
    "0014": _runs_of_orders,
    "0016": _feed,
    "0017": _products,
    "0019": _access,
    "0021": _sites,
    "0024": _images,
    "0025": _topic("samples"),
    "0026": _topic("headers"),
    "0030": _asking("ingest_cube"),
    "0033": _asking("image", "video"),
    "0034": _topic("cubes"),
    "0037": _asking("tiles"),
}
"""What a migration does to rows of before, by revision; add a function that does the same to ``Rows``.

Columns and rows that a migration adds need none.
"""
WHOLE = ("0013", "0015", "0018")
"""Revisions after which columns are dropped that rows of before have."""
SECRET = f"arm_{'A' * 43}"
FIRST, SECOND = "N20260101S0001.fits", "N20260101S0002.fits"


async def fill(database: Database, revision: str) -> None:
    """Bring an empty database to a revision, and put rows into all tables that it has."""
    filled = ""
    for stop in (*(one for one in WHOLE if one < revision), revision):
        await migrate.upgrade(database, stop)
        async with database.raw() as connection:
            for number in migrate.revisions():
                if filled < number <= stop:
                    # A file may hold nothing but the reason why it does.
                    await connection.execute((DATA / f"{number}.sql").read_text() + "\nSELECT 1")
        filled = stop


async def rows_of(database: Database) -> Rows:
    """Return all rows of all tables but the one that says at which revision the schema is."""
    query = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    async with database.raw() as connection:
        tables = [name for (name,) in await connection.fetch(query) if name != "alembic_version"]
        return {
            table: [row for (row,) in await connection.fetch(f"SELECT to_jsonb(t) FROM {table} AS t")]
            for table in tables
        }


def as_the_migrations_leave_them(rows: Rows, revision: str) -> Rows:
    """Return rows of a revision as the migrations after it should leave them."""
    for number in migrate.revisions():
        if number > revision and number in CHANGES:
            CHANGES[number](rows)
    return rows


def known_of(rows: Rows, before: Rows) -> dict[str, list[str]]:
    """Return rows, sorted, with the columns that those of before have; tables that are new are left out."""
    return {table: _sorted(rows[table], list(old[0]) if old else []) for table, old in before.items()}


def _sorted(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[str]:
    return sorted(json.dumps([row.get(column) for column in columns]) for row in rows)


async def catalog(archive: Archive) -> dict[str, Any]:
    """Return what the program says of the files that every revision with an archive has."""
    history = await archive.history(FIRST)
    first, second = await archive.version(FIRST), await archive.version(SECOND)
    async with archive.context.database.begin() as connection:
        principal = await authenticate(connection, SECRET)
        assert principal is not None
        product = await get_product(connection, first.id, "preview")
    told = await _told(archive)
    return {
        "versions": [(one.id, one.origin, one.present, one.canonical) for one in history.versions],
        "objects": [_object(one.headers()[0]) for one in (*history.versions, second)],
        "digests": [one.data_md5 for one in (*history.versions, second)],
        "where": [(one.location.key, one.container, one.file_size) for one in (first, second)],
        "edits": [
            (one.id, one.outcome, one.actor, one.why, one.cards[0]["old"], one.cards[0]["new"])
            for one in history.edits
        ],
        "found": await archive.find(object="M 31") + await archive.find("DATALAB=GN-2026A-Q-1-1-002"),
        "principal": (
            principal.name,
            sorted(map(str, principal.permissions)),
            sorted(principal.grants.programs),
        ),
        "product": product.media_type if product else None,
        "feed ends with": [next(one for one in reversed(told) if one[0] == name) for name in (FIRST, SECOND)],
    }


CATALOG = {
    "versions": [(1, "ingest", False, False), (3, "edit", True, True)],
    "objects": ["M 1", "M 31", "M 1"],
    "digests": [
        "bbfac876bd47254cbf618f111f09d70a",
        "84c58a93f7957bea651fc57a6d2e22b2",
        "3b54349829f8247697474af0ba54eceb",
    ],
    "where": [(FIRST, "plain", 8640), (f"{SECOND}.bz2", "bz2", 1808)],
    "edits": [(1, "changed", "observer", "a test", "M 1", "M 31")],
    "found": [FIRST, SECOND],
    "principal": ("observer", ["edit", "read"], ["GN-2025B-Q-101"]),
    "product": "image/jpeg",
    "feed ends with": [(FIRST, True, True), (SECOND, True, True)],
}


def _object(header: bytes) -> str:
    card = next(
        header[at : at + 80] for at in range(0, len(header), 80) if header[at:].startswith(b"OBJECT ")
    )
    return card[10:].split(b"'")[1].decode().strip()


async def _told(archive: Archive) -> list[tuple[str, bool, bool]]:
    """Return the feed, when nothing of it waits."""
    end = time.monotonic() + PATIENCE_S
    while True:
        async with archive.context.database.begin() as connection:
            feed = await changes.changes_after(connection, await changes.beginning(connection), 100)
        if not feed.unsettled:
            return [
                (one.values["name"], one.values["present"], one.values["canonical"]) for one in feed.entries
            ]
        in_time(end)
        await asyncio.sleep(0.02)


async def change_set(archive: Archive) -> dict[str, Any]:
    """Return what the program says of the change set."""
    async with archive.context.database.begin() as connection:
        found = msgspec.to_builtins(await change_sets.document(connection, 7))
    return {key: found[key] for key in ("state", "actor", "why", "files", "errors")}


async def exported(archive: Archive) -> list[tuple[Any, ...]]:
    """Return what the program says of exports."""
    async with archive.context.database.begin() as connection:
        ended = (await exports.overview(connection, "mirror", 10)).ended
    return sorted((one.name, str(one.how), one.data_md5) for one in ended)
