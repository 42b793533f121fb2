"""Carry out the steps of a plan, each by itself: what one record is refused for stops no other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace

from armillary.base.log import get_logger
from armillary.errors import ArmillaryError
from armillary.publish.svo.comparing import differences, patch_of
from armillary.publish.svo.errors import SvoAway, SvoConflict, SvoRefused, SvoUnauthorized, SvoUnclear
from armillary.publish.svo.linking import Linking
from armillary.publish.svo.models import (
    HEADER,
    LOCATION,
    TAGS,
    Action,
    Dataset,
    Difference,
    Draft,
    Json,
    Outcome,
    Place,
    Step,
    Stored,
)
from armillary.publish.svo.observatory import Observatory

log = get_logger(__name__)
TRIES = 3
PATIENCE = 3
"""Requests in a row of which nobody knows what became of them, before the server counts as away."""
HINT = (
    "the virtual observatory refuses it (401): the user may lack the right to write tags or locations, or may not"
    " be in the group of the dataset"
)
Draw = Callable[[Step], Awaitable[Draft | None]]


class WritesRefused(Exception):
    """The server took no write at all in a dataset; the message lists why that may be."""


class Applier:
    """The steps of one dataset.

    Parameters
    ----------
    draw
        Returns the record of a step as the catalog has it now.
    present
        Returns the oids that are published now, for a second look before deletions.
    sure
        Whether what the plan believes to be missing there surely is.
    """

    def __init__(
        self,
        observatory: Observatory,
        dataset: Dataset,
        managed: Sequence[Dataset],
        *,
        draw: Draw,
        present: Callable[[], Awaitable[Collection[str]]],
        sure: bool = True,
        tidying: bool = True,
    ) -> None:
        self._observatory, self._dataset = observatory, dataset
        self._links = Linking(observatory, dataset, managed)
        self._draw, self._present, self._sure, self._tidying = draw, present, sure, tidying
        self._here: Collection[str] | None = None
        self._later: list[Step] = []
        self._left: set[str] = set()
        self._unclear = 0
        self._final = False
        self._before = observatory.writes

    @property
    def wrote(self) -> bool:
        """Whether anything was changed there."""
        return self._observatory.writes > self._before

    async def apply(self, steps: Sequence[Step]) -> None:
        """Carry out steps, then once more those that were in the way of each other, then what is left over.

        Raises
        ------
        WritesRefused
            If the first write is refused with 401.
        SvoAway
            If the server does not answer any more.
        """
        for step in steps:
            if step.action is not Action.TIDY:
                await self._try(step)
        self._final, later = True, self._later
        for step in later:
            await self._try(step)
        for step in later:
            await self._straighten(step)
        for step in steps:
            if step.action is Action.TIDY:
                await self._try(step)
        for uri in sorted(self._left) if self._tidying else ():
            await self._try(Step(Action.TIDY, "", location=uri))

    async def _try(self, step: Step) -> None:
        try:
            step.outcome = await self._carry_out(step)
            self._unclear = 0
        except SvoUnauthorized:
            if not self.wrote:
                raise WritesRefused from None
            _fail(step, HINT)
        except SvoConflict as error:
            if self._final:
                _fail(step, error.message)
            else:
                self._later.append(step)
        except SvoAway as error:
            _fail(step, error.message)
            raise
        except SvoUnclear as error:
            _fail(step, error.message)
            self._unclear += 1
            if self._unclear >= PATIENCE:
                raise SvoAway(error.message) from None
        except ArmillaryError as error:
            _fail(step, error.message)

    async def _carry_out(self, step: Step) -> Outcome | None:
        match step.action:
            case Action.CREATE | Action.UPDATE:
                draft = await self._draw(step)
                if draft is None:
                    step.reason = "it changed while this ran; the next run sees to it"
                    return Outcome.SKIPPED
                if step.action is Action.CREATE:
                    return await self._create(step, draft)
                return await self._bring_up(step, draft)
            case Action.DELETE:
                return await self._delete(step)
            case Action.TIDY:
                if step.location is not None:
                    await self._links.tidy(step.location)
                return step.outcome
        return step.outcome

    async def _create(self, step: Step, draft: Draft) -> Outcome:
        """Make a record that is not there; whenever that is not sure, look first."""
        if not self._sure and await self._observatory.record(self._dataset, draft.oid) is not None:
            return await self._bring_up(step, draft)
        for left in reversed(range(TRIES)):
            try:
                await self._post(draft)
            except SvoConflict:
                # The lookup before it and the server do not agree: somebody made that location just now.
                if not left:
                    raise
            except SvoUnclear:
                if await self._observatory.record(self._dataset, draft.oid) is not None:
                    await self._bring_up(step, draft)
                    return Outcome.CREATED
                if not left:
                    raise
            except SvoRefused as error:
                if "oid" not in error.fields:
                    raise
                if await self._observatory.record(self._dataset, draft.oid) is None:
                    raise
                return await self._bring_up(step, draft)
            else:
                break
        return Outcome.CREATED

    async def _post(self, draft: Draft) -> None:
        body: dict[str, Json] = {"oid": draft.oid, **draft.fields, HEADER: draft.header}
        if draft.tags:
            body[TAGS] = [{"name": name} for name in sorted(draft.tags)]
        body[LOCATION] = await self._links.link(draft.oid, draft.place, None, patient=not self._final)
        await self._observatory.create(self._dataset, body)

    async def _bring_up(self, step: Step, draft: Draft) -> Outcome:
        """Make a record like the one here; one that is gone meanwhile is made anew."""
        for left in reversed(range(TRIES)):
            stored = await self._observatory.record(self._dataset, draft.oid)
            if stored is None:
                await self._post(draft)
                return Outcome.CREATED
            changed = differences(self._dataset.keywords, draft, stored)
            if not changed:
                return Outcome.UPDATED if left < TRIES - 1 else Outcome.UNCHANGED
            try:
                if await self._patch(draft, stored, changed):
                    return Outcome.UPDATED
            except (SvoUnclear, SvoConflict):
                if not left:
                    raise
        raise SvoUnclear(f"The record {draft.oid} comes and goes.")

    async def _patch(self, draft: Draft, stored: Stored, changed: Sequence[Difference]) -> bool:
        body = patch_of(draft, changed)
        if any(one.field.startswith(LOCATION) for one in changed):
            await self._relink(draft, draft.place, stored, body)
        return not body or await self._observatory.change(self._dataset, draft.oid, body)

    async def _relink(self, draft: Draft, place: Place, stored: Stored, body: dict[str, Json]) -> None:
        """Put the location into a body, and note the one that the record leaves."""
        link = await self._links.link(draft.oid, place, stored.location, patient=not self._final)
        if link is None:
            return
        body[LOCATION] = link
        uri = link.get("resource_uri") if isinstance(link, dict) else link
        if stored.location is not None and stored.location.uri != uri:
            self._left.add(stored.location.uri)

    async def _straighten(self, step: Step) -> None:
        """Give a record its plain path that another one has left meanwhile."""
        if step.outcome not in (Outcome.CREATED, Outcome.UPDATED):
            return
        draft = await self._draw(step)
        stored = await self._observatory.record(self._dataset, step.oid)
        if draft is None or stored is None or stored.location is None:
            return
        body: dict[str, Json] = {}
        try:
            await self._relink(draft, replace(draft.place, spare_path=""), stored, body)
            if body:
                await self._observatory.change(self._dataset, step.oid, body)
        except ArmillaryError as error:
            # The record is as it should be but for a number in its path.
            log.info("svo path stays", oid=step.oid, error=error.message)

    async def _delete(self, step: Step) -> Outcome:
        """Delete a record after another look at both sides, then its location unless others use it."""
        stored = await self._observatory.record(self._dataset, step.oid)
        if self._here is None:
            self._here = await self._present()
        if step.oid in self._here:
            step.reason = "a product has this oid again"
            return Outcome.SKIPPED
        if stored is None:
            return Outcome.DELETED
        await self._observatory.delete(self._dataset, step.oid)
        if stored.location is not None:
            await self._links.tidy(stored.location.uri)
        return Outcome.DELETED


def _fail(step: Step, message: str) -> None:
    step.outcome, step.error = Outcome.FAILED, message
