"""The pages for people that FitsStorage has: bookmarks and links of old lead to what is in their place."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from armillary.api.gemini.selecting import anybody
from armillary.api.http.paths import segments_below

router = APIRouter()
PAGES = ("/searchform", "/summary", "/ssummary", "/lsummary", "/diskfiles")
SUCCESSOR = "/frames"


async def moved(request: Request) -> Response:
    """Lead to the search page, with the selection that the old address had."""
    surface = request.url.path.split("/")[1]
    # Slashes inside of a segment are written so by the archive of before, too.
    parts = [one.replace("/", "=slash=") for one in segments_below(request.scope, surface) if one]
    query = f"?{urlencode({'selection': '/'.join(parts)})}" if parts else ""
    return RedirectResponse(f"{SUCCESSOR}{query}", HTTPStatus.SEE_OTHER)


for _page in PAGES:
    for _path in (_page, f"{_page}/{{selection:path}}"):
        router.add_api_route(_path, moved, dependencies=anybody, include_in_schema=False)
