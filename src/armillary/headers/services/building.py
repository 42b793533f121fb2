"""Building headers: the bus is asked, a thread makes the header, revision and announcement are one commit.

Exposures are built beside each other, and a failure of one is its own. What the loop does itself takes moments:
rendering, hashing and packing are done by threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import msgspec
from msgspec import structs

from armillary.base.bus.models import Question
from armillary.base.bus.models import Stored as Sample
from armillary.base.database_errors import is_transient, reason_of
from armillary.base.log import get_logger
from armillary.context import Context
from armillary.headers.delivery import store
from armillary.headers.delivery.making import Inputs, Made, decompress, difference, revise, utc_of
from armillary.headers.delivery.models import HeaderFailed
from armillary.headers.exposures.machine import END, failed, rendered
from armillary.headers.exposures.models import Because, Exposure, ExposureState, Latest
from armillary.headers.exposures.moments import as_rendered
from armillary.headers.recipes.models import Template
from armillary.headers.render.rendering import pending, questions
from armillary.headers.render.sidecar import read_sidecar
from armillary.headers.services.configuration import Configuration, get_ready, kept
from armillary.headers.services.metrics import ANNOUNCED, FAILURES, INCOMPLETE, STAGES, UNCHANGED
from armillary.headers.services.models import TakenOver
from armillary.headers.services.register import Register
from armillary.headers.services.repeating import Repeats

log = get_logger(__name__)
T = TypeVar("T")
Write = Callable[[Any], Awaitable[bool]]
THREADS, TURN_S, MOST_AHEAD = 2, 0.5, 8
SETTLE_NS = 20_000_000
"""How soon an exposure is looked at again that waits for samples of some keywords."""
READOUT = frozenset({"readout_start", "readout_end"})
"""Moments shortly before the end of an exposure."""
AGAIN = frozenset({Because.D2, Because.LATE})
"""Reasons to make a header that has been announced again, mostly for nothing."""
Ahead = tuple[Exposure, "asyncio.Task[Made | None]"]
"""An exposure as it will be when its last event is written down, and the header that is made of that already."""


class Early(Exception):
    """A keyword waits for its sample."""


class Builder:
    """What makes and announces the headers of one instrument, by the authority of an ``epoch``."""

    def __init__(self, context: Context, known: Register, epoch: int) -> None:
        self._context, self._known, self._epoch = context, known, epoch
        self._instrument = known.instrument
        self._configurations: dict[int, Configuration] = {}
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="header")
        self.simulated = False
        self._last = asyncio.Event()
        self._last.set()
        self._ahead: dict[int, Ahead] = {}
        self._repeats = Repeats()
        self._rehearsal: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._rehearsal.set_result(None)

    def close(self) -> None:
        """Let go of the threads."""
        self._rehearsal.cancel()
        for _, task in self._ahead.values():
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def know(self, configuration: Configuration) -> None:
        """Remember a configuration that is kept, and do what its first header would wait for."""
        await self.apart(get_ready, configuration, self._context.bus.now())
        self._configurations[configuration.id] = configuration

    def foresee(self, exposure: Exposure) -> None:
        """Begin to make the header of an exposure as it will be known when its event is written down.

        If it never is, nobody asks for what was made. While an exposure is read out, its header is made so that
        most of it is known when the end comes, and for nothing else.
        """
        configuration = self._configurations.get(exposure.config)
        if configuration is None:
            return
        if exposure.because is not Because.END:
            if not READOUT.isdisjoint(exposure.moments) and self._rehearsal.done():
                self._rehearsal = asyncio.create_task(self._rehearse(exposure, configuration))
            return
        # What nobody took, since its event could not be written down, makes room.
        for number, (seen, task) in list(self._ahead.items()):
            if task.done() and self._known.get(number) is not seen:
                del self._ahead[number]
                self._known.building.discard(number)
        if len(self._ahead) >= MOST_AHEAD:
            return
        product = min(configuration.templates)
        task = asyncio.create_task(self._rendered(exposure, configuration, product))
        # Whoever takes it learns of its error; if nobody does, it does not matter.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        # A late sample that comes from now on makes another exposure of it, and what was made is not used.
        self._known.building.add(exposure.id)
        self._ahead[exposure.id] = exposure, task

    async def _rehearse(self, exposure: Exposure, configuration: Configuration) -> None:
        for product, template in configuration.templates.items():
            # What fails here fails again, and is told, when it counts.
            with contextlib.suppress(Exception):
                inputs = await self._inputs(exposure, configuration, template)
                await self.apart(revise, inputs, exposure.latest.get(product))

    async def configuration(self, number: int) -> Configuration:
        """Return a configuration by its number."""
        if number not in self._configurations:
            async with self._context.database.raw() as connection:
                found = await kept(connection, number)
            await self.know(found)
        return self._configurations[number]

    async def build(self, number: int) -> int:
        """Make the headers of an exposure, as what is known now has it; return how many revisions are new.

        Raises
        ------
        TakenOver
            If another process does that by now. What the database refuses for a while passes, too; the exposure
            stays due.
        """
        exposure = self._known.get(number)
        if exposure is None:
            return 0
        # What is only made again waits for nobody, and nobody for it.
        again = exposure.because in AGAIN
        before, done = self._last, asyncio.Event()
        if not again:
            self._last = done
        self._known.building.add(number)
        try:
            return await self._build(exposure, None if again else before)
        except Exception as error:
            if isinstance(error, TakenOver) or is_transient(error):
                raise
            log.error(
                "header failed",
                instrument=self._instrument,
                image=exposure.image_id,
                error=reason_of(error),
                exc_info=True,
            )
            await self._fail(exposure, f"{type(error).__name__}: {reason_of(error)}"[:500])
            return 0
        finally:
            self._known.building.discard(number)
            done.set()

    async def _build(self, exposure: Exposure, before: asyncio.Event | None) -> int:
        configuration = await self.configuration(exposure.config)
        *others, last = sorted(configuration.templates)
        if self.is_past(exposure):
            await self._record(exposure, None, configuration)
            return 0
        new = 0
        for product in (*others, last):
            try:
                made = await self._foreseen(exposure, configuration, product)
            except Early:
                self._look_again(exposure, configuration)
                return new
            if made is not None or product == last:
                if before is not None:
                    # Headers are made beside each other, and announced in order unless that takes long.
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(before.wait(), TURN_S)
                await self._record(exposure, made, configuration if product == last else None)
            new += made is not None
        return new

    def is_past(self, exposure: Exposure) -> bool:
        """Tell whether samples of an exposure may be forgotten by now: its header could only become worse."""
        kept_ns = round(self._context.settings.retention.samples_h * 3600e9)
        return bool(exposure.latest) and exposure.opened_at < self._context.bus.now() - kept_ns

    async def _foreseen(self, exposure: Exposure, configuration: Configuration, product: str) -> Made | None:
        """Return what was made beforehand, if the exposure is as it was foreseen, and else what is made now."""
        seen, task = self._ahead.pop(exposure.id, (None, None))
        if task is not None and seen is exposure and product == min(configuration.templates):
            return await task
        return await self._rendered(exposure, configuration, product)

    async def _rendered(self, exposure: Exposure, configuration: Configuration, product: str) -> Made | None:
        inputs = await self._inputs(exposure, configuration, configuration.templates[product])
        if self._waits(exposure, inputs):
            raise Early
        return await self._made(exposure, inputs, product)

    async def inputs(self, exposure: Exposure, product: str) -> Inputs:
        """Return what a header of an exposure is made of now."""
        configuration = await self.configuration(exposure.config)
        return await self._inputs(exposure, configuration, configuration.templates[product])

    async def _inputs(self, exposure: Exposure, configuration: Configuration, template: Template) -> Inputs:
        seen, recipe = as_rendered(exposure, configuration.recipe), configuration.recipe
        began = time.perf_counter()
        asked: Sequence[Question] = questions(recipe, template, seen)
        answers: Sequence[Sequence[Sample]] = await self._context.bus.answer(asked)
        self._took("answer", began)
        deadline = END not in exposure.moments
        now = self._context.bus.now()
        return Inputs(recipe, template, seen, exposure.image_id, answers, now, deadline)

    def _waits(self, exposure: Exposure, inputs: Inputs) -> bool:
        """Tell whether a keyword waits for its sample."""
        end = exposure.moments.get(END)
        if exposure.because not in (Because.END, Because.SETTLE) or end is None:
            return False
        if inputs.created >= end.received + inputs.recipe.timing.d1:
            return False
        return pending(inputs.recipe, inputs.template, inputs.exposure, inputs.answers)

    def _look_again(self, exposure: Exposure, configuration: Configuration) -> None:
        """Let an exposure be looked at again soon, since a keyword waits for its sample."""
        current = self._known.get(exposure.id)
        if current is not None and current.changed == exposure.changed:
            last = exposure.moments[END].received + configuration.recipe.timing.d1
            soon = min(self._context.bus.now() + SETTLE_NS, last)
            # Only in memory: whoever comes after a crash begins with the end event again.
            self._known.put(structs.replace(current, due=soon, because=Because.SETTLE))

    async def _made(self, exposure: Exposure, inputs: Inputs, product: str) -> Made | None:
        latest = exposure.latest.get(product)
        if exposure.because in AGAIN and self._repeats.is_one(exposure.id, product, inputs, latest):
            made = None
        else:
            began = time.perf_counter()
            made = await self.apart(revise, inputs, latest)
            self._took("render", began)
            found = made.revision.content_hash if made else latest.content_hash if latest else ""
            self._repeats.note(exposure.id, product, inputs, found)
        if made is None:
            UNCHANGED.labels(self._instrument).inc()
            return None
        return made if made.revision.revision == 1 else await self._compared(exposure, made)

    async def _compared(self, exposure: Exposure, made: Made) -> Made:
        """Return a revision with what differs from the one before."""
        values = (exposure.id, made.revision.product, made.revision.revision - 1)
        async with self._context.database.raw() as connection:
            before = await store.sidecar(connection, *values)
        if before is None:
            return made
        found = await self.apart(_difference, before, made)
        return structs.replace(made, revision=structs.replace(made.revision, difference=found))

    async def _record(self, exposure: Exposure, made: Made | None, finished: Configuration | None) -> None:
        """Publish a revision, if there is one, and write down what is to be done next if all products are made."""
        began = time.perf_counter()
        async with self._known.alone([exposure.named]):
            current = self._known.get(exposure.id)
            if current is None:
                # An event could not be written down: it is read again, and leads here again.
                return
            after = _published(current, made.revision) if made else current
            if finished is not None:
                now = self._context.bus.now()
                after = rendered(after, finished.recipe, changed=exposure.changed, now=now)
            await self._write(exposure, self._statement(exposure, after, made))
            self._known.put(after)
        if made is not None:
            self._took("commit", began)
            self._tell(exposure, made)

    def _statement(self, exposure: Exposure, after: Exposure, made: Made | None) -> Write:
        if made is None:
            change = self._change(after, [])
            return lambda connection: store.change(connection, change)
        revision, cause = made.revision, str(exposure.because or Because.REBUILD)
        change = self._change(
            after,
            [
                (one.value, cause, revision.revision)
                for one in (ExposureState.RENDERED, ExposureState.PUBLISHED)
            ],
        )
        return lambda connection: store.publish(connection, change, revision)

    async def _fail(self, exposure: Exposure, reason: str) -> None:
        FAILURES.labels(self._instrument).inc()
        async with self._known.alone([exposure.named]):
            # What the database refused has been forgotten, and nothing would look for it again.
            async with self._context.database.raw() as connection:
                await self._known.read(connection, [exposure.named])
            current = self._known.get(exposure.id)
            if current is None:
                return
            now = self._context.bus.now()
            after = failed(current, reason, now=now)
            told = HeaderFailed(
                current.instrument, current.image_id, current.day_obs, reason, after.attempts, utc_of(now)
            )
            # Once for each reason: a service that tries for hours must not fill the feed.
            news = None if current.reason == reason else msgspec.json.encode(told).decode()
            change = self._change(after, [(ExposureState.FAILED.value, reason, None)] if news else [])
            await self._write(current, lambda connection: store.change(connection, change, news))
            self._known.put(after)

    def _change(self, after: Exposure, steps: Sequence[tuple[str, str, int | None]]) -> store.Change:
        latest = [(product, one.revision, one.content_hash) for product, one in after.latest.items()]
        return store.Change(
            instrument=self._instrument,
            epoch=self._epoch,
            exposure=after.id,
            state=after.state.value,
            reason=after.reason,
            latest=store.latest_text(latest),
            rendered=after.rendered,
            attempts=after.attempts,
            due=after.due,
            because=after.because.value if after.because else None,
            states=[state for state, _, _ in steps],
            causes=[cause for _, cause, _ in steps],
            revisions=[revision for _, _, revision in steps],
        )

    async def _write(self, exposure: Exposure, write: Write) -> None:
        try:
            async with self._context.database.raw() as connection:
                if not await write(connection):
                    raise TakenOver
        except BaseException:
            # Whether it was written is not known: its row is read before it is built again.
            self._known.forget(exposure.named)
            raise

    def _tell(self, exposure: Exposure, made: Made) -> None:
        header, end = made.header, exposure.moments.get(END)
        ANNOUNCED.labels(self._instrument).inc()
        if not header.complete:
            INCOMPLETE.labels(self._instrument).inc()
        self.simulated = header.simulated
        took = (self._context.bus.now() - end.received) / 1e9 if end else None
        if took is not None and made.revision.revision == 1:
            STAGES.labels(self._instrument, "all").observe(took)
        log.info(
            "header announced",
            instrument=self._instrument,
            image=exposure.image_id,
            product=header.product,
            revision=made.revision.revision,
            because=exposure.because,
            complete=header.complete,
            missing=[one.key for one in header.missing],
            s=took,
        )
        if not header.complete:
            log.error(
                "header lacks values that ingest needs", image=exposure.image_id, product=header.product
            )

    def _took(self, stage: str, began: float) -> None:
        STAGES.labels(self._instrument, stage).observe(time.perf_counter() - began)

    async def apart(self, work: Callable[..., T], *values: Any) -> T:
        """Do something in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *values))


def _difference(before: bytes, made: Made) -> str:
    found = difference(read_sidecar(decompress(before)), made.header)
    return msgspec.json.encode(found).decode()


def _published(exposure: Exposure, revision: store.Revision) -> Exposure:
    latest = Latest(revision.revision, revision.content_hash)
    return structs.replace(
        exposure,
        state=ExposureState.PUBLISHED,
        reason=None,
        latest=exposure.latest | {revision.product: latest},
    )
