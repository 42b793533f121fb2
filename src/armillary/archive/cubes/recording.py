"""Record what a run has seen: all steps from `product` to `snapshot`, in the transaction that ends its order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.archive.catalog import file_store
from armillary.archive.catalog import service as catalog
from armillary.archive.catalog import store as catalog_store
from armillary.archive.catalog.models import Version
from armillary.archive.catalog.recording import renew_frames
from armillary.archive.cubes import store
from armillary.archive.cubes.access import NOBODY, give_access
from armillary.archive.cubes.derived.derivation import Derived
from armillary.archive.cubes.errors import SecondOid
from armillary.archive.cubes.examination import UNCHANGED, Seen, made_of, same_header, same_mapping, span_of
from armillary.archive.cubes.models import VERSIONS, Cube, Options, Snapshot
from armillary.archive.cubes.observations import grouping_of
from armillary.archive.cubes.previews import Ordered, order_previews
from armillary.archive.cubes.retirement import take_out
from armillary.archive.cubes.words.vocabularies import Assessment
from armillary.archive.intake import paths
from armillary.archive.intake.ingest import record_candidates
from armillary.archive.intake.looks import Candidate
from armillary.base.work.steps import Steps
from armillary.context import Context
from armillary.errors import NotFound

SAME_HEADER = "the header is the same"


class OidBusy(Exception):
    """Another file of the same oid is being taken in, or what the file is has changed since it was read."""


class Recording:
    """One run on its way into the catalog.

    Parameters
    ----------
    here
        The cubes that the file is already.
    known
        What the last good run saw of them, None if everything is made anew.
    connection
        The transaction in which its order ends.
    """

    def __init__(
        self,
        context: Context,
        candidate: Candidate,
        options: Options,
        seen: Seen,
        here: Sequence[Cube],
        known: Snapshot | None,
        steps: Steps,
        connection: AsyncConnection,
    ) -> None:
        self._context, self._candidate, self._options = context, candidate, options
        self._seen, self._here, self._steps, self._c = seen, here, steps, connection
        self._known = known

    async def carry_out(self, assessment: Assessment, *, order: int) -> dict[str, Any]:
        """Make all steps; return what is to be told of the run.

        Raises
        ------
        OidBusy
            If another file of one of its oids is being taken in, or it was taken in or out itself meanwhile.
        SecondOid
            If the file would be a second cube, and nobody said that it is to be.
        CubeRefused
            If its times cannot be read.
        """
        oids = self._oids()
        await self._hold(oids)
        elsewhere = await self._elsewhere(oids)
        snapshot, former = self._snapshot(assessment, order), await self._former(elsewhere)
        async with self._steps.step("product", self._c) as step:
            for other in elsewhere:
                if why := await self._older_than(other):
                    step.skip(f"superseded: {why}")
                    await self._leave_alone()
                    return {"outcome": "superseded", "why": why, "oid": other.oid, "cube": other.id}
            same = self._same(oids, elsewhere, snapshot)
            # Of one that was touched the new time stamp is written.
            if news := not (same and snapshot == replace(self._known or snapshot, order=order)):
                version = await self._put_file()
                cubes = await self._put_cubes(oids, version.file_id, assessment, snapshot)
                await self._take_out(elsewhere, version.file_id)
            else:
                step.skip(UNCHANGED)
                version, cubes = self._recorded, {one.oid: one.id for one in self._here}
        await self._give_access(version.file_id, elsewhere, origin=f"order {order}")
        self._tell_headers()
        await self._put_tags(assessment, cubes)
        await self._put_derived(cubes)
        ordered = await self._order_previews(version, former)
        self._tell_svo(renamed=self._is_called_otherwise(oids, elsewhere))
        told = self._steps.note("snapshot")
        if not news:
            told.skip(UNCHANGED)
        return {
            "outcome": "skipped" if same else "ingested",
            "why": self._candidate.skipped if same else None,
            "created": not self._here and not elsewhere,
            "oid": oids[0],
            "cube": cubes[oids[0]],
            "warnings": [*self._seen.warnings, *assessment.warnings],
            "version": ordered.version_id,
            "previews": list(ordered.orders),
        }

    async def _hold(self, oids: Sequence[str]) -> None:
        """Hold the oids that the file has or gets; what was known of it before must still be so."""
        place = self._candidate.location
        if not await store.hold_oids(self._c, {*oids, *(one.oid for one in self._here)}):
            raise OidBusy
        if await store.cubes_at(self._c, place.root_id, place.key) != list(self._here):
            raise OidBusy

    def _oids(self) -> list[str]:
        """Return the oids that the file has from now on, that which was asked for, or follows from it, first."""
        given, here = self._options.oid, {one.oid: one for one in self._here}
        if given:
            if here and given not in here and not self._options.additional:
                raise SecondOid(
                    f"{self._candidate.location.key} is the cube {', '.join(here)} already; say `additional` to"
                    f" let it be {given}, too, or leave the oid out."
                )
            return list(dict.fromkeys((given, *here)))
        # What somebody said that it is called stays so, whatever its headers say.
        kept = [one.oid for one in self._here if one.oid_given]
        if kept and len(kept) == len(here):
            return kept
        return list(dict.fromkeys((self._seen.oid, *kept)))

    async def _elsewhere(self, oids: Sequence[str]) -> list[Cube]:
        """Return those cubes of the oids that are other files so far."""
        place = self._candidate.location
        found = await store.cubes_called(self._c, oids)
        return [one for one in found.values() if (one.root_id, one.path) != (place.root_id, place.key)]

    async def _older_than(self, other: Cube) -> str | None:
        """Return why the file of another cube wins over this one, None if it does not."""
        if self._options.force or not await self._is_there(other):
            return None
        made, mtime_ns = made_of(self._seen), self._seen.fingerprint.mtime_ns
        if made and other.made and made != other.made:
            later = f"DATE {other.made.isoformat()} is later than {made.isoformat()}"
            return f"{other.path} is newer: its {later}" if other.made > made else None
        if other.snapshot and other.snapshot.fingerprint.mtime_ns > mtime_ns:
            return f"{other.path} is newer by its time stamp"
        return None

    async def _is_there(self, other: Cube) -> bool:
        root = await catalog.root_by_id(self._c, other.root_id)
        try:
            await catalog.store_of(self._context, root).head(other.path)
        except NotFound:
            return False
        return True

    async def _take_out(self, former: Iterable[Cube], file_id: int) -> None:
        """Show files no more that were the cubes of this one, and are no others."""
        now, actor = self._candidate.now, self._actor
        # One that has moved here is the same file.
        for one in {one.file_id: one for one in former if one.file_id != file_id}.values():
            if not await store.cubes_of_files(self._c, [one.file_id]):
                await take_out(self._c, one.location, now=now, actor=actor)
                await catalog_store.delete_frames(self._c, [one.file_id])

    async def _leave_alone(self) -> None:
        """Let no watched folder order the file again as it is: it would be read for nothing, at every look."""
        place, found = self._candidate.location, self._seen.fingerprint
        state = (found.size, found.mtime_ns)
        await paths.retire(self._c, place, state, now=self._candidate.now, actor=self._actor)

    def _snapshot(self, assessment: Assessment, order: int) -> Snapshot:
        return Snapshot(
            fingerprint=self._seen.fingerprint,
            mapping=self._seen.mapping,
            steps=VERSIONS,
            vocabularies=assessment.digest,
            told=self._seen.told,
            order=order,
        )

    def _same(self, oids: Sequence[str], elsewhere: Sequence[Cube], snapshot: Snapshot) -> bool:
        """Tell whether the file has the bytes that it had, and all that is made of them is what it was."""
        known = self._known
        return (
            known is not None
            and bool(self._candidate.skipped)
            and self._candidate.new is None
            and not self._is_called_otherwise(oids, elsewhere)
            and replace(snapshot, order=known.order, fingerprint=known.fingerprint) == known
            and self._options.oid in (None, *(one.oid for one in self._here if one.oid_given))
        )

    def _is_called_otherwise(self, oids: Sequence[str], elsewhere: Sequence[Cube]) -> bool:
        """Tell whether the file has other oids than before, or may be published and might not, or the reverse."""
        here, published = {one.oid: one.published for one in self._here}, self._options.submit_svo
        other = published is not None and published not in here.values()
        return bool(elsewhere) or here.keys() != set(oids) or other

    @property
    def _recorded(self) -> Version:
        known = self._candidate.known
        if known is None:
            raise AssertionError("what is unchanged is on record")
        return known

    async def _put_file(self) -> Version:
        """Record the file with its frame, if there is news of it; return the version that is present now."""
        candidate, known = self._candidate, self._candidate.known
        await record_candidates(self._c, [candidate], self._context.settings.archive, now=candidate.now)
        await paths.unretire(self._c, candidate.location)
        if candidate.skipped and known:
            if candidate.new:
                await renew_frames(self._c, [(known, candidate.new)])
            return known
        place = (candidate.location.root_id, candidate.location.path, candidate.name)
        return (await file_store.present_at(self._c, [place]))[place]

    async def _put_cubes(
        self, oids: Sequence[str], file_id: int, assessment: Assessment, snapshot: Snapshot
    ) -> dict[str, int]:
        """Record the cubes of the file, and forget those that it is no more; return their ids by oid."""
        then = {one.observation_id for one in self._here}
        gone = [one for one in self._here if one.oid not in oids]
        await store.delete_cubes(self._c, [one.id for one in gone])
        values = self._values(file_id, assessment, snapshot)
        values["observation_id"] = await store.put_observation(self._c, grouping_of(self._seen.primary).key)
        called = await store.cubes_called(self._c, oids)
        then |= {one.observation_id for one in called.values()} | {values["observation_id"]}
        cubes = {}
        for oid in oids:
            before = called.get(oid)
            said = oid == self._options.oid or bool(before and before.oid_given)
            published = self._options.submit_svo
            if published is None:
                published = before.published if before else True
            row = {**values, "oid": oid, "oid_given": said, "published": published}
            cubes[oid] = await store.put_cube(self._c, row, now=self._candidate.now)
        await store.settle_observations(self._c, then)
        return cubes

    def _values(self, file_id: int, assessment: Assessment, snapshot: Snapshot) -> dict[str, Any]:
        seen, place = self._seen, self._candidate.location
        begin, end = span_of(seen)
        return {
            "file_id": file_id,
            "root_id": place.root_id,
            "path": place.key,
            "instrument": str(seen.primary.get("INSTRUME") or "").strip(),
            "date_beg": begin,
            "date_end": end,
            "made": made_of(seen),
            "grouping_tag": grouping_of(seen.primary).tag,
            "features_ingested": assessment.features,
            "events_ingested": assessment.events,
            "warnings": [*seen.warnings, *assessment.warnings],
            "snapshot": snapshot.to_json(),
        }

    async def _give_access(self, file_id: int, elsewhere: Sequence[Cube], *, origin: str) -> None:
        async with self._steps.step("access", self._c) as step:
            why = await give_access(
                self._c,
                file_id,
                self._options,
                self._context.settings.sst,
                former=[one.file_id for one in elsewhere],
                actor=self._actor,
                now=self._candidate.now,
                origin=origin,
            )
            # The release date is in the header, and so came with the frame.
            if why == NOBODY and same_header(self._known, self._seen.fingerprint, 0):
                step.skip(f"the header is the same, and {why}")
            elif why != NOBODY:
                step.why = why

    async def _former(self, elsewhere: Sequence[Cube]) -> Version | None:
        """Return the version whose pictures serve until there are new ones: of this file, or of an older one."""
        if self._candidate.known is not None or not elsewhere:
            return self._candidate.known
        found = await file_store.present_of_files(self._c, [elsewhere[0].file_id])
        return found[0] if found else None

    async def _order_previews(self, version: Version, former: Version | None) -> Ordered:
        async with self._steps.step("previews", self._c) as step:
            return await order_previews(
                self._context,
                self._c,
                version,
                self._options,
                step,
                former=former.id if former and former.id != version.id else None,
                actor=self._actor,
            )

    @property
    def _actor(self) -> str:
        return self._candidate.order.order.actor or "armillary"

    def _tell_headers(self) -> None:
        """Tell of each HDU whether its header is news, and whether its keywords are read otherwise."""
        for name in ("header", "metadata"):
            for hdu in self._seen.layout.hdus:
                step = self._steps.note(name, hdu=hdu.index)
                same = same_header(self._known, self._seen.fingerprint, hdu.index)
                mapped = self._known is not None and same_mapping(self._known, self._seen.mapping)
                if same and (name == "header" or mapped):
                    step.skip(SAME_HEADER)

    async def _put_tags(self, assessment: Assessment, cubes: Mapping[str, int]) -> None:
        async with self._steps.step("tags", self._c) as step:
            known, found = self._known, self._seen.fingerprint
            if assessment.digest is None:
                step.skip("a vocabulary is not known yet; the tags follow when it is")
            elif (
                known
                and same_header(known, found, 0)
                and known.makes("tags")
                and known.vocabularies == assessment.digest
            ):
                step.skip("header and vocabularies are the same")
            else:
                for cube_id in cubes.values():
                    await store.put_tags(self._c, cube_id, assessment.tags)

    async def _put_derived(self, cubes: Mapping[str, int]) -> None:
        """Record derived data that are news, and forget those whose extension is gone."""
        seen = self._seen
        for cube_id in cubes.values():
            await store.keep_derived(self._c, cube_id, seen.sources.keys())
        for kind, hdus in seen.sources.items():
            # The primary header is always among them; what is told is the extension.
            async with self._steps.step(
                "derived", self._c, kind=kind, hdu=hdus[min(1, len(hdus) - 1)]
            ) as step:
                if (made := seen.derived.get(kind)) is None:
                    step.skip("the HDUs are the same")
                    continue
                if made.content is None:
                    step.skip("the HDUs do not tell it; see the warnings")
                for cube_id in cubes.values():
                    await self._put_one(cube_id, made)

    async def _put_one(self, cube_id: int, made: Derived) -> None:
        if made.content is None:
            await store.drop_derived(self._c, cube_id, made.kind)
        else:
            now = self._candidate.now
            await store.put_derived(self._c, cube_id, made.kind, made.media_type, made.content, now=now)

    def _tell_svo(self, *, renamed: bool) -> None:
        """Tell whether the virtual observatory hears of it: publishing follows the feed of what is recorded."""
        step, published = self._steps.note("svo"), self._options.submit_svo
        if not self._context.settings.svo.publish:
            step.skip("nothing is published by itself; see svo.publish")
        elif published is False or (published is None and self._here and not self._here[0].published):
            step.skip("its order said that it is not to be published")
        elif self._candidate.skipped and self._candidate.new is None and not renamed:
            step.skip("there is no news of it")
