"""Take an edit back: byte for byte if nothing came after it, card by card otherwise."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog import service as catalog
from armillary.archive.catalog.models import Version
from armillary.base.store import ObjectStore, Snapshot
from armillary.base.work import NewOrder, Order, submit
from armillary.context import Context
from armillary.edits import store
from armillary.edits.apply import HduEffect
from armillary.edits.errors import NothingToRevert, RevertBlocked
from armillary.edits.execution import Execution, Judged, Rewrite, begin, complete
from armillary.edits.history.service import History, history_of, history_of_file
from armillary.edits.kinds import REVERT_EDIT
from armillary.edits.models import Origin, Outcome
from armillary.edits.past import state_with, way_back
from armillary.errors import NotFound
from armillary.fits.bzip2 import retrace
from armillary.fits.containers import Container
from armillary.fits.crc import crc64
from armillary.fits.errors import PlanMismatch
from armillary.fits.models import CardEffect, Layout
from armillary.fits.plan import relayout
from armillary.fits.restore import restore_cards

WHOLE, BZIP2 = b"W", b"B"
_NUMBER = re.compile("[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Undo:
    """What has to be undone: the edit, the versions around it, and whether it is alone between them.

    ``past`` holds the versions of the file that the revert may lead to or pass.
    """

    edit: Any
    before: Version
    after: Version
    alone: bool
    past: tuple[Version, ...]


@dataclass(frozen=True, slots=True)
class Reversal:
    """What a revert leads to: headers, and the earlier state of the file that they are those of, if any."""

    undo: Undo
    target: Layout
    goal: Version | None


async def submit_revert(context: Context, file: str | int, edit_id: int | None, origin: Origin) -> int:
    """Queue the reversal of an edit of a file, given by name, path or id; return the order's id.

    Without the id of an edit it is the latest one.

    Raises
    ------
    NothingToRevert
        If there is no such edit that changed the file.
    RootNotClaimed
        If the archive may only read the file.
    """
    async with context.database.begin() as connection:
        if isinstance(file, int):
            past = await history_of_file(connection, file)
        else:
            past = await history_of(connection, file)
        edit = _choose(past, edit_id)
        version = (await where_to_revert(connection, [edit.version_after]))[edit.version_after]
        root = await catalog.root_by_id(connection, version.location.root_id)
        if refusal := root.refusal(version.name):
            raise refusal
        (order_id,) = await submit(connection, [order_of(edit.id, version, origin)], keyed_fifo=True)
    return order_id


async def where_to_revert(connection: AsyncConnection, version_ids: Sequence[int]) -> dict[int, Version]:
    """Return which version edits are to be taken back of, by the ids of the versions that they led to.

    That is where the edit was made, since the file may lie in other directories, too; if it has moved from
    there, where it is now.
    """
    found = await catalog.versions_by_id(connection, version_ids)
    present: defaultdict[int, list[Version]] = defaultdict(list)
    for one in await catalog.present_of_files(connection, {one.file_id for one in found.values()}):
        present[one.file_id].append(one)
    return {number: _now(one, present[one.file_id]) for number, one in found.items()}


def _now(version: Version, present: Sequence[Version]) -> Version:
    (only,) = present if len(present) == 1 else (version,)
    # An older copy is not where the file went, and recipes of the way back stay with the root.
    moved = only.id > version.id and only.location.root_id == version.location.root_id
    return only if moved else version


def order_of(edit_id: int, version: Version, origin: Origin) -> NewOrder:
    """Return the order to take an edit back where ``version`` is."""
    return NewOrder(
        kind=REVERT_EDIT,
        args={
            "file_key": version.location.file_key,
            "file_id": version.file_id,
            "name": version.name,
            "edit_id": edit_id,
            "reverts": edit_id,
            "address": origin.address,
            "why": origin.why,
        },
        key=version.location.file_key,
        actor=origin.actor,
        response_required=True,
    )


def _choose(past: History, edit_id: int | None) -> Any:
    changing = [edit for edit in past.edits if edit.outcome == Outcome.CHANGED]
    if edit_id is not None:
        found = [edit for edit in changing if edit.id == edit_id]
        if not found:
            ids = ", ".join(str(edit.id) for edit in changing) or "none"
            raise NothingToRevert(f"Edit {edit_id} did not change this file; edits that did: {ids}.")
        return found[0]
    undone = {edit.reverts for edit in changing if edit.reverts}
    open_edits = [edit for edit in changing if not edit.reverts and edit.id not in undone]
    if not open_edits:
        raise NothingToRevert("Every edit of this file is reverted already, or it never had one.")
    return open_edits[-1]


async def undo_of(connection: AsyncConnection, edit_id: int, version: Version) -> Undo:
    """Return what is needed to take an edit of the stored file back that ``version`` is of.

    Raises
    ------
    NothingToRevert
        If there is no such edit, it changed nothing, or another file.
    """
    (found,) = await undos_of(connection, [(edit_id, version)])
    if isinstance(found, NothingToRevert):
        raise found
    return found


async def undos_of(
    connection: AsyncConnection, pairs: Sequence[tuple[object, Version]]
) -> list[Undo | NothingToRevert]:
    """Return the same for many edits, each of another file, or why one cannot be taken back."""
    ids = [int(str(edit_id)) if _NUMBER.fullmatch(str(edit_id)) else 0 for edit_id, _ in pairs]
    edits = await store.changing_edits(connection, ids)
    around = {row.id: (row.version_before, row.version_after) for row in edits.values()}
    versions = await catalog.versions_by_id(connection, {one for both in around.values() for one in both})
    together = await store.edits_between(connection, [row.file_id for row in edits.values()])
    now = await where_to_revert(connection, list(versions))
    found: list[Undo | NothingToRevert] = []
    for edit_id, (_, version) in zip(ids, pairs, strict=True):
        edit = edits.get(edit_id)
        if edit is None:
            found.append(NothingToRevert(f"There is no edit {edit_id} that changed a file."))
        elif edit.file_id != version.file_id or version.location not in (
            versions[edit.version_after].location,
            now[edit.version_after].location,
        ):
            found.append(NothingToRevert(f"Edit {edit_id} changed another file than {version.location.key}."))
        else:
            before, after = (versions[one] for one in around[edit_id])
            alone = together.get(around[edit_id]) == 1
            past = await _past_of(connection, before, after, version, latest=alone)
            found.append(Undo(edit, before, after, alone, past))
    return found


async def _past_of(
    connection: AsyncConnection, before: Version, after: Version, now: Version, *, latest: bool
) -> tuple[Version, ...]:
    """Return the versions that matter: mostly an edit is the latest, and leads from one state to another."""
    if latest and now.id == after.id:
        return (before, after)
    return tuple(await catalog.versions_of(connection, now.file_id))


def reversal_of(version: Version, undo: Undo) -> Reversal:
    """Return what taking an edit back leads to, a known state of the file wherever possible.

    Raises
    ------
    RevertBlocked
        If a later edit changed the same card.
    """
    now = version.layout()
    # Without the headers of both sides, which retention may take, the cards go back one by one.
    kept = undo.before.is_whole and undo.after.is_whole
    if undo.alone and kept and now.headers == undo.after.headers():
        goal: Version | None = undo.before
    else:
        target = _cards_back(now, undo)
        goal = state_with(target.headers, undo.past, now=version, rather=undo.before)
    if goal is not None:
        target = relayout(now, dict(enumerate(goal.headers())))
    return Reversal(undo, target, goal)


def execute_revert(
    bytes_of: ObjectStore,
    version: Version,
    order: Order,
    reversal: Reversal,
    recipe: Sequence[bytes],
    *,
    max_unpacked: int,
) -> Execution:
    """Prepare a reversal; ``recipe`` gives the compressed bytes of its goal back, newest step first."""
    with bytes_of.open(version.location.key) as snapshot:
        execution = begin(version, snapshot, [order], max_unpacked=max_unpacked)
        execution.target = reversal.target
        cards = reversal.undo.edit.cards
        execution.judged.append(Judged(order, tuple(_inverse(card) for card in reversed(cards))))
        if execution.must_write and execution.container is not Container.PLAIN and not execution.resumed:
            execution.rewrite = _old_bytes(snapshot, version, reversal.goal, recipe)
        complete(execution, snapshot)
    return execution


def _old_bytes(
    snapshot: Snapshot, version: Version, goal: Version | None, recipe: Sequence[bytes]
) -> Rewrite | None:
    """Return the exact compressed bytes of the goal, if the recipe still leads there."""
    if not recipe or goal is None:
        return None
    now: bytes = snapshot.read_at(0, snapshot.stored.size)
    if crc64(now) != version.file_crc:
        return None
    if recipe[0][:1] == WHOLE:
        # The same edit of these bytes gives the present ones again, so there is nothing to be kept of them.
        data, undo = recipe[0][1:], b""
    else:
        data, back = retrace(now, [step[1:] for step in recipe])
        undo = BZIP2 + back
    crc = crc64(data)
    return Rewrite(data, crc, undo) if (len(data), crc) == (goal.file_size, goal.file_crc) else None


def _cards_back(now: Layout, undo: Undo) -> Layout:
    by_hdu: dict[int, list[tuple[bytes, bytes]]] = {}
    for card in undo.edit.cards:
        pair = card["old_raw"].encode("latin-1"), card["new_raw"].encode("latin-1")
        by_hdu.setdefault(card["extension"], []).append(pair)
    target = now
    try:
        for index, pairs in by_hdu.items():
            after = target.size - target.hdus[index].data_offset
            header = restore_cards(target.headers[index], pairs, bytes_after=after)
            target = relayout(target, {index: header})
    except PlanMismatch as error:
        raise RevertBlocked(f"{error.message}: a later edit changed it; revert that one first.") from None
    return target


def _inverse(card: dict[str, Any]) -> HduEffect:
    old, new = card["old_raw"].encode("latin-1"), card["new_raw"].encode("latin-1")
    return HduEffect(
        card["extension"], CardEffect(card["keyword"], card["new"], card["old"], not new, new, old)
    )


async def recipe_of(bytes_of: ObjectStore, version: Version, reversal: Reversal) -> list[bytes]:
    """Return the recipes from the present bytes of a compressed file to those of the goal, as far as kept."""
    if reversal.goal is None or version.container == Container.PLAIN:
        return []
    names = way_back(reversal.undo.past, version, reversal.goal) or ()
    try:
        return [await bytes_of.get_blob(name) for name in names]
    except NotFound:
        return []


def digests_after(
    execution: Execution, goal: Version | None, stored_size: int
) -> dict[str, str | None] | None:
    """Return the digests of the state that a revert leads to if its very bytes are back."""
    if goal is None or goal.data_md5 is None:
        return None
    crc = execution.rewrite.crc if execution.rewrite else execution.target_crc()
    if (crc, stored_size) != (goal.file_crc, goal.file_size):
        return None
    names = ("file_md5", "data_md5", "file_sha256", "data_sha256")
    return {name: getattr(goal, name) for name in names}
