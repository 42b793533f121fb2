"""The kinds of background work of change sets."""

from __future__ import annotations

from armillary.base.work import Kind, Later
from armillary.context import Context

CREATE, PREVIEW, CONTROL, STEP = "change_set", "change_set_preview", "change_set_control", "change_set_step"
_TASKS = "armillary.edits.changesets.tasks"
KINDS: tuple[Kind[Context], ...] = (
    Kind(CREATE, Later(_TASKS, "create_set")),
    Kind(PREVIEW, Later(_TASKS, "preview_set")),
    Kind(CONTROL, Later(_TASKS, "control_set")),
    Kind(STEP, Later(_TASKS, "step_set")),
)
