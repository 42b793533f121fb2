"""The work orders of publishing: a sync that is due again and again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from armillary.base.work import Claim, Kind, Response, Retry, Worker
from armillary.base.work.periods import Period
from armillary.context import Context
from armillary.errors import ArmillaryError
from armillary.publish.svo import outbox, service
from armillary.publish.svo.errors import SyncIncomplete, SyncRuns
from armillary.settings import SvoSettings

SYNC = "svo_sync"
MOST_TOLD = 5
AGAIN_S = 60.0
"""How long a sync waits for the end of one that somebody else has begun."""
SLOTS = 2
"""A sync, and beside it what is sent by itself."""


async def sync(context: Context, claims: Sequence[Claim]) -> None:
    """Bring the virtual observatory up to date, as the command without options does."""
    (claim,) = claims
    options = service.Options(updating=context.settings.svo.update_existing)
    try:
        report = await service.run(context, options)
    except SyncRuns as error:
        claim.postpone(AGAIN_S, error.message)
        return
    except ArmillaryError as error:
        await claim.fail(error)
        return
    if report.exit_code:
        await claim.fail(SyncIncomplete(_told(report)))
        return
    value: Any = report.totals
    claim.complete(Response(value=value))


def _told(report: service.RunReport) -> str:
    problems = report.problems()
    more = f"; and {len(problems) - MOST_TOLD} more" if len(problems) > MOST_TOLD else ""
    return f"{'; '.join(problems[:MOST_TOLD])}{more}"


def periods_of(settings: SvoSettings) -> tuple[Period, ...]:
    """Return what is due again and again."""
    if not settings.datasets:
        return ()
    due = [Period(outbox.FOLLOW, outbox.FOLLOW_S)] if settings.publish else []
    if settings.sync_every is not None:
        due.append(Period(SYNC, settings.sync_every.total_seconds()))
    return tuple(due)


def kinds_of(settings: SvoSettings) -> list[Kind[Context]]:
    """Return the kinds of work of publishing; what fails for a while is tried again as the settings say."""
    retry = Retry(settings.retry_first_s, settings.retry_last_s)
    endless = Retry(settings.retry_first_s, settings.retry_last_s, None)
    return [
        Kind(SYNC, sync, retry=retry, interruptible=True),
        Kind(outbox.FOLLOW, outbox.follow),
        Kind(outbox.SEND, outbox.send, retry=endless),
    ]


def workers_of(context: Context, name: str) -> list[Worker[Context]]:
    """Return the worker that publishes, if anything is published: it shares nothing but the process."""
    settings = context.settings.svo
    if not settings.datasets:
        return []
    return [Worker(context, kinds_of(settings), name=f"{name}-svo", slots=SLOTS)]
