"""The wire interface of Gemini's FitsStorage: fixHead, the ODB and scripts change the host name alone."""

from armillary.api.gemini import files, fullheader, lists, pages, tar, update_headers, uploads, xml
from armillary.api.gemini.errors import UPDATES, render
from armillary.api.gemini.selecting import READERS
from armillary.api.http.dialect import Dialect, DialectRouter

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
    "/xmlfilelist",
    *pages.PAGES,
)

_router = DialectRouter()
for _part in (update_headers, lists, xml, files, tar, fullheader, uploads, pages):
    _router.include_router(_part.router)

DIALECT = Dialect(name="gemini", router=_router, prefixes=SURFACES, render_error=render, carriers=READERS)
