"""The kinds of background work of exports, but for those that serve one destination each."""

from __future__ import annotations

from armillary.base.work import Kind, Later
from armillary.context import Context

PLAN, QUEUE, RETRY = "plan_exports", "queue_exports", "retry_exports"
BATCH = 100
_TASKS = "armillary.exports.tasks"
KINDS: tuple[Kind[Context], ...] = (
    Kind(PLAN, Later(_TASKS, "plan_exports"), batch=BATCH),
    Kind(QUEUE, Later(_TASKS, "queue_exports")),
    Kind(RETRY, Later(_TASKS, "retry_exports")),
)
