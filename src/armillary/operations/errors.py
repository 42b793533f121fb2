"""What goes wrong when an archive is looked at, and when people want something of a work order."""

from __future__ import annotations

from armillary.errors import Conflict, NotFound, Unavailable


class DatabaseAway(Unavailable):
    """The database does not respond; retry when it does."""

    code = "database_away"


class OrderNotFound(NotFound):
    """There is no such work order, or its record has expired."""

    code = "order_not_found"


class NotCancellable(Conflict):
    """Only an order that waits, or makes steps, can be cancelled; wait for its end, then revert what it did."""

    code = "order_not_cancellable"


class NotRetryable(Conflict):
    """Only an order that failed, or waits for its time, can be tried again, and only in its place."""

    code = "order_not_retryable"
