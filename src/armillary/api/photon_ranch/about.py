"""What is here."""

from __future__ import annotations

from fastapi import APIRouter, Response

from armillary.api.photon_ranch.replies import raw
from armillary.api.photon_ranch.rights import anybody, needs

router = APIRouter()


@router.get("/", dependencies=anybody(), include_in_schema=False)
async def greet() -> Response:
    """Say that the interface is here, as clients expect it."""
    return raw("New photon ranch API")


@router.post("/dummy-requires-auth", dependencies=needs(None, guarded=True), include_in_schema=False)
async def known() -> Response:
    """Say that it is known who asks: clients try their credentials here."""
    return raw("successful authorization")
