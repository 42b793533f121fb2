"""The wire interface of Gemini's FitsStorage: fixHead, the ODB and scripts change the host name alone."""

from fastapi import APIRouter

from armillary.api.gemini import files, fullheader, lists, tar, update_headers, uploads
from armillary.api.gemini.errors import UPDATES, render
from armillary.api.gemini.selecting import READERS
from armillary.api.http.dialect import Dialect

SURFACES = (
    UPDATES,
    "/jsonfilelist",
    "/jsonfilenames",
    "/jsonsummary",
    "/jsonqastate",
    "/file",
    "/download",
    "/fullheader",
    "/upload_file",
)

_router = APIRouter()
for _part in (update_headers, lists, files, tar, fullheader, uploads):
    _router.include_router(_part.router)

DIALECT = Dialect(name="gemini", router=_router, prefixes=SURFACES, render_error=render, carriers=READERS)
