"""`/api/v1/data_cube/`: the cubes that somebody may know of, and all that is told of one."""

from __future__ import annotations

from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response

from armillary.api.http.calls import Call, Ctx
from armillary.api.http.policy import Policy
from armillary.api.sst_archive.documents import CUBES, cube_documents
from armillary.api.sst_archive.errors import as_json
from armillary.api.sst_archive.filters import following, read_query
from armillary.archive.cubes import service as cubes
from armillary.archive.cubes.errors import CubeNotFound
from armillary.archive.cubes.service import ShownCube
from armillary.errors import NotFound

router = APIRouter()
anybody = [Depends(Policy(None))]
CUBE = f"{CUBES}/{{number}}"


class NoSuchPage(NotFound):
    """The list has no such page."""

    code = "no_such_page"


@router.get(CUBES, dependencies=anybody)
async def listed(request: Request, ctx: Ctx) -> Response:
    """List cubes, the latest first: by oid, file name, instrument, time, tags, and place on the solar disk.

    A cube fits if it overlaps the interval from `date_beg` to `date_end`, and if it has one of the terms of
    `features`, and one of those of `events`. `x`, `y` and `radius` are a circle on the disk in arcseconds, of
    which cubes that are not public are not found.
    """
    asked = read_query(request.query_params)
    async with ctx.context.database.begin(snapshot=True) as connection:
        found = await cubes.list_cubes(
            connection, asked.wanted, ctx.principal, today=ctx.today, first=asked.first, most=asked.page_size
        )
    if asked.page > 1 and asked.first >= found.count:
        raise NoSuchPage
    more = asked.first + asked.page_size < found.count
    return as_json(
        {
            "count": found.count,
            "next": _page(request, asked.page + 1) if more else None,
            "previous": _page(request, asked.page - 1) if asked.page > 1 else None,
            "results": await cube_documents(found.cubes),
        }
    )


def _page(request: Request, page: int) -> str:
    return f"{CUBES}/?{urlencode(following(request.query_params, page))}"


@router.get(CUBE, dependencies=anybody)
async def one(ctx: Ctx, number: str) -> Response:
    """Tell all that is known of a cube."""
    (document,) = await cube_documents([await cube_of(ctx, number)])
    return as_json(document)


async def cube_of(ctx: Call, number: str) -> ShownCube:
    """Return the cube of an id in a path.

    Raises
    ------
    CubeNotFound
        If there is none that the caller may know of.
    """
    if not (number.isascii() and number.isdecimal() and len(number) < 19):
        raise CubeNotFound
    async with ctx.context.database.begin() as connection:
        return await cubes.show_cube(connection, int(number), ctx.principal, today=ctx.today)
