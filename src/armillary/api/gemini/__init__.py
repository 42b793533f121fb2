"""The wire interface of Gemini's FitsStorage: fixHead, the ODB and scripts change the host name alone."""

from fastapi import APIRouter

from armillary.api.gemini import files, fullheader, lists, tar, update_headers, uploads

router = APIRouter()
for part in (update_headers, lists, files, tar, fullheader, uploads):
    router.include_router(part.router)
