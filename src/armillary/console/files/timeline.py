"""The history of a file: its versions and what was asked of it, newest first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from armillary.access.models import Scope
from armillary.api.http.calls import Call
from armillary.archive.catalog.models import Version
from armillary.archive.query import service as query
from armillary.archive.query.service import Record
from armillary.edits import service as edits
from armillary.edits.models import AuditQuery
from armillary.edits.service import AuditPage, RecordedEdit

PAGE = 20
MOST_EDITS = 200
_APART = timedelta(seconds=5)
"""A version and the record of the edit that made it are of one transaction, with times of two clocks."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A version with the edits that made it, or an edit that made none."""

    moment: datetime
    version: Version | None = None
    number: int = 0
    edits: Sequence[RecordedEdit] = ()


@dataclass(frozen=True, slots=True)
class Timeline:
    """A part of a history; ``older`` leads to the part before it, None at the beginning."""

    entries: Sequence[Entry]
    versions: int
    older: int | None
    told: bool
    """Whether the viewer may know who edited what, and why."""
    more_edits: bool = False

    @property
    def state(self) -> str:
        """What is another one once there is something new, or something was taken back."""
        made = [one for entry in self.entries for one in entry.edits]
        last = max((one.id for one in made), default=0)
        back = sum(one.reverted_by is not None for one in made)
        present = sum(bool(one.version and one.version.present) for one in self.entries)
        digests = sum(bool(one.version and one.version.data_md5) for one in self.entries)
        return f"{self.versions}-{last}-{back}-{present}-{digests}"


def may_audit(call: Call) -> bool:
    """Tell whether somebody may know who edited what: as for the lists of edits of the interface for programs."""
    return call.principal.may(Scope.READ) or call.principal.may(Scope.EDIT)


async def timeline_of(call: Call, record: Record, older: int | None) -> Timeline:
    """Return the history of a file from the versions below an id on, as far as somebody may know it."""
    told = may_audit(call)
    page: AuditPage | None = None
    async with call.context.database.begin() as connection:
        found = await query.versions_before(connection, record, older, PAGE)
        more = bool(found) and found[-1].id != record.ids[0]
        if told and found:
            later = older in record.ids
            after = await query.version_of(connection, record, older) if later else None
            asked = AuditQuery(
                file_id=record.version.file_id,
                since=found[-1].entrytime - _APART if more else None,
                until=after.entrytime if after else None,
                limit=MOST_EDITS,
            )
            page = await edits.audit(connection, asked, call.principal, today=call.today)
    return Timeline(
        entries=_entries(record, found, page.edits if page else (), complete=not more),
        versions=len(record.ids),
        older=found[-1].id if more else None,
        told=told,
        more_edits=page is not None and page.before is not None,
    )


def _entries(
    record: Record, versions: Sequence[Version], made: Iterable[RecordedEdit], *, complete: bool
) -> list[Entry]:
    by_version: defaultdict[int, list[RecordedEdit]] = defaultdict(list)
    rest: list[RecordedEdit] = []
    for one in made:
        changed = one.version_after is not None and one.version_after != one.version_before
        (by_version[one.version_after or 0] if changed else rest).append(one)
    entries = [
        Entry(one.entrytime, one, record.number_of(one.id), by_version.get(one.id, ())) for one in versions
    ]
    first = versions[-1].entrytime if versions and not complete else None
    entries += [Entry(one.finished, edits=[one]) for one in rest if first is None or one.finished >= first]
    return sorted(entries, key=lambda one: one.moment, reverse=True)
