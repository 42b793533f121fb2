"""The one engine of background work: a table, a claim, a loop."""

from armillary.base.work.claim import Claim, completing_all
from armillary.base.work.errors import LostLease
from armillary.base.work.kinds import Kind, Surroundings
from armillary.base.work.models import (
    JsonObject,
    JsonValue,
    NewOrder,
    Order,
    Outcome,
    Response,
    State,
    about,
)
from armillary.base.work.retry import Retry
from armillary.base.work.store import outcomes, purge, submit, unfinished
from armillary.base.work.waiting import wait_for
from armillary.base.work.worker import Worker

__all__ = [
    "Claim",
    "JsonObject",
    "JsonValue",
    "Kind",
    "LostLease",
    "NewOrder",
    "Order",
    "Outcome",
    "Response",
    "Retry",
    "State",
    "Surroundings",
    "Worker",
    "about",
    "completing_all",
    "outcomes",
    "purge",
    "submit",
    "unfinished",
    "wait_for",
]
