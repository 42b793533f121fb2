"""`/api/v1/ingest/orders/`: what is ordered of the paths of ingestion roots, and how it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query, Response

from armillary.access.models import Scope
from armillary.api.http.calls import Call, Ctx
from armillary.api.http.discretion import without_paths
from armillary.api.http.policy import Policy
from armillary.api.sst_archive.errors import BadFields, as_json
from armillary.archive.cubes import service as cubes
from armillary.archive.cubes.models import Options
from armillary.archive.errors import StillGrowing
from armillary.base.work import OrderCancelled, State
from armillary.base.work.admin import OrderView
from armillary.base.work.errors import HandlerFailed
from armillary.errors import NotFound, error_of
from armillary.operations import service as operations

router = APIRouter()
ingesters = [Depends(Policy(Scope.INGEST))]
ORDERS = "/api/v1/ingest/orders"
MAX_PAGE = 1000
Number = Annotated[int, Path(ge=1, lt=1 << 63)]


class IngestionNotFound(NotFound):
    """No such order is on record."""

    code = "ingestion_not_found"


def location_of(number: int) -> str:
    """Return the path by which an order is asked for."""
    return f"{ORDERS}/{number}/"


@router.get(ORDERS, dependencies=ingesters)
async def listed(
    ctx: Ctx,
    path: Annotated[str | None, Query(max_length=4096)] = None,
    state: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
    cursor: Annotated[int | None, Query(ge=1, lt=1 << 63)] = None,
) -> Response:
    """List orders, the latest first: of one path, or in one state."""
    wanted = _state(state)
    found = await cubes.ingestions(ctx.context, path=path, state=wanted, before=cursor, limit=limit + 1)
    shown = await told(ctx, found[:limit])
    more = found[limit - 1].latest.view.id if len(found) > limit else None
    following = f"{ORDERS}/?{_query(path, state, limit)}cursor={more}" if more else None
    return as_json({"results": shown, "next": following})


@router.get(f"{ORDERS}/{{number}}", dependencies=ingesters)
async def one(ctx: Ctx, number: Number) -> Response:
    """Tell how the order of a path stands, with what each step did."""
    (shown,) = await told(ctx, [await _found(ctx, number)])
    return as_json(shown)


@router.post(f"{ORDERS}/{{number}}/retry", dependencies=ingesters)
async def retry(ctx: Ctx, number: Number) -> Response:
    """Order the path once more, with the options of the run that failed."""
    found = await _found(ctx, number)
    await cubes.again(ctx.context, found, actor=ctx.principal.name)
    return as_json({"order": number}, HTTPStatus.ACCEPTED, {"Location": location_of(number)})


@router.post(f"{ORDERS}/{{number}}/cancel", dependencies=ingesters)
async def cancel(ctx: Ctx, number: Number) -> Response:
    """Take an order back: one that waits ends at once, one that runs before its next step."""
    found = await _found(ctx, number)
    order = found.latest.view.id
    async with ctx.context.database.begin() as connection:
        actor, address = ctx.principal.name, ctx.address
        await operations.ask_for(connection, operations.CANCEL, order, actor=actor, address=address)
    return as_json({"order": number}, HTTPStatus.ACCEPTED, {"Location": location_of(number)})


async def _found(ctx: Call, number: int) -> cubes.Ingestion:
    found = await cubes.ingestion(ctx.context, number)
    if found is None:
        raise IngestionNotFound
    return found


def _state(text: str | None) -> State | None:
    if not text:
        return None
    for one in State:
        if one.lower() == text.lower():
            return one
    raise BadFields.of("state", f"There is no state '{text}'; there are {', '.join(State)}.")


def _query(path: str | None, state: str | None, limit: int) -> str:
    said = {"path": path, "state": state, "limit": limit}
    return urlencode({name: value for name, value in said.items() if value is not None}) + "&"


async def told(ctx: Call, found: Sequence[cubes.Ingestion]) -> list[dict[str, Any]]:
    """Return orders as their clients read them, without the directories of the server."""
    shown = [_order(ctx, one) for one in found]
    steps = [step for one in shown for step in one["steps"]]
    errors = [one["error"] for one in shown if one["error"]]
    await without_paths(ctx, [*shown, *steps, *errors], "why", "message")
    return shown


def _order(ctx: Call, one: cubes.Ingestion) -> dict[str, Any]:
    run, view = one.latest, one.latest.view
    brought: Any = view.response.value if view.response else None
    value = brought if isinstance(brought, Mapping) else {}
    started = view.state is not State.QUEUED or view.attempts > 0
    return {
        "id": one.number,
        "root": cubes.name_of(ctx.context.settings.ingestion, one.root),
        "path": one.path,
        "state": view.state,
        "revision": run.revision,
        "claimed_revision": view.revision if started else None,
        "requested_at": _instant(run.requested),
        "updated_at": _instant(run.updated),
        "not_before": _instant(view.not_before),
        "priority": view.priority,
        "requested_by": view.actor,
        "options": Options.of_args(view.args).to_args(),
        "attempt": view.attempts,
        "max_attempts": view.max_attempts,
        "fence": run.fence,
        "lease_owner": view.lease_owner,
        "lease_until": _instant(run.lease_until),
        "started_at": _instant(view.started),
        "finished_at": _instant(view.finished),
        "current_step": view.step if view.state is State.STARTED else None,
        "steps": [dict(step) for step in one.steps],
        "error": why_failed(view),
        "oid": value.get("oid"),
        "outcome": value.get("outcome"),
        "why": value.get("why"),
        "warnings": list(value.get("warnings") or ()),
    }


def why_failed(view: OrderView) -> dict[str, Any] | None:
    """Return why an order failed, or is tried again, None if neither is so."""
    if view.error is None:
        return None
    return {"kind": _kind_of(view.error_code), "step": view.step, "message": view.error}


def _kind_of(code: str | None) -> str:
    """Return which kind an error is of, by its code: whether it passes, and whose fault it is."""
    match error_of(code, None):
        case OrderCancelled():
            return "cancelled"
        case StillGrowing():
            return "not ready"
        case HandlerFailed():
            return "internal"
        case error:
            return "transient" if error.transient or error.waits else "permanent"


def _instant(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat().replace("+00:00", "Z")
