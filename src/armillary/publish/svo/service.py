"""What commands and other nouns may ask of publishing: bring the virtual observatory up to date."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AsyncExitStack

from armillary.base.alone import alone
from armillary.context import Context
from armillary.publish.svo.documents import DatasetReport, RunReport
from armillary.publish.svo.errors import SvoNotConfigured, SyncRuns, UnknownDataset
from armillary.publish.svo.observatory import Observatory
from armillary.publish.svo.outbox import Outbox, register, standing
from armillary.publish.svo.planning import Limit
from armillary.publish.svo.secrets import SECRETS
from armillary.publish.svo.syncing import Options, Run
from armillary.publish.svo.transport import reach
from armillary.settings import SvoSettings

LOCK = 0x4152_4D53_564F
__all__ = [
    "SECRETS",
    "DatasetReport",
    "Limit",
    "Options",
    "Outbox",
    "RunReport",
    "check_settings",
    "register",
    "run",
    "standing",
]


async def run(
    context: Context, options: Options, *, datasets: Sequence[str] = (), timeout_s: float | None = None
) -> RunReport:
    """Carry out one run over the datasets of the settings, or some of them.

    Raises
    ------
    SvoNotConfigured, SvoKeyMissing, SvoKeyExposed
        If settings or environment do not say enough.
    SvoAway
        If the server cannot be reached.
    SyncRuns
        If another run goes on.
    UnknownDataset
        If no instrument has a dataset of that name.
    """
    check_settings(context.settings.svo)
    names = _chosen(context.settings.svo, datasets)
    async with AsyncExitStack() as stack:
        # A dry run changes nothing: it may be made at any time, and keeps nobody waiting.
        if not options.dry_run and await stack.enter_async_context(alone(context.database, LOCK)) is None:
            raise SyncRuns
        way = reach(context.settings.svo, dry_run=options.dry_run, timeout_s=timeout_s)
        transport = await stack.enter_async_context(way)
        return await Run(context, Observatory(transport), options).over(names)


def check_settings(settings: SvoSettings) -> None:
    """Refuse settings that do not say what is published as what.

    Raises
    ------
    SvoNotConfigured
        If so.
    """
    if not settings.datasets:
        raise SvoNotConfigured("No instrument has a dataset: set svo.datasets, as in docs/svo.md.")
    if not settings.public_url:
        raise SvoNotConfigured("The files have no public address: set svo.public_url, as in docs/svo.md.")


def _chosen(settings: SvoSettings, wanted: Collection[str]) -> list[str]:
    known = list(dict.fromkeys(settings.datasets.values()))
    if strange := sorted(set(wanted) - set(known)):
        raise UnknownDataset(
            f"No instrument has the dataset '{strange[0]}'; svo.datasets has: {', '.join(known)}."
        )
    return [name for name in known if not wanted or name in wanted]
