"""One change set: how far it is, what became of its files; stopping, resuming, retrying and reverting it."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Path, Query, Request, Response
from fastapi.responses import RedirectResponse
from msgspec.structs import asdict

from armillary.api.http.calls import Call, Ctx
from armillary.api.http.discretion import without_paths
from armillary.base.work import wait_for
from armillary.console.orders import WORK
from armillary.console.rendering import page_or_part
from armillary.console.routing import editors, origin_of, page_router
from armillary.console.sessions import refuse_other_sites
from armillary.edits.changesets import service
from armillary.edits.changesets.models import ALLOWED, Action, ChangeSetState, FileState
from armillary.edits.service import Discretion

router = page_router()
PATIENCE_S = 5.0
"""How long an answer waits for a worker; after that the page shows by itself what comes."""
SHOWN_FILES = 50
_SETTLED = (FileState.CHANGED, FileState.UNCHANGED, FileState.REFUSED, FileState.FAILED)
_BACK = (FileState.REVERTED, FileState.KEPT, FileState.UNCHANGED, FileState.REFUSED, FileState.FAILED)
_IDLE = {
    Action.STOP: (ChangeSetState.STOPPING, ChangeSetState.STOPPED),
    Action.RESUME: (ChangeSetState.APPLYING,),
    Action.REVERT: (ChangeSetState.REVERTING, ChangeSetState.REVERTED),
}
"""Where an action would change nothing."""
_UNSAID: dict[str, Any] = {"why": "", "error": None, "finished": None, "reverter": None, "files_per_s": 0.0}
"""What only some say: a set is still to be created, a dry run, or there."""
Id = Annotated[int, Path(ge=1, lt=1 << 63)]


@router.get("/changesets/{id}", dependencies=editors)
async def change_set(
    request: Request,
    ctx: Ctx,
    id: Id,
    state: FileState | None = None,
    after: Annotated[int, Query(ge=0, lt=1 << 63)] = 0,
) -> Response:
    """Show how a change set stands, and some of its files with what became of each."""
    values = await _values(ctx, id, state, after) | {"origin": origin_of(request), "place": WORK}
    return page_or_part(request, "changeset.html", "changeset", values)


@router.post("/changesets/{id}/{action}", dependencies=editors)
async def act(request: Request, ctx: Ctx, id: Id, action: Action) -> Response:
    """Stop, resume, retry or revert a change set, and show it when a worker has taken that on."""
    refuse_other_sites(request)
    async with ctx.context.database.begin() as connection:
        order = await service.ask_to(connection, id, action, actor=ctx.principal.name)
    await wait_for(ctx.context.database, ctx.context.signals, [order], PATIENCE_S)
    return RedirectResponse(f"/changesets/{id}", HTTPStatus.SEE_OTHER)


async def _values(call: Call, id: int, state: FileState | None, after: int) -> dict[str, Any]:
    known = Discretion(call.principal, call.today)
    files: list[dict[str, Any]] = []
    more = None
    async with call.context.database.begin() as connection:
        found = _UNSAID | asdict(await service.document(connection, id, known))
        if "matched" in found:
            states = () if state is None else (state,)
            listed, more = await service.files(
                connection, id, states, after=after, count=SHOWN_FILES, known=known
            )
            files = [asdict(one) for one in listed]
    found["errors"] = [asdict(one) for one in found.get("errors", ())]
    await without_paths(call, [found, *found["errors"], *files], "error")
    return {
        "set": found,
        "preview": found.get("preview") or None,
        "failures": _failures(found["errors"]),
        "files": files,
        "more": more,
        "only": state,
        "actions": _actions(found) if "matched" in found else [],
        **_progress(found),
    }


def _failures(errors: Sequence[dict[str, Any]]) -> dict[tuple[str, str | None], list[str]]:
    """Return the files that failed first, by how they stand and why."""
    found: dict[tuple[str, str | None], list[str]] = {}
    for one in errors:
        found.setdefault((str(one["state"]), one["error"]), []).append(one["file"])
    return found


def _actions(found: dict[str, Any]) -> list[Action]:
    """Return what can be asked of a change set, and would change something."""
    state, files = ChangeSetState(found["state"]), found["files"]
    possible = [one for one in Action if state in ALLOWED[one] and state not in _IDLE.get(one, ())]
    if not files[FileState.REFUSED] + files[FileState.FAILED]:
        possible = [one for one in possible if one is not Action.RETRY]
    if state is ChangeSetState.APPLYING or files[FileState.CHANGED] or files[FileState.KEPT]:
        return possible
    return [one for one in possible if one is not Action.REVERT]


def _progress(found: dict[str, Any]) -> dict[str, Any]:
    """Return how many files are done, and about how long the others take."""
    if "matched" not in found:
        return {"done": 0, "left_s": None}
    back = found["state"] in (ChangeSetState.REVERTING, ChangeSetState.REVERTED)
    done = sum(found["files"][one] for one in (_BACK if back else _SETTLED))
    rate = found["files_per_s"]
    return {"done": done, "left_s": (found["matched"] - done) / rate if rate else None}
