"""Ask for change sets, create them, tell how they stand; processes that may only queue work ask by orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Literal, cast

from msgspec import UNSET, UnsetType
from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import OPERATOR, Principal
from armillary.base import work
from armillary.base.work import NO_LIMIT, JsonObject, NewOrder, admin, submit
from armillary.context import Context
from armillary.edits.changesets import store
from armillary.edits.changesets.documents import (
    AskedChangeSet,
    ChangeSetReport,
    ChangeSetSummary,
    MemberFile,
    StoredPreview,
    TroubledFile,
)
from armillary.edits.changesets.errors import ChangeSetBusy, UnknownChangeSet
from armillary.edits.changesets.kinds import CONTROL, CREATE, PREVIEW, STEP
from armillary.edits.changesets.members import MOST_NAMES, check, refuse_absent, terms_of
from armillary.edits.changesets.models import (
    ALLOWED,
    LEADS_TO,
    RESTING,
    Action,
    ChangeSet,
    ChangeSetState,
    FileState,
    Preview,
    Wanted,
)
from armillary.edits.changesets.preview import preview
from armillary.edits.changesets.rehearsal import Rehearsal, rehearse
from armillary.edits.disclosure import Discretion, viewer_of_json, viewer_to_json
from armillary.edits.models import Origin

MOST_SAMPLES, MOST_FILES = 100, 1000
FIRST_ERRORS, RATE_S = 10, 10.0
_ASKED: Mapping[str, Literal["previewed", "failed"]] = {"Completed": "previewed", "Failed": "failed"}
_TROUBLE = (FileState.REFUSED, FileState.FAILED, FileState.KEPT)


async def ask(
    connection: AsyncConnection,
    context: Context,
    wanted: Wanted,
    origin: Origin,
    *,
    samples: int | None = None,
    viewer: Principal = OPERATOR,
) -> int:
    """Queue the creation of a change set, or the preview of one with ``samples``; return the order's id.

    That is the id of the change set, too. Raises what `check` does.
    """
    check(context, wanted, viewer)
    if not wanted.names:
        wanted = replace(wanted, terms=terms_of(context, wanted, context.clock.now().date()))
    args: JsonObject = {
        "wanted": wanted.to_text(),
        "address": origin.address,
        "why": origin.why,
        "samples": samples,
        "viewer": viewer_to_json(viewer),
    }
    kind = CREATE if samples is None else PREVIEW
    return await work.ask(connection, kind, args, actor=origin.actor, batch=origin.batch)


async def ask_previewed(
    connection: AsyncConnection, context: Context, preview_id: int, origin: Origin, *, viewer: Principal
) -> int:
    """Queue the creation of the change set of which a dry run was made for this viewer; return the order's id.

    Its files are those that fit when it is created, by the terms of the dry run.

    Raises
    ------
    UnknownChangeSet
        If there is no such dry run, or it was made for somebody else.
    """
    order = None
    if 0 < preview_id < 1 << 63:
        order = (await admin.find_orders(connection, [preview_id])).get(preview_id)
    if (
        order is None
        or order.kind != PREVIEW
        or viewer_of_json(order.args.get("viewer"), order.actor) != viewer
    ):
        raise UnknownChangeSet(f"There is no dry run {preview_id} that was made for you.")
    wanted = Wanted.of_text(str(order.args["wanted"]))
    return await ask(connection, context, wanted, origin, viewer=viewer)


async def create(
    connection: AsyncConnection,
    context: Context,
    change_set: int,
    wanted: Wanted,
    origin: Origin,
    *,
    viewer: Principal = OPERATOR,
) -> int:
    """Fix the files of a change set and let the work begin; return how many files there are."""
    checked = check(context, wanted, viewer)
    now = context.clock.now()
    await refuse_absent(connection, wanted, today=now.date(), viewer=viewer)
    values = (
        *(change_set, origin.actor, origin.address, origin.why, origin.batch),
        *(wanted.to_text(), now),
    )
    matched = await store.insert(connection, values, checked.members, change_set)
    await begin_step(connection, change_set)
    return matched


async def begin_step(connection: AsyncConnection, change_set: int) -> int:
    """Queue the work on a change set unless it is queued; return the order, which ends when the work rests."""
    order = NewOrder(
        kind=STEP,
        args={"change_set": change_set},
        unique_key=f"{CREATE}:{change_set}",
        max_attempts=NO_LIMIT,
        actor="armillary",
    )
    (order_id,) = await submit(connection, [order], keyed_fifo=False)
    return order_id


async def get(connection: AsyncConnection, change_set: int, *, lock: bool = False) -> ChangeSet:
    """Return a change set.

    Raises
    ------
    UnknownChangeSet
        If there is none of that id.
    """
    if not 0 < change_set < 1 << 63 or (found := await store.find(connection, change_set, lock=lock)) is None:
        raise UnknownChangeSet(f"There is no change set {change_set}.")
    return found


async def _refuse_impossible(connection: AsyncConnection, found: ChangeSet, action: Action) -> None:
    if found.state not in ALLOWED[action]:
        first = "resume it first" if found.state in ALLOWED[Action.RESUME] else f"it cannot {action} any more"
        raise ChangeSetBusy(f"Change set {found.id} is {found.state}; {first}.")
    if action is Action.RETRY:
        counted = await store.counts(connection, found.id)
        if not counted.keys() & {FileState.REFUSED, FileState.FAILED}:
            raise ChangeSetBusy(f"No file of change set {found.id} was refused or failed; nothing to retry.")


async def ask_to(connection: AsyncConnection, change_set: int, action: Action, *, actor: str) -> int:
    """Queue an action, for processes that may not write change sets; return the order.

    Raises
    ------
    UnknownChangeSet, ChangeSetBusy
        If it can be told already that it is impossible.
    """
    await _refuse_impossible(connection, await get(connection, change_set), action)
    args: JsonObject = {"change_set": change_set, "action": str(action)}
    return await work.ask(connection, CONTROL, args, actor=actor)


async def act(connection: AsyncConnection, change_set: int, action: Action, *, actor: str) -> int:
    """Stop, resume, retry or revert a change set; return the order whose end is that of the work.

    A retry tries the files again that were refused or failed, a revert those that could not be taken back.

    Raises
    ------
    UnknownChangeSet, ChangeSetBusy
        If there is none, or not in this state.
    """
    found = await get(connection, change_set, lock=True)
    await _refuse_impossible(connection, found, action)
    await store.by_index(connection)
    if action in (Action.STOP, Action.REVERT):
        await store.withdraw(connection, change_set)
    if action is Action.REVERT:
        await store.try_kept_again(connection, change_set)
    if action is Action.RETRY:
        await store.try_failed_again(connection, change_set)
    if not (action is Action.STOP and found.state is ChangeSetState.STOPPED):
        reverter = actor if action is Action.REVERT else None
        await store.set_state(connection, change_set, LEADS_TO[action], reverter=reverter)
    return await begin_step(connection, change_set)


async def document(
    connection: AsyncConnection, change_set: int, known: Discretion | None = None
) -> ChangeSetReport | AskedChangeSet:
    """Return all that is known of a change set, of one that is still to be created, or of a preview.

    Raises
    ------
    UnknownChangeSet
        If there is none of that id.
    """
    if not 0 < change_set < 1 << 63:
        raise UnknownChangeSet(f"There is no change set {change_set}.")
    if found := await store.find(connection, change_set):
        return await _described(connection, found, known)
    order = (await admin.find_orders(connection, [change_set])).get(change_set)
    if order is None or order.kind not in (CREATE, PREVIEW):
        raise UnknownChangeSet(f"There is no change set {change_set}.")
    told = known is None or known.needless or order.actor == known.viewer.name
    return AskedChangeSet(
        id=order.id,
        state=_ASKED.get(order.state, "requested"),
        actor=order.actor,
        created=order.added,
        **_shown(
            Wanted.of_text(str(order.args["wanted"])),
            told=told,
            named=told or known is None or not await known.hides_names(connection),
        ),
        preview=_preview_in(order, known),
        error=order.error if told else None,
        dry_run=order.kind == PREVIEW,
    )


def _preview_in(order: admin.OrderView, known: Discretion | None) -> StoredPreview | UnsetType | None:
    """Return what a dry run found, if it is for this viewer; nothing of what is none, or has not ended well."""
    if order.kind != PREVIEW or order.response is None or not order.response.ok:
        return UNSET
    return cast(StoredPreview, order.response.value) if _is_for(known, order) else None


def _is_for(known: Discretion | None, order: admin.OrderView) -> bool:
    """Tell whether a preview shows no more than this viewer may see."""
    if known is None or known.needless:
        return True
    made_for = viewer_of_json(order.args.get("viewer"), order.actor)
    return made_for == known.viewer


async def _described(
    connection: AsyncConnection, found: ChangeSet, known: Discretion | None
) -> ChangeSetReport:
    counted = await store.counts(connection, found.id)
    trouble = await store.files(connection, found.id, _TROUBLE, after=0, count=FIRST_ERRORS)
    running = found.state not in RESTING
    told = await _may_be_told(connection, found, known)
    named = told or known is None or not await known.hides_names(connection)
    return ChangeSetReport(
        **_summed(found, counted, told=told, named=named),
        files_per_s=round(await store.rate(connection, found.id, RATE_S), 1) if running else 0.0,
        errors=[
            TroubledFile(file=one.name, state=FileState(one.state), error=error)
            for one, error in zip(trouble, await _errors(connection, trouble, known), strict=True)
            if known is None or known.knows(one.file_id)
        ],
    )


async def _may_be_told(connection: AsyncConnection, found: ChangeSet, known: Discretion | None) -> bool:
    """Tell whether a viewer may see what a change set writes: its own, and such of files that are open."""
    if known is None or known.needless or found.actor == known.viewer.name:
        return True
    return not await known.hides_any(connection, store.file_ids(found.id))


async def _errors(
    connection: AsyncConnection, rows: Sequence[Any], known: Discretion | None
) -> list[str | None]:
    if known is None:
        return [row.error for row in rows]
    await known.look_at(connection, [row.file_id for row in rows])
    return [known.error(row.error, row.file_id) for row in rows]


def _summed(found: ChangeSet, counted: dict[str, int], *, told: bool, named: bool) -> dict[str, Any]:
    """Return the fields of a summary."""
    return {
        "id": found.id,
        "state": found.state,
        "actor": found.actor,
        "why": found.why,
        "batch": found.batch,
        "created": found.created,
        "finished": found.finished,
        "reverter": found.reverter,
        **_shown(found.wanted, told=told, named=named),
        "matched": sum(counted.values()),
        "files": {state: counted.get(state, 0) for state in FileState},
        "dry_run": False,
    }


def _shown(wanted: Wanted, *, told: bool, named: bool) -> dict[str, Any]:
    """Return what a change set asks for; without names where some of them may be of files that are hidden."""
    shown = asdict(replace(wanted, terms=None)) | {"names": wanted.names[:MOST_SAMPLES] if named else ()}
    del shown["terms"]
    return (
        shown if told else shown | dict.fromkeys(("values", "selection", "keywords", "criteria", "comments"))
    )


async def overview(
    connection: AsyncConnection, *, before: int | None, count: int, known: Discretion | None = None
) -> list[ChangeSetSummary]:
    """Return change sets, newest first, beginning below an id."""
    shown = []
    for one in await store.latest(connection, before=before, count=count):
        told = await _may_be_told(connection, one, known)
        counted = await store.counts(connection, one.id)
        named = told or known is None or not await known.hides_names(connection)
        shown.append(ChangeSetSummary(**_summed(one, counted, told=told, named=named)))
    return shown


async def files(
    connection: AsyncConnection,
    change_set: int,
    states: Sequence[FileState],
    *,
    after: int,
    count: int,
    known: Discretion | None = None,
) -> tuple[list[MemberFile], int | None]:
    """Return some files of a change set, and where the next ones begin if there are any.

    Raises
    ------
    UnknownChangeSet
        If there is none of that id.
    """
    await get(connection, change_set)
    wanted = [str(one) for one in states or FileState]
    rows = await store.files(connection, change_set, wanted, after=after, count=count + 1)
    errors = await _errors(connection, rows[:count], known)
    shown = [
        MemberFile(file=one.name, state=FileState(one.state), edit=one.edit_id, error=error)
        for one, error in zip(rows[:count], errors, strict=True)
        if known is None or known.knows(one.file_id)
    ]
    return shown, rows[count - 1].file_id if len(rows) > count else None


def preview_to_json(found: Preview) -> dict[str, Any]:
    """Return a preview in plain values."""
    return asdict(found)


__all__ = [
    "MOST_FILES",
    "MOST_NAMES",
    "MOST_SAMPLES",
    "Rehearsal",
    "act",
    "ask",
    "ask_previewed",
    "ask_to",
    "begin_step",
    "create",
    "document",
    "files",
    "get",
    "overview",
    "preview",
    "preview_to_json",
    "rehearse",
]
