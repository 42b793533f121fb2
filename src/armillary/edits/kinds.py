"""The kinds of background work of edits."""

from __future__ import annotations

from armillary.base.work import Kind, Later
from armillary.context import Context

UPDATE_HEADERS, REVERT_EDIT = "update_headers", "revert_edit"
BATCH, FOLD = 128, 200
KINDS: tuple[Kind[Context], ...] = (
    Kind(UPDATE_HEADERS, Later("armillary.edits.tasks", "update_headers"), batch=BATCH, fold=FOLD),
    Kind(REVERT_EDIT, Later("armillary.edits.tasks", "revert_edit"), batch=BATCH),
)
