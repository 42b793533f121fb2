"""The native dialect: what is here, health, search, and all that is known of one file."""

from __future__ import annotations

from fastapi import APIRouter

from armillary.api.native import (
    about,
    changes,
    changesets,
    edits,
    exports,
    files,
    frames,
    orders,
    pictures,
    status,
)

router = APIRouter()
for _part in (about, changes, changesets, edits, exports, files, frames, orders, pictures, status):
    router.include_router(_part.router)
