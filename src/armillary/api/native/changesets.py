"""Change sets: one edit of many files, seen before, followed on its way, stopped, resumed, retried, taken back."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import JSONResponse
from msgspec import Meta
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from armillary.api.http.answers import Answer, answered, answers
from armillary.api.http.body import documented, parsed
from armillary.api.http.calls import Call, Ctx
from armillary.api.http.discretion import without_paths
from armillary.api.http.values import plain
from armillary.api.native.routing import (
    REFUSALS,
    SELECTION_REFUSALS,
    WRITE_REFUSALS,
    AskedOrder,
    editors,
    failures,
    storable_words,
)
from armillary.base.work import wait_for
from armillary.edits.changesets import service
from armillary.edits.changesets.documents import (
    AskedChangeSet,
    ChangeSetReport,
    ChangeSetSummary,
    MemberFile,
)
from armillary.edits.changesets.errors import BadChangeSet, ChangeSetBusy, UnknownChangeSet
from armillary.edits.changesets.models import MOST_LISTED, Action, FileState, Wanted
from armillary.edits.errors import ItemRefused
from armillary.edits.models import Origin
from armillary.edits.service import Discretion
from armillary.errors import BadRequest, RequestTooLarge

router = APIRouter()
PATH = "/v1/changesets"
_Text = Annotated[str, StringConstraints(max_length=1000)]
_Id = Annotated[int, Path(ge=1, lt=1 << 63)]
_EXAMPLE: dict[str, Any] = {
    "selection": ["GMOS-N/20221215/Raw"],
    "keywords": ["EXPTIME>10"],
    "values": {"qa_state": "Pass", "generic": [["OBSERVER", "A. Newcomer"]]},
    "reject_new": True,
    "why": "she was it",
    "dry_run": False,
}
_SET: dict[str, Any] = {
    "id": 4711,
    "state": "applying",
    "actor": "fixHead",
    "why": "she was it",
    "batch": None,
    "created": "2026-01-01T05:00:00Z",
    "finished": None,
    "reverter": None,
    "values": {"qa_state": "Pass"},
    "selection": ["GMOS-N/20221215/Raw"],
    "keywords": [],
    "criteria": [],
    "comments": {},
    "names": [],
    "reject_new": True,
    "extension": None,
    "matched": 1200,
    "files": {**dict.fromkeys(map(str, FileState), 0), "waiting": 200, "queued": 100, "changed": 900},
    "dry_run": False,
}
_ONE = {**_SET, "files_per_s": 612.5, "errors": []}
_ASKED: dict[str, Any] = {
    "id": 4711,
    "state": "requested",
    "actor": "fixHead",
    "created": "2026-01-01T05:00:00Z",
    "values": {"qa_state": "Pass"},
    "selection": ["GMOS-N/20221215/Raw"],
    "keywords": [],
    "criteria": [],
    "comments": {},
    "names": [],
    "reject_new": True,
    "extension": None,
    "error": None,
    "dry_run": False,
}


def _example(schema: dict[str, Any]) -> None:
    schema["example"] = _EXAMPLE


class ChangeSets(Answer):
    """A page of change sets, newest first."""

    changesets: list[ChangeSetSummary]
    before: Annotated[int | None, Meta(description="What leads to the older ones; null on the last page.")]


class MemberFiles(Answer):
    """Some files of a change set, in order of their ids."""

    files: list[MemberFile]
    after: Annotated[int | None, Meta(description="What leads to the next ones; null on the last page.")]


class NewChangeSet(BaseModel):
    """Which files to change, and how; ``values`` as in the items of POST /update_headers.

    ``comments`` are those of cards that ``generic`` sets, by keyword.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra=_example)

    values: dict[str, Any]
    selection: Annotated[list[_Text], Field(max_length=100)] = []
    keywords: Annotated[list[_Text], Field(max_length=100)] = []
    names: Annotated[list[_Text], Field(max_length=service.MOST_NAMES)] = []
    reject_new: bool = False
    comments: Annotated[dict[_Text, _Text], Field(max_length=500)] = {}
    extension: int | str | tuple[str, int] | None = None
    why: _Text = ""
    batch: _Text | None = None
    dry_run: bool = False
    samples: Annotated[int, Field(ge=0, le=service.MOST_SAMPLES)] = 10

    def wanted(self) -> Wanted:
        """Return what is wanted of which files."""
        given = self.extension
        extension: int | str | list[str | int] | None
        extension = [given[0], given[1]] if isinstance(given, tuple) else given
        return Wanted(
            values=self.values,
            selection=tuple(self.selection),
            keywords=tuple(self.keywords),
            names=tuple(self.names),
            reject_new=self.reject_new,
            extension=extension,
            comments=self.comments,
        )


@router.post(
    PATH,
    dependencies=editors,
    status_code=HTTPStatus.ACCEPTED,
    openapi_extra=documented(NewChangeSet),
    responses=answers(AskedChangeSet, _ASKED, ChangeSetReport, status=202)
    | failures(BadRequest, BadChangeSet, *SELECTION_REFUSALS, ItemRefused, RequestTooLarge, *WRITE_REFUSALS),
)
async def create(
    ctx: Ctx,
    body: Annotated[NewChangeSet, Depends(parsed(NewChangeSet))],
    wait: Annotated[float, Query(ge=0, le=60, description="Seconds to wait for it.")] = 0,
) -> JSONResponse:
    """Edit many files as one change set, or tell with ``dry_run`` what that would do.

    The files are those that fit when the change set is created; the answer says where it can be followed. Of files
    whose headers a token may not read, a dry run tells only how many there are (``withheld``), and conditions on
    positions and keywords mean none of them.
    """
    storable_words(body.why, body.batch)
    origin = Origin(ctx.principal.name, ctx.address, body.why, body.batch)
    async with ctx.context.database.begin() as connection:
        samples = body.samples if body.dry_run else None
        change_set = await service.ask(
            connection, ctx.context, body.wanted(), origin, samples=samples, viewer=ctx.principal
        )
    if wait:
        await wait_for(ctx.context.database, ctx.context.signals, [change_set], wait)
    shown = await _document(ctx, change_set)
    return answered(shown, HTTPStatus.ACCEPTED, {"Location": f"{PATH}/{change_set}"})


@router.get(
    PATH,
    dependencies=editors,
    responses=answers(ChangeSets, {"changesets": [_SET], "before": None}) | failures(*REFUSALS),
)
async def overview(
    ctx: Ctx,
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 20,
    before: Annotated[int | None, Query(ge=1, lt=1 << 63, description="Id to go on below.")] = None,
) -> JSONResponse:
    """List change sets, newest first, with the number of their files in every state."""
    async with ctx.context.database.begin() as connection:
        found = await service.overview(connection, before=before, count=limit + 1, known=_known(ctx))
    after = found[limit - 1].id if len(found) > limit else None
    return answered(ChangeSets(changesets=found[:limit], before=after))


@router.get(
    f"{PATH}/{{id}}",
    dependencies=editors,
    responses=answers(ChangeSetReport, _ONE, AskedChangeSet) | failures(UnknownChangeSet, *REFUSALS),
)
async def one(ctx: Ctx, id: _Id) -> JSONResponse:
    """Tell how a change set stands: files by state, rate, the first errors; or what a dry run found."""
    return answered(await _document(ctx, id))


@router.get(
    f"{PATH}/{{id}}/files",
    dependencies=editors,
    responses=answers(
        MemberFiles,
        {
            "files": [{"file": "N20221215S0001.fits", "state": "changed", "edit": 77, "error": None}],
            "after": None,
        },
    )
    | failures(UnknownChangeSet, *REFUSALS),
)
async def files(
    ctx: Ctx,
    id: _Id,
    state: Annotated[list[FileState] | None, Query(description="Only files in these states.")] = None,
    after: Annotated[int, Query(ge=0, lt=1 << 63, description="From the answer before.")] = 0,
    limit: Annotated[int, Query(ge=1, le=service.MOST_FILES)] = 100,
) -> JSONResponse:
    """List the files of a change set, each with its state, its edit, and why it was not changed."""
    async with ctx.context.database.begin() as connection:
        found, more = await service.files(
            connection, id, state or (), after=after, count=limit, known=_known(ctx)
        )
    body = plain(MemberFiles(files=found, after=more))
    await without_paths(ctx, body["files"], "error")
    return answered(body)


@router.post(
    f"{PATH}/{{id}}/{{action}}",
    dependencies=editors,
    status_code=HTTPStatus.ACCEPTED,
    responses=answers(AskedOrder, {"order": 4712}, status=202)
    | failures(UnknownChangeSet, ChangeSetBusy, *WRITE_REFUSALS),
)
async def act(ctx: Ctx, id: _Id, action: Action) -> JSONResponse:
    """Stop a change set, resume it, retry its refused and failed files, or take back what it changed.

    The answer names the work order that does it.
    """
    async with ctx.context.database.begin() as connection:
        order = await service.ask_to(connection, id, action, actor=ctx.principal.name)
    return answered(AskedOrder(order=order), HTTPStatus.ACCEPTED)


async def _document(call: Call, change_set: int) -> dict[str, Any]:
    async with call.context.database.begin() as connection:
        found = await service.document(connection, change_set, _known(call))
    shown: dict[str, Any] = plain(found)
    await without_paths(call, [shown, *shown.get("errors", ())], "error")
    return shown


def _known(call: Call) -> Discretion:
    return Discretion(call.principal, call.today)
