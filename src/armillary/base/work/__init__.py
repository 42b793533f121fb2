"""The one engine of background work: a table, a claim, a loop."""

from armillary.base.work.claim import Claim, completing_all
from armillary.base.work.errors import LostLease, OrderCancelled
from armillary.base.work.kinds import Kind, Later, Surroundings
from armillary.base.work.models import (
    NO_LIMIT,
    JsonObject,
    JsonValue,
    Merging,
    NewOrder,
    Order,
    Outcome,
    Response,
    State,
    about,
)
from armillary.base.work.retry import Retry
from armillary.base.work.steps import step
from armillary.base.work.store import ask, outcomes, purge, submit, unfinished
from armillary.base.work.waiting import wait_for
from armillary.base.work.worker import Worker

__all__ = [
    "NO_LIMIT",
    "Claim",
    "JsonObject",
    "JsonValue",
    "Kind",
    "Later",
    "LostLease",
    "Merging",
    "NewOrder",
    "Order",
    "OrderCancelled",
    "Outcome",
    "Response",
    "Retry",
    "State",
    "Surroundings",
    "Worker",
    "about",
    "ask",
    "completing_all",
    "outcomes",
    "purge",
    "step",
    "submit",
    "unfinished",
    "wait_for",
]
