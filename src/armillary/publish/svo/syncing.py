"""A run: read both sides, say what is to be done, do it. The catalog here is the truth."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from armillary.context import Context
from armillary.errors import ArmillaryError
from armillary.publish.svo import store
from armillary.publish.svo.applying import Applier, WritesRefused
from armillary.publish.svo.comparing import differences, whole_digest
from armillary.publish.svo.documents import DatasetReport, RunReport, refused_writes
from armillary.publish.svo.errors import SvoAway
from armillary.publish.svo.local import Local, LocalSet
from armillary.publish.svo.models import Acknowledged, Action, Dataset, Draft, Outcome, Step
from armillary.publish.svo.observatory import Observatory
from armillary.publish.svo.planning import Limit, refusal_of, steps_of
from armillary.publish.svo.remote import Remote, known, read_remote


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a run may do.

    Parameters
    ----------
    oids
        The only products that are looked at; None stands for all, and for a comparison of whole datasets.
    show, confirm
        What is told of each plan before it is carried out, and what asks whether so many records may be deleted.
    """

    dry_run: bool = False
    updating: bool = False
    deleting: bool = True
    limit: Limit = field(default_factory=Limit)
    allow_empty: bool = False
    whole: bool = True
    oids: Collection[str] | None = None
    show: Callable[[DatasetReport], None] = lambda _report: None
    confirm: Callable[[DatasetReport, int], bool] = lambda _report, _count: True


class Run:
    """One run over some datasets."""

    def __init__(self, context: Context, observatory: Observatory, options: Options) -> None:
        self._context, self._settings, self._options = context, context.settings.svo, options
        self._observatory, self._local = observatory, Local(context)
        self._managed: list[Dataset] = []
        self._asked: set[str] = set()

    async def over(self, names: Sequence[str]) -> RunReport:
        """Bring datasets up to date.

        Raises
        ------
        SvoAway
            If the server cannot be reached before anything was read.
        """
        report = RunReport(
            self._options.dry_run, [DatasetReport(name, whole=self._options.whole) for name in names]
        )
        datasets: dict[str, Dataset] = {}
        for one in report.datasets:
            try:
                datasets[one.dataset] = await self._observatory.dataset(one.dataset)
            except SvoAway:
                raise
            except ArmillaryError as error:
                one.error = error.message
        self._managed = list(datasets.values())
        for one in report.datasets:
            if one.dataset in datasets:
                await self._bring_up(one, datasets[one.dataset])
        if missing := set(self._options.oids or ()) - self._asked:
            report.datasets.append(_unknown(await self._local.whys_not(missing)))
        return report

    async def _bring_up(self, report: DatasetReport, dataset: Dataset) -> None:
        try:
            remote = await self._plan(report, dataset)
        except ArmillaryError as error:
            report.error = error.message
            return
        if self._options.dry_run:
            report.plan()
        self._options.show(report)
        if not self._options.dry_run:
            self._ask(report)
            await self._apply(report, dataset, remote)

    async def _plan(self, report: DatasetReport, dataset: Dataset) -> Remote:
        local = await self._local.read(dataset)
        remote = await self._read(dataset, local)
        options = self._options
        steps = steps_of(
            local, remote, updating=options.updating, deleting=options.deleting and options.whole
        )
        report.local, report.remote = len(local.products), len(remote.records)
        report.steps = [one for one in steps if options.oids is None or one.oid in options.oids]
        self._asked |= {one.oid for one in report.steps}
        for step in report.steps:
            if step.action is Action.UPDATE:
                await self._compare(step, dataset)
        deletions = sum(one.action is Action.DELETE for one in report.steps)
        report.refusal = refusal_of(
            local, remote, deletions, limit=options.limit, allow_empty=options.allow_empty
        )
        return remote

    async def _read(self, dataset: Dataset, local: LocalSet) -> Remote:
        """Return the records there: all of them, or those of the products that are asked for."""
        tagged = self._settings.tags
        if self._options.whole:
            ours = f"{self._settings.public_url.rstrip('/')}/"
            return await read_remote(self._observatory, dataset, ours=ours, tagged=tagged)
        remote, wanted = Remote(), self._options.oids
        for oid in local.products:
            if wanted is None or oid in wanted:
                found = await self._observatory.record(dataset, oid)
                if found is not None:
                    remote.records[oid] = known(found, tagged=tagged)
        return remote

    async def _compare(self, step: Step, dataset: Dataset) -> None:
        """Find out what differs; a step without differences is none."""
        draft = await self._draw(dataset, step)
        stored = await self._observatory.record(dataset, step.oid)
        if draft is None or stored is None:
            return
        step.differences = differences(dataset.keywords, draft, stored)
        if not step.differences:
            step.action = Action.UNCHANGED

    async def _draw(self, dataset: Dataset, step: Step) -> Draft | None:
        draft = await self._local.draft(dataset, step.file_id, step.oid)
        if draft is None or step.place is None:
            return draft
        gave_way = step.place.file_path == draft.place.spare_path
        return replace(draft, place=draft.place.beside()) if gave_way else draft

    def _ask(self, report: DatasetReport) -> None:
        deletions = sum(one.action is Action.DELETE for one in report.due())
        if deletions and not self._options.confirm(report, deletions):
            report.refusal = "they were not confirmed"

    async def _apply(self, report: DatasetReport, dataset: Dataset, remote: Remote) -> None:
        report.settle()
        applier = Applier(
            self._observatory,
            dataset,
            self._managed,
            draw=partial(self._draw, dataset),
            present=partial(self._local.oids, dataset),
            sure=not remote.gap,
            tidying=self._options.deleting,
        )
        try:
            await applier.apply(report.due())
        except WritesRefused:
            report.error, report.refused_writes = refused_writes([dataset.name]), True
        except SvoAway as error:
            report.error = error.message
        report.wrote = applier.wrote
        await self._acknowledge(report)

    async def _acknowledge(self, report: DatasetReport) -> None:
        """Note what is there as it should be, so that it is not sent again by itself."""
        good = (Outcome.CREATED, Outcome.UPDATED, Outcome.UNCHANGED)
        known = [
            Acknowledged(report.dataset, one.oid, one.file_id, whole_digest(one.digest, one.place))
            for one in report.steps
            if one.outcome in good and one.place is not None
        ]
        gone = [one.oid for one in report.steps if one.outcome is Outcome.DELETED]
        async with self._context.database.begin() as connection:
            await store.acknowledge(connection, report.dataset, known, now=self._context.clock.now())
            await store.forget(connection, report.dataset, gone)


def _unknown(whys: Mapping[str, str]) -> DatasetReport:
    steps = [
        Step(Action.FAIL, oid, reason=why, outcome=Outcome.FAILED, error=why)
        for oid, why in sorted(whys.items())
    ]
    return DatasetReport("", steps=steps)
