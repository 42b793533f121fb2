"""What everybody has counted, in the form that Prometheus reads: this process, the workers, the archive."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from armillary.archive.catalog import service as catalog
from armillary.base.metrics import REGISTRY
from armillary.base.work import overview
from armillary.context import Context
from armillary.headers import service as headers
from armillary.headers.delivery.models import Consumer
from armillary.operations import store
from armillary.operations.models import Disk, Queue
from armillary.operations.status import disks, queues
from armillary.pipe import service as pipe
from armillary.pipe.documents import MachineStatus
from armillary.pipe.models import QueueState

MEDIA_TYPE = "text/plain; version=0.0.4"


class _Families(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = tuple(families)

    def collect(self) -> Iterator[Metric]:
        """Yield the families as they are."""
        yield from self._families


async def exposition(context: Context) -> bytes:
    """Return the metrics of this process, those of every living worker, and the gauges of the archive.

    The samples of a worker bear its name as the label ``worker``. They are not added up: a worker that starts
    anew counts from zero, which is plain in a series of its own and would look like a loss in a sum.
    """
    async with context.database.begin() as connection:
        workers = await store.living(connection)
        waiting = await queues(connection)
        roots = await catalog.list_roots(connection)
        failed = await overview.failed(connection)
        items = await pipe.queues.states(connection)
        machines = await pipe.machines.list_all(connection)
        serving = await headers.metrics(connection)
        waiting_for = await headers.consumers(connection)
    room = await asyncio.to_thread(disks, {root.name: root.path for root in roots if root.path})
    registry = CollectorRegistry()
    own = [*REGISTRY.collect()]
    told = [(row.name, row.metrics) for row in workers] + [(f"header {name}", text) for name, text in serving]
    registry.register(_Families(_merged(own, told)))
    registry.register(_Families(_of_headers(waiting_for)))
    registry.register(_Families(_gauges(waiting, len(workers), failed, room)))
    seen = [pipe.machines.seen(one, context.clock.now()) for one in machines]
    registry.register(_Families(_of_pipe(items, seen)))
    return generate_latest(registry)


def _merged(own: Iterable[Metric], workers: Iterable[tuple[str, str]]) -> Iterator[Metric]:
    families = {family.name: family for family in own}
    for worker, text in workers:
        for theirs in text_string_to_metric_families(text):
            family = families.setdefault(
                theirs.name, Metric(theirs.name, theirs.documentation, theirs.type, theirs.unit)
            )
            for sample in theirs.samples:
                # The times at which series began would be series of their own.
                if not sample.name.endswith("_created"):
                    family.add_sample(sample.name, {**sample.labels, "worker": worker}, sample.value)
    return iter(families.values())


def _gauges(waiting: Iterable[Queue], workers: int, failed: int, room: Iterable[Disk]) -> Iterator[Metric]:
    depth = GaugeMetricFamily("armillary_queue_orders", "Unfinished work orders.", labels=["kind", "state"])
    age = GaugeMetricFamily(
        "armillary_queue_oldest_seconds",
        "Time since the oldest work order was accepted, or began.",
        labels=["kind", "state"],
    )
    for one in waiting:
        depth.add_metric([one.kind, "Queued"], one.waiting)
        depth.add_metric([one.kind, "Started"], one.started)
        age.add_metric([one.kind, "Queued"], one.oldest_waiting_s or 0.0)
        age.add_metric([one.kind, "Started"], one.oldest_started_s or 0.0)
    held = GaugeMetricFamily(
        "armillary_queue_held",
        "Work orders that wait for room on a disk or in the database.",
        labels=["kind"],
    )
    for one in waiting:
        held.add_metric([one.kind], one.held)
    free = GaugeMetricFamily(
        "armillary_root_free_bytes", "Room on the file system of a root.", labels=["root"]
    )
    for disk in room:
        if disk.free is not None:
            free.add_metric([disk.name], disk.free)
    yield depth
    yield age
    yield held
    yield free
    yield GaugeMetricFamily("armillary_failed_orders", "Failed work orders that are kept.", value=failed)
    yield GaugeMetricFamily("armillary_workers", "Workers whose session lives.", value=workers)


def _of_pipe(items: Iterable[QueueState], machines: Iterable[MachineStatus]) -> Iterator[Metric]:
    depth = GaugeMetricFamily("armillary_pipe_items", "Items in queues of PIPE.", labels=["queue", "state"])
    age = GaugeMetricFamily(
        "armillary_pipe_oldest_seconds", "Time since the oldest item that waits was sent.", labels=["queue"]
    )
    silent = GaugeMetricFamily(
        "armillary_pipe_machine_silent_seconds", "Time since a machine told its status.", labels=["machine"]
    )
    for one in items:
        for state in ("waiting", "leased", "delayed", "dead"):
            depth.add_metric([one.queue_name, state], getattr(one, state))
        age.add_metric([one.queue_name], one.oldest_age_s or 0.0)
    for machine in machines:
        silent.add_metric([machine.pipe_id], machine.last_seen_age_s)
    yield depth
    yield age
    yield silent


def _of_headers(consumers: Iterable[Consumer]) -> Iterator[Metric]:
    pending = GaugeMetricFamily(
        "armillary_header_pending", "Announcements that a consumer has not taken.", labels=["consumer"]
    )
    for one in consumers:
        pending.add_metric([one.name], one.pending)
    yield pending
