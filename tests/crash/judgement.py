"""What must be true once the dust has settled; every sentence of complaint is a broken promise."""

from __future__ import annotations

import asyncio
import fcntl
import json
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from astropy.io import fits

from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Version
from armillary.archive.intake.staging import INGEST_UPLOAD, STAGING, sweep_staging
from armillary.archive.intake.verification import verify_files
from armillary.context import Context
from armillary.edits.kinds import UPDATE_HEADERS
from armillary.edits.leftovers import RECIPE, sweep_recipes
from armillary.operations.cleaning import recover
from tests.crash.clients import Promises
from tests.crash.night import Night, data_of, unpacked

HISTORY = re.compile(r"order (\d+)")


@dataclass
class Expected:
    """What a file should hold, from its bytes at the beginning and the orders that completed."""

    content: bytes
    cards: dict[str, int] = field(default_factory=dict)
    history: list[int] = field(default_factory=list)

    def apply(self, args: dict[str, Any]) -> None:
        """Do what an order asks for."""
        for keyword, value in cards_of(args):
            if keyword == "HISTORY":
                self.history.append(number_of(args))
            else:
                self.cards[keyword] = value


def number_of(args: dict[str, Any]) -> int:
    """Return the number that a client gave the item of an order."""
    return int(cards_of(args)[0][1])


def cards_of(args: dict[str, Any]) -> list[Any]:
    """Return keywords and values that an order asks for."""
    cards: list[Any] = json.loads(args["edit"])["cards"]
    return cards


def _json(column: Any) -> dict[str, Any]:
    return json.loads(column) if isinstance(column, str) else column or {}


async def rows(context: Context, query: str, *values: object) -> list[Any]:
    """Return the rows of a query."""
    async with context.database.raw() as connection:
        return list(await connection.fetch(query, *values))


async def judge(context: Context, night: Night, promises: Promises) -> list[str]:
    """Return every broken promise."""
    await recover(context)
    await sweep_recipes(context)
    await sweep_staging(context)
    orders = await rows(context, "SELECT * FROM work_order ORDER BY id")
    return [
        *_orders(orders, promises),
        *[f async for f in _edits(context, orders)],
        *[f async for f in _files(context, night, promises, orders)],
        *[f"{f.name}: {f.problem}" async for f in verify_files(context, ()) if f.problem],
        *[f async for f in _litter(context)],
    ]


def _orders(orders: list[Any], promises: Promises) -> Iterator[str]:
    for order in orders:
        if order["state"] not in ("Completed", "Failed"):
            yield f"order {order['id']} ({order['kind']}) is {order['state']}: {order['error']}"
        response = _json(order["response"])
        if order["state"] == "Failed" and not (response.get("error") and order["error"]):
            yield f"order {order['id']} failed without a reason"
        if order["state"] == "Failed" and "stopped during attempt" in (order["error"] or ""):
            yield f"order {order['id']} ({order['kind']}) was given up: {order['error']}"
    ids = {order["id"]: order for order in orders}
    updates = [_json(o["args"]) for o in orders if o["kind"] == UPDATE_HEADERS]
    for number, times in Counter(map(number_of, updates)).items():
        if times != 1:
            yield f"item {number} has {times} orders"
    for number in promises.items - set(map(number_of, updates)):
        yield f"accepted item {number} has no order"
    for number in promises.refused & set(map(number_of, updates)):
        yield f"refused item {number} was queued"
    staged = {int(_json(o["args"])["crc"]) for o in orders if o["kind"] == INGEST_UPLOAD}
    for crc in promises.uploads.keys() - staged:
        yield f"accepted upload {promises.uploads[crc]} has no order"
    for order_id, name in promises.ingests.items():
        if order_id not in ids:
            yield f"the ingest of {name} has no order"


async def _edits(context: Context, orders: list[Any]) -> Any:
    edits = {row["order_id"]: row for row in await rows(context, "SELECT * FROM edit")}
    for order in orders:
        if order["kind"] != UPDATE_HEADERS:
            continue
        row, response = edits.get(order["id"]), _json(order["response"])
        args = _json(order["args"])
        if order["state"] == "Completed":
            if row is None or row["outcome"] == "failed":
                yield f"completed order {order['id']} has no edit: {response}"
            elif args.get("extension") == 99:
                yield f"order {order['id']} completed with an impossible extension"
            elif not response["value"]["changed"]:
                yield f"order {order['id']} changed nothing"
        elif row is not None and row["outcome"] != "failed":
            yield f"failed order {order['id']} has an edit that says {row['outcome']}"


async def _files(context: Context, night: Night, promises: Promises, orders: list[Any]) -> Any:
    async with context.database.begin() as connection:
        roots = {root.id: root for root in await catalog.list_roots(connection)}
        names = [row["name"] for row in await rows(context, "SELECT name FROM file")]
        present = {one.name: one for one in await catalog.present_by_name(connection, names)}
    uploaded = {o["key"] for o in orders if o["kind"] == INGEST_UPLOAD and o["state"] == "Completed"}
    for name in night.contents.keys() - present.keys():
        yield f"{name} is not in the catalog"
    for key in uploaded - {one.location.file_key for one in present.values()}:
        yield f"{key} was uploaded, but is not in the catalog"
    for name, version in present.items():
        if name not in night.contents and version.location.file_key not in uploaded:
            continue
        mine = [o for o in orders if o["key"] == version.location.file_key and o["state"] == "Completed"]
        expected = expectation(night.contents.get(name, b""), mine, promises)
        path = roots[version.location.root_id].path / version.location.key
        for complaint in await asyncio.to_thread(lambda: list(_file(path, expected, version))):  # noqa: B023
            yield f"{name}: {complaint}"


def expectation(content: bytes, orders: list[Any], promises: Promises) -> Expected:
    """Return what completed orders of one file make of it, in the order of acceptance."""
    expected = Expected(content)
    for order in orders:
        args = _json(order["args"])
        if order["kind"] == INGEST_UPLOAD:
            expected = Expected(promises.contents[int(args["crc"])])
        elif order["kind"] == UPDATE_HEADERS:
            expected.apply(args)
    return expected


def _file(path: Path, expected: Expected, version: Version) -> Iterator[str]:
    content = unpacked(path)
    if data_of(content) != data_of(expected.content):
        yield "its data changed"
    if len(content) != version.data_size:
        yield "its size is not the recorded one"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            with fits.open(path, checksum=True, disable_image_compression=True) as hdus:
                header = hdus[1].header if path.suffix == ".fz" else hdus[0].header
                _ = [hdu.data for hdu in hdus]
        except Exception as error:
            yield f"astropy: {error}"
            return
    for keyword, value in expected.cards.items():
        if header.get(keyword) != value:
            yield f"{keyword} is {header.get(keyword)}, the last accepted value is {value}"
    found = [int(match[1]) for line in header.get("HISTORY", ()) if (match := HISTORY.fullmatch(str(line)))]
    if found != expected.history:
        yield f"HISTORY is {found}, accepted were {expected.history}"


async def _litter(context: Context) -> Any:
    async with context.database.begin() as connection:
        roots = await catalog.list_roots(connection)
    kept = {
        name
        for row in await rows(context, "SELECT undo FROM version WHERE undo IS NOT NULL")
        for name in row["undo"].split(",")
    }
    blobs: set[str] = set()
    for root in roots:
        private = context.settings.data / "private" / root.name
        for path in root.path.rglob(".armillary-*"):
            yield f"temporary file {path}"
        for path in (private / "journal").glob("*"):
            if path.suffix == ".unresolved" or not _is_ours(path):
                yield f"journal {path}"
        blobs |= {n for n in await catalog.store_of(context, root).blob_names() if RECIPE.fullmatch(n)}
        for path in (private / "undo" / "incoming").glob("*"):
            yield f"unfinished recipe {path}"
    for name in blobs ^ kept:
        yield f"undo recipe {name} is {'not needed' if name in blobs else 'gone'}"
    for path in (context.settings.data / STAGING).glob("*"):
        if path.suffix != ".part" and path.name in await _claimed(context):
            yield f"staged file {path}"


def _is_ours(path: Path) -> bool:
    """Tell whether a journal has a living owner: workers keep theirs for the next edit."""
    try:
        with path.open("rb") as journal:
            fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, FileNotFoundError):
        # Locked by its owner, or settled by somebody in this instant.
        return True
    return not path.exists()


async def _claimed(context: Context) -> set[str]:
    query = "SELECT args->>'staged' AS token FROM work_order WHERE kind = $1 AND state = 'Completed'"
    return {row["token"] for row in await rows(context, query, INGEST_UPLOAD)}
