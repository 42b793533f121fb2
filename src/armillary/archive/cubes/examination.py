"""Look at a file of an ingestion root: once, and only as far as it has changed since the last good run."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from armillary.archive.catalog.models import layout_of
from armillary.archive.catalog.rows import NewVersion
from armillary.archive.cubes.derived.derivation import Derived, DerivedKind, derive, uses
from armillary.archive.cubes.errors import CubeRefused
from armillary.archive.cubes.models import Options, Snapshot
from armillary.archive.cubes.oids import NEEDED, oid_in
from armillary.archive.cubes.reading import text_of
from armillary.archive.fields import Fields
from armillary.archive.intake import examination
from armillary.archive.intake.fingerprints import (
    DataWatch,
    Fingerprint,
    fingerprint_of,
    header_sha256,
    sum_warnings,
)
from armillary.archive.intake.looks import (
    Candidate,
    changing,
    described,
    is_same,
    refuse_two_containers,
    rests,
)
from armillary.archive.intake.profiles import profiles_of
from armillary.archive.intake.profiles.instants import Stamp, read_stamp
from armillary.archive.intake.reading import Describer, describer_of
from armillary.base.store import Snapshot as OpenFile
from armillary.fits.containers import Container, open_logical
from armillary.fits.errors import TruncatedFile
from armillary.fits.models import BLOCK, Layout, ReadAt, Value
from armillary.fits.scan import scan
from armillary.fits.series import HeaderValues
from armillary.settings import ArchiveSettings, SstSettings

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_UTC = ("", "UTC")
UNCHANGED, SAME_BYTES = "unchanged", "same bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """By what a file is judged: settings, and what is asked of it."""

    archive: ArchiveSettings
    sst: SstSettings
    options: Options

    @property
    def describer(self) -> Describer:
        """What reads headers, for this thread."""
        return describer_of(profiles_of(self.archive.profiles), self.archive.site)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one run sees of a file.

    Parameters
    ----------
    trusted
        Whether the data were not read, since size and time stamp say that they are as they were.
    oid
        What its headers say that it is called.
    sources
        The HDUs of all kinds of derived data that the file has.
    derived
        Derived data by their kinds, made anew; of other kinds they are as they were.
    told
        The warnings about derived data, by their kinds.
    """

    trusted: bool
    fingerprint: Fingerprint
    layout: Layout
    values: HeaderValues
    fields: Fields
    mapping: str
    oid: str
    sources: Mapping[DerivedKind, Sequence[int]]
    derived: Mapping[DerivedKind, Derived]
    told: Mapping[str, Sequence[str]]
    warnings: Sequence[str]

    @property
    def primary(self) -> Mapping[str, Value]:
        """The keywords of the primary header."""
        return self.values.headers[0]


@dataclass(frozen=True, slots=True)
class _Content:
    """An opened file, uncompressed: where everything lies, what the headers say, digests of the data."""

    layout: Layout
    values: HeaderValues
    read: ReadAt
    data: Mapping[int, tuple[str, int]]
    trusted: bool


def see(candidate: Candidate, before: Snapshot | None, known: Snapshot | None, judgement: Judgement) -> Seen:
    """Look at a file, in a thread; the candidate learns what the catalog is to know, or that nothing is new.

    Parameters
    ----------
    before
        What the last good run saw.
    known
        The same, None if everything is to be made anew.

    Raises
    ------
    ArmillaryError
        If the file is not whole and sound, changes while it is read, or its headers do not make it a cube.
    """
    with candidate.store.open(candidate.location.key) as opened:
        candidate.stored = opened.stored
        refuse_two_containers(candidate)
        seen = _see(candidate, opened, before, known, judgement)
        if not rests(candidate, opened):
            raise changing(candidate)
    return seen


def _see(
    candidate: Candidate,
    opened: OpenFile,
    before: Snapshot | None,
    snapshot: Snapshot | None,
    judgement: Judgement,
) -> Seen:
    read_ns = time.time_ns()
    content = _trusted(candidate, opened, snapshot, judgement) or _everything(candidate, opened, judgement)
    layout, values = content.layout, content.values
    _refuse_ragged(layout)
    found = fingerprint_of(opened.stored, layout, values.headers, content.data, read_ns=read_ns)
    if content.trusted and snapshot:
        found = snapshot.fingerprint
    _judge(values.headers[0], judgement.sst)
    # Whatever the profile of the headers takes for a release, that of a cube is RELEASE and nothing else.
    release = {"release": _release_of(values.headers[0])}
    fields = {**judgement.describer.fields(values, candidate.name), **release}
    _note_news(candidate, content, found, fields, before=before, judgement=judgement)
    oid = judgement.options.oid or oid_in(content.read, layout, values.headers)
    sources = uses(layout, values)
    stale = {kind for kind, hdus in sources.items() if not same_hdus(snapshot, found, hdus, "derived")}
    # One that is not on record though nothing changed told nothing then, either.
    derived = {one.kind: one for one in derive(content.read, layout, values)} if stale else {}
    former = snapshot.told if snapshot else {}
    told = {str(one): derived[one].warnings if one in stale else former.get(one, ()) for one in sources}
    return Seen(
        trusted=content.trusted,
        fingerprint=found,
        layout=layout,
        values=values,
        fields=fields,
        mapping=judgement.describer.profiles.digest,
        oid=oid,
        sources=sources,
        derived={kind: one for kind, one in derived.items() if kind in stale},
        told={kind: list(warnings) for kind, warnings in told.items()},
        warnings=[
            *sum_warnings(layout, found),
            *doubts_of(values.headers[0]),
            *(one for warnings in told.values() for one in warnings),
        ],
    )


def _refuse_ragged(layout: Layout) -> None:
    """Refuse a file that is no whole number of blocks: the rest of it may be about to be written."""
    over = layout.trailing % BLOCK
    if over:
        raise TruncatedFile(
            f"The file has {layout.size} bytes, which is no multiple of {BLOCK}: it lacks {BLOCK - over} bytes;"
            " copy or upload it again"
        )


def same_hdus(snapshot: Snapshot | None, found: Fingerprint, hdus: Sequence[int], step: str) -> bool:
    """Tell whether some HDUs are as they were, and a step makes of them what it made then."""
    if snapshot is None or not snapshot.makes(step):
        return False
    pairs = [(snapshot.fingerprint.hdu(one), found.hdu(one)) for one in hdus]
    return all(then is not None and now is not None and then.content == now.content for then, now in pairs)


def same_header(snapshot: Snapshot | None, found: Fingerprint, hdu: int) -> bool:
    """Tell whether the header of an HDU is as it was, but for its sums."""
    then, now = snapshot.fingerprint.hdu(hdu) if snapshot else None, found.hdu(hdu)
    return then is not None and now is not None and then.header_sha256 == now.header_sha256


def same_mapping(snapshot: Snapshot, mapping: str) -> bool:
    """Tell whether equal headers are read as they were."""
    return snapshot.mapping == mapping and snapshot.makes("metadata")


def _trusted(
    candidate: Candidate, opened: OpenFile, snapshot: Snapshot | None, judgement: Judgement
) -> _Content | None:
    """Return the content of a plain file of which size and time stamp say that its data are as they were.

    Its headers are read all the same: if one differs, nothing is believed.
    """
    known = candidate.known
    if snapshot is None or known is None or judgement.options.verify or known.container != Container.PLAIN:
        return None
    then, stored = snapshot.fingerprint, opened.stored
    if not then.may_be(stored) or (known.file_size, known.mtime_ns) != (stored.size, stored.mtime_ns):
        return None
    layout = scan(opened.read_at, stored.size, max_header=judgement.archive.max_header)
    if [one.header_sha256 for one in then.hdus] != [header_sha256(raw) for raw in layout.headers]:
        return None
    data = {one.index: (one.data_sha256, one.data_sum) for one in then.hdus}
    return _Content(layout, judgement.describer.series.read(layout.headers), opened.read_at, data, True)


def _everything(candidate: Candidate, opened: OpenFile, judgement: Judgement) -> _Content:
    """Read all of a file, digesting its data as they pass."""
    limits, watch = judgement.archive, DataWatch()
    series = judgement.describer.series
    found = candidate.examined = examination.examine(
        opened,
        candidate.location.filename,
        max_header=limits.max_header,
        max_unpacked=limits.max_unpacked,
        series=series,
        digests=True,
        watch=watch,
    )
    content = found.content
    layout = layout_of(content.hdus, content.headers, content.trailing)
    values = found.values or series.read(content.headers)
    read = open_logical(opened.read_at, found.container, limit=limits.max_unpacked)
    return _Content(layout, values, read, watch.found, False)


def _note_news(
    candidate: Candidate,
    content: _Content,
    found: Fingerprint,
    fields: Fields,
    *,
    before: Snapshot | None,
    judgement: Judgement,
) -> None:
    """Tell the candidate whether the catalog knows its bytes already, and what it is to know."""
    known, values, snapshot = candidate.known, content.values, before
    if content.trusted:
        candidate.skipped = UNCHANGED
    elif known and _is_same(candidate, content.layout, found, snapshot) and not judgement.options.force:
        candidate.skipped = SAME_BYTES
    if known and candidate.skipped:
        digest = judgement.describer.profiles.digest
        read_alike = snapshot is not None and same_mapping(snapshot, digest)
        # The frame of an edited file was read as that of any file, and a cube has rules of its own.
        read_alike = read_alike and all(same_header(snapshot, found, one.index) for one in found.hdus)
        candidate.new = None if read_alike else NewVersion.again(known, fields=fields, values=values)
    else:
        candidate.new = described(candidate, values, fields)
    if candidate.new:
        # Made by this thread, which has read the headers.
        _ = candidate.new.rows


def _is_same(candidate: Candidate, layout: Layout, found: Fingerprint, snapshot: Snapshot | None) -> bool:
    """Tell whether the bytes are those on record; a time stamp decides nothing.

    The headers are compared with those of the version, which an edit may have changed since the last run, and the
    data by their digests, which no edit changes.
    """
    known = candidate.known
    if known is None or not is_same(known, candidate) or known.headers() != layout.headers:
        return False
    then = [one.data_sha256 for one in snapshot.fingerprint.hdus] if snapshot else None
    return then is None or then == [one.data_sha256 for one in found.hdus]


def _judge(primary: Mapping[str, Value], sst: SstSettings) -> None:
    """Refuse a file whose primary header does not say what a cube has to say."""
    for keyword in NEEDED:
        if not text_of(primary, keyword):
            raise CubeRefused(f"The primary header has no {keyword}; add it, and ingest the file again.")
    instrument = text_of(primary, "INSTRUME")
    if sst.instruments and instrument.upper() not in map(str.upper, sst.instruments):
        raise CubeRefused(
            f"INSTRUME is '{instrument}'; known are {', '.join(sst.instruments)}. Correct the keyword, or add the"
            " instrument to sst.instruments."
        )
    _release_of(primary)


def _release_of(primary: Mapping[str, Value]) -> date | None:
    """Return from which day on a cube is public; None if nobody has decided yet."""
    text = str(release).strip() if (release := primary.get("RELEASE")) is not None else ""
    if not text:
        return None
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise CubeRefused(f"RELEASE is '{text}', which is no date YYYY-MM-DD; correct the keyword.")


def span_of(seen: Seen) -> tuple[datetime, datetime]:
    """Return begin and end of a cube in UTC; one that tells no end is a point in time.

    Raises
    ------
    CubeRefused
        If the begin cannot be read, or is on a scale that nothing says how to convert.
    """
    begin = _instant(seen, "DATE-BEG", "started_at")
    if begin is None:
        raise CubeRefused(
            f"DATE-BEG is '{seen.primary.get('DATE-BEG')}', which is no date and time; correct the keyword."
        )
    end = _instant(seen, "DATE-END", "ended_at")
    return begin, begin if end is None or end < begin else end


def made_of(seen: Seen) -> datetime | None:
    """Return when the header was made, which tells the newer of two files; None if it does not say in UTC."""
    stamp = _stamp(seen.primary, "DATE")
    # DATE is UTC by the standard, whatever TIMESYS says.
    return stamp.reading().replace(tzinfo=UTC) if stamp and stamp.scale in _UTC else None


def doubts_of(primary: Mapping[str, Value]) -> list[str]:
    """Return one sentence for each time that is told in vain; without these times a cube is one all the same."""
    told = [
        f"{keyword} is '{primary[keyword]}', which is no date and time; {instead}"
        for keyword, instead in (
            ("DATE-END", "the cube is a point in time"),
            ("DATE", "the time stamp of the file tells whether it is newer than another one"),
        )
        if text_of(primary, keyword) and _stamp(primary, keyword) is None
    ]
    begin, end = _stamp(primary, "DATE-BEG"), _stamp(primary, "DATE-END")
    if begin and end and begin.scale == end.scale and end.reading() < begin.reading():
        told.append("DATE-END is before DATE-BEG; the cube is a point in time")
    return told


def _stamp(primary: Mapping[str, Value], keyword: str) -> Stamp | None:
    try:
        return read_stamp(primary[keyword]) if text_of(primary, keyword) else None
    except ValueError:
        return None


def _instant(seen: Seen, keyword: str, field: str) -> datetime | None:
    if (stamp := _stamp(seen.primary, keyword)) is None:
        return None
    if (stamp.scale or text_of(seen.primary, "TIMESYS").upper()) in _UTC:
        return stamp.reading().replace(tzinfo=UTC)
    converted: datetime | None = seen.fields.get(field)
    if converted is None:
        scale = stamp.scale or text_of(seen.primary, "TIMESYS").upper()
        raise CubeRefused(f"{keyword} is on the time scale {scale}, which is not converted; write it in UTC.")
    return converted
