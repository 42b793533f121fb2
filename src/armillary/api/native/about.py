"""What is here, whether it works, and how much it does."""

from __future__ import annotations

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from armillary import __version__
from armillary.api.native.routing import anybody
from armillary.context import Context
from armillary.operations.exposition import MEDIA_TYPE, exposition

router = APIRouter()


@router.get("/", dependencies=anybody, response_class=PlainTextResponse)
async def index() -> str:
    """Say what this is and where things are."""
    return (
        f"Armillary {__version__}: a living FITS archive.\n\n"
        "  /v1/frames            search: name, site, instrument, filter, night, cone, keywords\n"
        "  /file/NAME            the bytes of a file (Range, ETag, digests)\n"
        "  /v1/files/NAME/preview, .../thumbnail\n"
        "  /update_headers       POST header updates (scope edit)\n"
        "  /upload_file/PATH/NAME  POST a file (scope upload)\n"
        "  /v1/health  /v1/metrics  /openapi.json\n"
    )


@router.get("/v1/health", dependencies=anybody)
async def health(request: Request) -> dict[str, str]:
    """Answer when the database answers."""
    context: Context = request.app.state.context
    async with context.database.begin() as connection:
        await connection.execute(sa.text("SELECT 1"))
    return {"status": "ok", "version": __version__}


@router.get("/v1/metrics", dependencies=anybody, response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Return the metrics of the web process, the workers and the archive in the form of Prometheus."""
    context: Context = request.app.state.context
    return Response(await exposition(context), media_type=MEDIA_TYPE)
