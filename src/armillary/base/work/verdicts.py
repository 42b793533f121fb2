"""What becomes of an order whose run ended without success: another try, when, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from armillary.base.log import get_logger
from armillary.base.work.claim import report_of
from armillary.base.work.holding import Holds
from armillary.base.work.models import Order, Report, Response, State, about
from armillary.base.work.retry import Retry
from armillary.base.work.statements import IN_DOUBT
from armillary.settings import WorkSettings

log = get_logger(__name__)


class Verdicts:
    """The verdicts of one worker on its orders; ``chance`` in [0, 1) spreads what would be tried at once."""

    def __init__(self, settings: WorkSettings, chance: Callable[[], float]) -> None:
        self._usual = Retry(settings.retry_first_s, settings.retry_last_s, settings.max_attempts)
        self._holds = Holds(settings.room_s)
        self._chance = chance

    def on(self, order: Order, report: Report, retry: Retry | None, *, took_s: float) -> Report:
        """Return a report with the time of the next try, or with the end if there is none.

        ``retry`` is how often orders of its kind are tried, if not as usual.
        """
        if report.held is not None:
            delay_s = self._holds.delay_s(report.held, took_s=took_s, chance=self._chance())
            # Whoever waits already was told of; again and again it would fill the log of a full disk.
            write = log.info if order.held else log.warning
            write("order waits for room", **about(order), error=report.error, again_s=round(delay_s, 3))
            return replace(report, delay_s=delay_s)
        if report.outcome is not State.QUEUED or not report.counted:
            return report
        retry = retry or self._usual
        most = retry.most(order)
        # What may have happened already is worth many more tries than what has not: only a run can tell.
        if most is not None and order.attempts >= most * (IN_DOUBT if order.intent else 1):
            log.warning("order failed", **about(order), error=report.error)
            return report_of(order, Response.failure(report.error or "", report.code))
        delay_s = retry.delay_s(order.attempts, self._chance())
        log.warning("order is tried again", **about(order), error=report.error, again_s=round(delay_s, 3))
        return replace(report, delay_s=delay_s)

    def note_passed(self, orders: Iterable[Order]) -> None:
        """Note that orders got through; whatever they had waited for is not in the way any more."""
        for order in orders:
            if order.held is not None:
                self._holds.passed(order.held)

    def take_freed(self) -> dict[str, int]:
        """Return how many of those that wait for each obstacle may try now, once."""
        return self._holds.take_freed()
