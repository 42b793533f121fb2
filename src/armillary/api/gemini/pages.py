"""The pages for people that FitsStorage has: bookmarks and links of old lead to what is in their place."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from armillary.api.gemini.selecting import anybody

router = APIRouter()
PAGES = ("/searchform", "/summary", "/ssummary", "/lsummary", "/diskfiles")
SUCCESSOR = "/"


async def moved() -> Response:
    """Lead to the page that is in the place of an old one."""
    return RedirectResponse(SUCCESSOR, HTTPStatus.SEE_OTHER)


for _page in PAGES:
    for _path in (_page, f"{_page}/{{selection:path}}"):
        router.add_api_route(_path, moved, dependencies=anybody, include_in_schema=False)
