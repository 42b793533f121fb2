"""Write into the catalog what edits did: versions, frames, the permanent record, the answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Location, Root, Version, with_sums
from armillary.archive.cubes import service as cubes
from armillary.archive.intake import service as intake
from armillary.archive.intake.service import describer_of
from armillary.archive.products import service as products
from armillary.base.store import StoredObject
from armillary.base.work import Claim, JsonObject, Response, Retry, completing_all
from armillary.context import Context
from armillary.edits import store
from armillary.edits.apply import HduEffect
from armillary.edits.execution import Execution, Judged, change_to_json, results_of
from armillary.edits.kinds import REVERT_EDIT, UPDATE_HEADERS
from armillary.edits.models import Outcome
from armillary.errors import ArmillaryError
from armillary.fits.containers import Container, logical_name


@dataclass(frozen=True, slots=True)
class Finished:
    """One file whose bytes are as they should be, ready for the catalog."""

    claim: Claim
    version: Version
    execution: Execution
    stored: StoredObject
    undo: str | None
    origin: str = "edit"
    digests: dict[str, str | None] | None = None


def location_of(key: str) -> Location:
    """Return the place that a file key names."""
    root, _, below = key.partition(":")
    path, _, filename = below.rpartition("/")
    return Location(int(root), path, filename)


async def places_of(
    connection: AsyncConnection, claims: Sequence[Claim]
) -> list[tuple[Claim, Root | None, Version | None]]:
    """Return root and present version of the file that each claim speaks of; the identity, never a search.

    A file that has another container now is another file: orders of the one and the other would not exclude
    each other.
    """
    roots = {root.id: root for root in await catalog.list_roots(connection)}
    wanted = {}
    for claim in claims:
        place = location_of(claim.order.key or "0:")
        wanted[claim.order.id] = (place.root_id, place.path, logical_name(place.filename))
    found = await catalog.present_at(connection, wanted.values())
    places: list[tuple[Claim, Root | None, Version | None]] = []
    for claim in claims:
        root, version = roots.get(wanted[claim.order.id][0]), found.get(wanted[claim.order.id])
        same = version is not None and version.location.file_key == claim.order.key
        places.append((claim, root, version if same else None))
    return places


async def fail(context: Context, claim: Claim, version: Version | None, error: ArmillaryError) -> None:
    """End every order of a claim with an error; one that may pass goes back to the queue instead.

    At the last attempt it does not; then too the end is recorded, unless the file is in doubt. What waits for
    room has no last attempt.
    """
    if error.waits or (error.transient and (claim.order.intent or not _is_last(context, claim))):
        await claim.fail(error)
        return
    responses = {order.id: Response.failure(error.message, error.code) for order in claim.orders}
    async with completing_all([claim], responses) as connection:
        if version is not None:
            now = context.clock.now()
            judged = [Judged(order, error=error) for order in claim.orders]
            rows = [_edit_row(one, version, version.id, now) for one in judged]
            await store.insert_edits(connection, rows)
    if version is None:
        async with context.database.begin() as connection:
            await store.record_failures(connection, [claim.order.kind], claim.order_ids)


def _is_last(context: Context, claim: Claim) -> bool:
    usual = Retry(max_attempts=context.settings.work.max_attempts)
    limits = [(order.attempts, usual.most(order)) for order in claim.orders]
    return all(most is not None and attempts >= most for attempts, most in limits)


async def record(
    connection: AsyncConnection, context: Context, finished: Sequence[Finished]
) -> dict[int, Response]:
    """Record new versions and every order's outcome; return the answers by order id."""
    now = context.clock.now()
    changed = [one for one in finished if one.execution.changed]
    new = [_new_version(context, one) for one in changed]
    ids = await catalog.record_versions(connection, new, now=now)
    after = dict(zip((one.version.id for one in changed), ids, strict=True))
    await catalog.move_products(connection, list(after.items()))
    await products.submit_products(
        connection,
        [after[one.version.id] for one in changed if not _known_digests(one)],
        actor="armillary",
        previews=False,
    )
    await cubes.follow_edits(context, connection, [one.location for one in new])
    responses: dict[int, Response] = {}
    rows: list[dict[str, Any]] = []
    for one in finished:
        version_after = after.get(one.version.id, one.version.id)
        digests = _digests(one, changed=version_after != one.version.id)
        for judged in one.execution.judged:
            rows.append(_edit_row(judged, one.version, version_after, now))
            responses[judged.order.id] = _response(judged, digests)
    await store.insert_edits(connection, rows)
    return responses


def _new_version(context: Context, one: Finished) -> catalog.NewVersion:
    execution, version = one.execution, one.version
    headers = execution.target.headers
    data_crc = execution.target_crc()
    settings = context.settings.archive
    describer = describer_of(intake.profiles_of(settings.profiles), settings.site)
    described = describer.describe(headers, version.name)
    rewrite, digested = execution.rewrite, execution.digested
    fields = described.fields
    if digested and digested.warnings:
        fields = {**fields, "warnings": tuple(dict.fromkeys((*fields["warnings"], *digested.warnings)))}
    return catalog.NewVersion(
        name=version.name,
        location=version.location,
        container=version.container,
        file_size=one.stored.size,
        data_size=execution.target.size,
        file_crc=data_crc if rewrite is None or execution.container is Container.PLAIN else rewrite.crc,
        data_crc=data_crc,
        mtime_ns=one.stored.mtime_ns,
        identity=one.stored.identity,
        hdus=with_sums(
            [
                dataclasses.replace(old, header_size=len(header))
                for old, header in zip(version.hdus, headers, strict=True)
            ],
            {**execution.sums, **(digested.sums if digested else {})},
        ),
        trailing=version.trailing,
        trailing_crc=version.trailing_crc,
        headers=headers,
        origin=one.origin,
        fields=fields,
        values=described.values,
        digests=_known_digests(one),
        previous_id=version.id,
        undo=one.undo,
    )


def _known_digests(one: Finished) -> dict[str, str | None]:
    """Return the digests of the outcome as far as they are known without reading it again."""
    return one.digests or (one.execution.digested.digests if one.execution.digested else {})


def _digests(one: Finished, *, changed: bool) -> dict[str, str | None]:
    version, after = one.version, _known_digests(one)
    return {
        "data_md5_before": version.data_md5,
        "data_md5_after": after.get("data_md5") if changed else version.data_md5,
        "file_md5_before": version.file_md5,
        "file_md5_after": after.get("file_md5") if changed else version.file_md5,
    }


def _response(judged: Judged, digests: dict[str, str | None]) -> Response:
    if judged.error is not None:
        return Response.failure(judged.error.message, judged.error.code)
    return Response(value=results_of(judged, digests, changed=bool(judged.effects)))


def _edit_row(judged: Judged, version: Version, version_after: int, now: datetime) -> dict[str, Any]:
    order = judged.order
    outcome = Outcome.CHANGED if judged.effects else Outcome.UNCHANGED
    return {
        "order_id": order.id,
        "request_id": order.request_id,
        "item_index": order.item_index,
        "file_id": version.file_id,
        "version_before": version.id,
        "version_after": version_after,
        "actor": order.actor,
        "address": str(order.args.get("address") or ""),
        "why": str(order.args.get("why") or ""),
        "outcome": Outcome.FAILED if judged.error else outcome,
        "error": judged.error.message if judged.error else None,
        "error_code": judged.error.code if judged.error else None,
        "cards": [_card_row(effect) for effect in judged.effects],
        "reverts": order.args.get("reverts"),
        "change_set": order.args.get("change_set"),
        "accepted": order.added,
        "finished": now,
    }


def _card_row(change: HduEffect) -> JsonObject:
    card = change.effect
    raw = {"old_raw": card.old_raw.decode("latin-1"), "new_raw": card.new_raw.decode("latin-1")}
    return {**change_to_json(change), **raw, "comment_cut": card.comment_cut}


async def record_failures(context: Context) -> int:
    """Put orders into the permanent record that failed where nobody could record it; return how many."""
    async with context.database.begin() as connection:
        return await store.record_failures(connection, [UPDATE_HEADERS, REVERT_EDIT])
