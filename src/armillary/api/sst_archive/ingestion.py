"""`POST /api/v1/ingest/`: take a file of an ingestion root in, and tell what it is then, or which order it has."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Depends, Request, Response

from armillary.access.models import Scope
from armillary.api.http.body import read_body
from armillary.api.http.calls import Call, Ctx
from armillary.api.http.discretion import without_paths
from armillary.api.http.policy import Policy
from armillary.api.sst_archive.documents import cube_documents
from armillary.api.sst_archive.errors import BadFields, as_json
from armillary.api.sst_archive.orders import location_of, why_failed
from armillary.api.sst_archive.requests import MAX_BODY, IngestRequest, read_request
from armillary.archive.cubes import service as cubes
from armillary.archive.cubes.errors import CubeNotFound, NoSuchSource, NotInRoot, UnknownIngestionRoot
from armillary.base.work import State, wait_for
from armillary.base.work.admin import OrderView, find_orders

router = APIRouter()
ingesters = [Depends(Policy(Scope.INGEST))]
WARNINGS = "X-Armillary-Warnings"
AGAIN = {"Retry-After": "30"}
_REFUSED = {
    "transient": HTTPStatus.SERVICE_UNAVAILABLE,
    "not ready": HTTPStatus.SERVICE_UNAVAILABLE,
    "internal": HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""What is told of an order that failed, by the kind of its error; others were read and refused."""


@router.post("/api/v1/ingest", dependencies=ingesters)
async def ingest(request: Request, ctx: Ctx) -> Response:
    """Take in a file, or take it in anew; in the mode `sync` wait for that and return the product.

    What is asked of a file that waits already merges with what was asked before.
    """
    asked = read_request(await read_body(request, MAX_BODY))
    submitted = await _submit(ctx, asked)
    headers = {"Location": location_of(submitted.number)}
    if asked.ignored:
        headers[WARNINGS] = f"ignored: {', '.join(asked.ignored)[:1000]}".encode("ascii", "replace").decode()
    if asked.mode == "async":
        return as_json({"order": submitted.number}, HTTPStatus.ACCEPTED, headers)
    wait_s = ctx.context.settings.ingestion.wait_s
    await wait_for(ctx.context.database, ctx.context.signals, [submitted.order], wait_s)
    return await _ended(ctx, submitted, headers)


async def _submit(ctx: Call, asked: IngestRequest) -> cubes.Submitted:
    try:
        return await cubes.submit(
            ctx.context,
            asked.relative_path,
            asked.options,
            root=asked.root,
            actor=ctx.principal.name,
            priority=asked.priority,
        )
    except NoSuchSource as error:
        raise BadFields.of(error.option, error.message) from None
    except UnknownIngestionRoot as error:
        raise BadFields.of("root", error.message) from None
    except NotInRoot as error:
        raise BadFields.of("relative_path", error.message) from None


async def _ended(ctx: Call, submitted: cubes.Submitted, headers: dict[str, str]) -> Response:
    """Return what came of an order: the product, why there is none, or that it goes on."""
    async with ctx.context.database.begin() as connection:
        view = (await find_orders(connection, [submitted.order])).get(submitted.order)
    if view is None or (view.finished is None and view.error is None):
        return as_json({"order": submitted.number}, HTTPStatus.ACCEPTED, headers)
    if view.state is State.COMPLETED:
        return await _product(ctx, view, headers)
    told = why_failed(view) or {}
    await without_paths(ctx, [told], "message")
    status = _REFUSED.get(str(told["kind"]), HTTPStatus.UNPROCESSABLE_ENTITY)
    again = AGAIN if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return as_json({**told, "order": submitted.number}, status, {**headers, **again})


async def _product(ctx: Call, view: OrderView, headers: dict[str, str]) -> Response:
    value = view.response.value if view.response else None
    told = value if isinstance(value, dict) else {}
    async with ctx.context.database.begin() as connection:
        cube = await cubes.cube_by_id(connection, int(told.get("cube") or 0))
        if cube is None:
            raise CubeNotFound("It was retired meanwhile.")
        shown = await cubes.show_cubes(connection, [cube], ctx.principal, today=ctx.today)
    if not shown:
        raise CubeNotFound("It was retired meanwhile.")
    (document,) = await cube_documents(shown)
    if told.get("outcome") == "superseded":
        headers = {**headers, WARNINGS: f"superseded: {told.get('why')}".encode("ascii", "replace").decode()}
    return as_json(document, HTTPStatus.CREATED if told.get("created") else HTTPStatus.OK, headers)
