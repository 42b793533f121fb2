"""A small dialect: what a new interface needs, and no more. It mounts by one entry in the list of dialects."""

from __future__ import annotations

from fastapi import Depends, Request, Response
from fastapi.responses import JSONResponse
from starlette.requests import HTTPConnection

from armillary.access.models import Scope
from armillary.api.http.body import read_body
from armillary.api.http.bytes import serve_bytes
from armillary.api.http.calls import Ctx
from armillary.api.http.carriers import Carriers
from armillary.api.http.cors import Cors
from armillary.api.http.dialect import Dialect, DialectRouter
from armillary.api.http.failures import Failure
from armillary.api.http.policy import Policy
from armillary.archive.intake import service as intake
from armillary.archive.query import service as query
from armillary.edits.models import EditRequest, Origin, Target
from armillary.edits.service import checked, rules_of, submit_edit
from armillary.errors import BadRequest
from armillary.fits.models import CardChange

router = DialectRouter(prefix="/toy")
anybody = [Depends(Policy(None))]


@router.get("/frames", dependencies=anybody)
async def find(ctx: Ctx, telescope: str | None = None) -> Response:
    """List frames of a telescope."""
    terms = query.terms_of(telescope=telescope)
    async with ctx.context.database.begin() as connection:
        page = await query.search(connection, terms, ctx.principal, today=ctx.today, limit=100)
    return JSONResponse([query.plain_values(one) for one in page.frames])


@router.get("/frames/{name}", dependencies=anybody)
async def fetch(request: Request, ctx: Ctx, name: str) -> Response:
    """Send a frame."""
    return await serve_bytes(request, ctx, name)


@router.put("/frames/{name}", dependencies=[Depends(Policy(Scope.UPLOAD))])
async def put(request: Request, ctx: Ctx, name: str) -> Response:
    """Take a frame in."""
    staged, order = await intake.receive_upload(
        ctx.context, request.stream(), path="toys", name=name, declared=None, actor=ctx.principal.name
    )
    return JSONResponse({"order": order, "md5": staged.md5}, 202)


@router.post("/frames/{name}/cards", dependencies=[Depends(Policy(Scope.EDIT))])
async def edit(request: Request, ctx: Ctx, name: str) -> Response:
    """Set one card: the body is ``KEYWORD=text``."""
    keyword, separator, value = (await read_body(request, 10_000)).decode("ascii", "replace").partition("=")
    if not separator:
        raise BadRequest("say KEYWORD=text")
    wanted = EditRequest(target=Target(name), cards=(CardChange(keyword, value),))
    asked = checked(wanted, rules_of(ctx.context.settings.edits))
    accepted, _ = await submit_edit(ctx.context, asked, Origin(ctx.principal.name, ctx.address, "a toy"))
    return JSONResponse({"order": accepted.order_id}, 202)


@router.get("/sites/{site}", dependencies=[Depends(Policy(Scope.SITE, on="site"))])
async def look_after(ctx: Ctx, site: str) -> Response:
    """Say who looks after a site: a token may be for this one alone."""
    return JSONResponse({"site": site, "by": ctx.principal.name})


def render(connection: HTTPConnection, failure: Failure) -> Response:
    """Return a failure as this dialect has them: it knows no 422."""
    body = {"oops": failure.code, "because": failure.message}
    return JSONResponse(body, 400 if failure.status == 422 else failure.status, failure.headers)


CARRIERS, CORS = Carriers(headers=("X-Toy",)), Cors(origins=("https://toys.example",))
TOY = Dialect(
    name="toy", router=router, prefixes=("/toy",), render_error=render, carriers=CARRIERS, cors=CORS
)
