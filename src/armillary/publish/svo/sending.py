"""Bring the record of one file up to date, as an order of the outbox asks."""

from __future__ import annotations

from collections.abc import Sequence

from armillary.archive.query.service import offered_files
from armillary.context import Context
from armillary.publish.svo import store
from armillary.publish.svo.applying import Applier, WritesRefused
from armillary.publish.svo.comparing import whole_digest
from armillary.publish.svo.errors import SvoRefused, SvoUnauthorized
from armillary.publish.svo.local import Local, begin_in
from armillary.publish.svo.models import Acknowledged, Action, Dataset, Outcome, Product, Step
from armillary.publish.svo.observatory import Observatory
from armillary.publish.svo.transport import reach

Sent = dict[str, str]


async def send_file(context: Context, file_id: int) -> Sent:
    """Create, change or delete the records of a file, and return what was done by oid.

    Raises
    ------
    SvoAway, SvoUnauthorized, SvoRefused
        If that did not work.
    """
    today = context.clock.now().date()
    async with context.database.begin() as connection:
        one = (await offered_files(connection, [file_id], today=today)).get(file_id)
        former = await store.of_file(connection, file_id)
    name = Local(context).dataset_of(one.instrument) if one is not None and one.known else None
    if name is None and not former:
        return {}
    async with reach(context.settings.svo, dry_run=False) as transport:
        return await _Sender(context, Observatory(transport)).send(file_id, name, former)


class _Sender:
    """One file and one connection."""

    def __init__(self, context: Context, observatory: Observatory) -> None:
        self._context, self._settings = context, context.settings.svo
        self._observatory, self._local = observatory, Local(context)

    async def send(self, file_id: int, name: str | None, former: Sequence[Acknowledged]) -> Sent:
        names = dict.fromkeys(self._settings.datasets.values())
        datasets = {known: await self._observatory.dataset(known) for known in names}
        products = await self._local.of_file(datasets[name], file_id) if name else []
        if unclear := next((one for one in products if not one.oid), None):
            # What its records are is not known; a sync keeps them for the same reason.
            return self._left(unclear)
        kept = {(name, one.oid) for one in products if not one.reason or one.failed}
        done: Sent = {}
        for old in former:
            if old.dataset in datasets and (old.dataset, old.oid) not in kept:
                await self._remove(datasets, old, done)
        refused: list[SvoRefused] = []
        for product in products:
            try:
                await self._bring_up(datasets, datasets[str(name)], product, done)
            except SvoRefused as error:
                refused.append(error)
        if refused:
            raise refused[0]
        return done

    def _left(self, product: Product) -> Sent:
        if product.failed:
            raise _unpublishable(product)
        return {product.file: product.reason}

    async def _bring_up(
        self, datasets: dict[str, Dataset], dataset: Dataset, product: Product, done: Sent
    ) -> None:
        """Publish a product, or tell why it is not published."""
        if product.failed:
            raise _unpublishable(product)
        if product.reason:
            outcome = done.get(product.oid)
            done[product.oid] = f"{outcome}: {product.reason}" if outcome else product.reason
        else:
            await self._publish(datasets, dataset, product, done)

    async def _publish(
        self, datasets: dict[str, Dataset], dataset: Dataset, product: Product, done: Sent
    ) -> None:
        if product.place is None:
            raise AssertionError("a product that is published has a place")
        digest = whole_digest(product.digest, product.place)
        async with self._context.database.begin() as connection:
            known = await store.of_oid(connection, dataset.name, product.oid)
        if known is not None and known.file_id == product.file_id and known.digest == digest:
            done[product.oid] = Outcome.UNCHANGED
            return
        if await self._is_superseded(dataset, product, known):
            done[product.oid] = "superseded"
            return
        stored = await self._observatory.record(dataset, product.oid)
        action = Action.CREATE if stored is None else Action.UPDATE
        step = Step(action, product.oid, product.file, product.file_id, place=product.place)
        await self._apply(datasets, dataset, step)
        async with self._context.database.begin() as connection:
            row = Acknowledged(dataset.name, product.oid, product.file_id, digest)
            await store.acknowledge(connection, dataset.name, [row], now=self._context.clock.now())
        done[product.oid] = str(step.outcome)

    async def _is_superseded(self, dataset: Dataset, product: Product, known: Acknowledged | None) -> bool:
        """Tell whether another file has the oid now, which may be on its way at this very moment.

        Where all products would have to be read for that, the one that is published is asked alone.
        """
        if begin_in(product.oid) is not None:
            holder = await self._local.holder(dataset, product.oid)
            return holder is not None and holder.file_id != product.file_id
        if known is None or known.file_id == product.file_id:
            return False
        rivals = await self._local.of_file(dataset, known.file_id)
        return any(one.oid == product.oid and not one.reason and one.rank > product.rank for one in rivals)

    async def _remove(self, datasets: dict[str, Dataset], old: Acknowledged, done: Sent) -> None:
        """Delete a record of before, unless another product has its oid: then it is that one's."""
        dataset = datasets[old.dataset]
        holder = await self._local.holder(dataset, old.oid)
        if holder is not None:
            await self._publish(datasets, dataset, holder, done)
            return
        step = Step(Action.DELETE, old.oid, file_id=old.file_id)
        await self._apply(datasets, dataset, step)
        if step.outcome is Outcome.DELETED:
            async with self._context.database.begin() as connection:
                await store.forget(connection, old.dataset, [old.oid])
        done[old.oid] = str(step.outcome)

    async def _apply(self, datasets: dict[str, Dataset], dataset: Dataset, step: Step) -> None:
        applier = Applier(
            self._observatory,
            dataset,
            list(datasets.values()),
            draw=lambda one: self._local.draft(dataset, one.file_id, one.oid),
            present=_nobody,
        )
        try:
            await applier.apply([step])
        except WritesRefused:
            raise SvoUnauthorized from None
        if step.outcome is Outcome.FAILED:
            raise SvoRefused(f"{step.oid}: {step.error}")


async def _nobody() -> Sequence[str]:
    """Return no oid: who may have that of a record was looked up before it is deleted."""
    return ()


def _unpublishable(product: Product) -> SvoRefused:
    return SvoRefused(f"{product.file} cannot be published: {product.reason}.")
