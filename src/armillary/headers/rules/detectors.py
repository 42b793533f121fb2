"""Detectors of one exposure: the same exposure, complete columns, names of the focal plane, geometry."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from armillary.headers.rules.models import Deviation, Group, Rule, SetRule, Severity
from armillary.headers.rules.sheet import Cell, Page, Sheet, number_of
from armillary.headers.rules.shots import SetCheck, Shot, by_camera

_NAME = re.compile(r"(R\d\d)_?(S[\dGW][\d])(?:_(?:PRIMARY|Segment(\d\d)))?|Segment(\d\d)", re.IGNORECASE)
_SECTION = re.compile(r"\s*\[\s*(\d+)\s*:\s*(\d+)\s*,\s*(\d+)\s*:\s*(\d+)\s*\]\s*")
_EXPOSURE = (
    *(
        "OBSID",
        "DAYOBS",
        "SEQNUM",
        "GROUPID",
        "DATE-OBS",
        "DATE-BEG",
        "DATE-END",
        "MJD-BEG",
        "MJD-OBS",
        "EXPTIME",
    ),
    *("DARKTIME", "FILTER", "IMGTYPE", "RA", "DEC", "TIMESYS", "OBJECT"),
)

Section = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Seat:
    """An HDU of a detector: raft, slot and segment as its name tells, and its cards by keyword."""

    page: Page
    raft: str
    slot: str
    segment: str
    cells: dict[str, Cell]

    @property
    def detector(self) -> str:
        """Raft and slot together; empty for segments of a single detector."""
        return f"{self.raft}_{self.slot}" if self.raft else ""


def seats_of(sheet: Sheet) -> list[Seat]:
    """Return the HDUs of detectors and segments; computed once."""
    if "seats" not in sheet.cache:
        found = []
        for page in sheet.pages[1:]:
            match = _NAME.fullmatch(page.name.strip())
            if match:
                cells: dict[str, Cell] = {}
                for cell in page.cells:
                    cells.setdefault(cell.keyword, cell)
                raft, slot = (match[1] or "").upper(), (match[2] or "").upper()
                found.append(Seat(page, raft, slot, match[3] or match[4] or "", cells))
        sheet.cache["seats"] = found
    seats: list[Seat] = sheet.cache["seats"]
    return seats


def blocks(sheet: Sheet, _: float) -> Iterator[Deviation]:
    """Find detectors that tell of another exposure than the primary header."""
    wrong: dict[str, list[tuple[str, object]]] = {}
    for seat in seats_of(sheet):
        for keyword in _EXPOSURE:
            cell = seat.cells.get(keyword)
            main = sheet.value(keyword)
            if cell is not None and cell.value is not None and main is not None and cell.value != main:
                wrong.setdefault(keyword, []).append((seat.page.name, cell.value))
    for keyword, places in wrong.items():
        names = ", ".join(name for name, _ in places[:4]) + (" ..." if len(places) > 4 else "")
        value = places[0][1]
        yield Deviation(
            keyword,
            sheet.value(keyword),
            value if isinstance(value, str | int | float | bool) else None,
            float(len(places)),
            None,
            f"{keyword} of {names} is not that of the primary header.",
            unit="HDUs",
        )


def columns(sheet: Sheet, _: float) -> Iterator[Deviation]:
    """Find cards that have no value in one detector only."""
    kinds: dict[bool, list[Seat]] = {True: [], False: []}
    for seat in seats_of(sheet):
        kinds[bool(seat.segment)].append(seat)
    for seats in kinds.values():
        if len(seats) < 3:
            continue
        for keyword in {key for seat in seats for key in seat.cells}:
            if keyword in ("", "COMMENT", "HISTORY"):
                continue
            empty = [seat.page.name for seat in seats if not _has_value(seat, keyword)]
            if 0 < len(empty) <= max(1, len(seats) // 10):
                yield Deviation(
                    keyword,
                    "a value in every detector",
                    None,
                    float(len(empty)),
                    None,
                    f"{keyword} has no value in {', '.join(empty[:4])} alone.",
                    unit="HDUs",
                )


def _has_value(seat: Seat, keyword: str) -> bool:
    cell = seat.cells.get(keyword)
    return cell is not None and cell.value is not None and cell.value != ""


def names(sheet: Sheet, _: float) -> Iterator[Deviation]:
    """Compare names of HDUs with raft and slot, and find names that occur twice."""
    for seat in seats_of(sheet):
        for keyword, part in (("RAFTBAY", seat.raft), ("CCDSLOT", seat.slot)):
            cell = seat.cells.get(keyword)
            if (
                part
                and cell is not None
                and isinstance(cell.value, str)
                and cell.value.strip().upper() != part
            ):
                yield Deviation(
                    keyword, part, cell.value, text=f"{keyword} of {seat.page.name} contradicts its name."
                )
    twice = [name for name, count in Counter(seat.page.name for seat in seats_of(sheet)).items() if count > 1]
    if twice:
        yield Deviation("EXTNAME", "each name once", ", ".join(twice))
    raft, slot, chip = sheet.text("RAFTBAY"), sheet.text("CCDSLOT"), sheet.text("CHIPID")
    if raft and slot and chip and re.fullmatch(r"R\d\d_S\w\d", chip) and chip != f"{raft}_{slot}":
        yield Deviation("CHIPID", f"{raft}_{slot}", chip)


def section(value: object) -> Section | None:
    """Return the four numbers of ``[x1:x2,y1:y2]``."""
    found = _SECTION.fullmatch(value) if isinstance(value, str) else None
    return (int(found[1]), int(found[2]), int(found[3]), int(found[4])) if found else None


def mapping(sheet: Sheet, _: float) -> Iterator[Deviation]:
    """Map DATASEC to the detector by DTM and DTV, which is to give DETSEC end to end."""
    for seat in seats_of(sheet):
        value = {key: cell.value for key, cell in seat.cells.items()}
        data, there = section(value.get("DATASEC")), section(value.get("DETSEC"))
        numbers = [number_of(value.get(key)) for key in ("DTM1_1", "DTV1", "DTM2_2", "DTV2")]
        if data is None or there is None or None in numbers:
            continue
        m1, v1, m2, v2 = (number or 0.0 for number in numbers)
        offset = _offset(data, there, m1)
        found = (m1 * data[0] + v1, m1 * data[1] + v1, m2 * data[2] + v2, m2 * data[3] + v2)
        if found != tuple(map(float, there)):
            off = [a - b for a, b in zip(found, there, strict=True)]
            hypothesis = "DTV1 leaves out the prescan" if offset and off[0] == off[1] == -offset else None
            yield Deviation(
                "DATASEC, DETSEC, DTM1_1, DTV1, DTM2_2, DTV2",
                list(map(float, there)),
                list(found),
                max(off, key=abs),
                hypothesis,
                f"DTM and DTV of {seat.page.name} do not map DATASEC onto DETSEC.",
            )


def _offset(data: Section, there: Section, m1: float) -> float:
    return -m1 * (data[0] - 1) if there else 0.0


def tiling(sheet: Sheet, _: float) -> Iterator[Deviation]:
    """Let the sections of the segments of each detector cover it exactly once."""
    by_detector: dict[str, list[Seat]] = {}
    for seat in seats_of(sheet):
        if seat.segment:
            by_detector.setdefault(seat.detector, []).append(seat)
    for detector, seats in by_detector.items():
        whole = _whole(sheet, detector, seats)
        parts = [
            part for seat in seats if (cell := seat.cells.get("DETSEC")) and (part := section(cell.value))
        ]
        if whole is None or len(seats) != 16 or len(parts) != 16:
            continue
        area = sum((abs(x2 - x1) + 1) * (abs(y2 - y1) + 1) for x1, x2, y1, y2 in parts)
        size = (whole[1] - whole[0] + 1) * (whole[3] - whole[2] + 1)
        if area != size or _overlap(parts) or not all(_inside(part, whole) for part in parts):
            yield Deviation(
                "DETSEC, DETSIZE",
                float(size),
                float(area),
                float(area - size),
                None,
                f"The 16 DETSEC{f' of {detector}' if detector else ''} do not tile DETSIZE exactly once.",
            )


def _whole(sheet: Sheet, detector: str, seats: list[Seat]) -> Section | None:
    own = [seat for seat in seats_of(sheet) if seat.detector == detector]
    for seat in (*own, *seats):
        if (cell := seat.cells.get("DETSIZE")) and (found := section(cell.value)):
            return found
    return section(sheet.value("DETSIZE"))


def _inside(part: Section, whole: Section) -> bool:
    x1, x2, y1, y2 = part
    return (
        whole[0] <= min(x1, x2)
        and max(x1, x2) <= whole[1]
        and whole[2] <= min(y1, y2)
        and max(y1, y2) <= whole[3]
    )


def _overlap(parts: list[Section]) -> bool:
    boxes = [(min(a, b), max(a, b), min(c, d), max(c, d)) for a, b, c, d in parts]
    return any(
        p[0] <= q[1] and q[0] <= p[1] and p[2] <= q[3] and q[2] <= p[3]
        for i, p in enumerate(boxes)
        for q in boxes[i + 1 :]
    )


_ENOUGH = 5


def _detector_sets(shots: Sequence[Shot], _: float) -> Iterator[tuple[str, Deviation]]:
    """Find images with fewer detectors than the others of their camera."""
    for group in by_camera(shots):
        counts = [(one, len({seat.detector for seat in seats_of(one.sheet)})) for one in group]
        counts = [(one, count) for one, count in counts if count]
        if len(counts) < _ENOUGH:
            continue
        most = Counter(count for _, count in counts).most_common(1)[0][0]
        for one, count in counts:
            if count < most:
                yield one.sheet.file, Deviation("EXTNAME", most, count, float(count - most))


RULES = (
    Rule(
        "detectors-block",
        Group.DETECTORS,
        Severity.ERROR,
        "OBSID, DATE-*, EXPTIME, FILTER ... of all HDUs",
        "each HDU tells of the same exposure",
        "A detector tells of another exposure.",
        blocks,
        tolerance=0.0,
        unit="HDUs",
    ),
    Rule(
        "detectors-null",
        Group.DETECTORS,
        Severity.WARNING,
        "all cards of detectors and segments",
        "a value in all or in none",
        "A value is missing in one detector only.",
        columns,
        tolerance=0.0,
        unit="HDUs",
    ),
    Rule(
        "detectors-name",
        Group.DETECTORS,
        Severity.ERROR,
        "EXTNAME, RAFTBAY, CCDSLOT, CHIPID",
        "EXTNAME = raft and slot",
        "The name of the detector contradicts raft and slot.",
        names,
    ),
    Rule(
        "detectors-mapping",
        Group.DETECTORS,
        Severity.ERROR,
        "DATASEC, DETSEC, DTM1_1, DTM2_2, DTV1, DTV2",
        "DTM * DATASEC + DTV = DETSEC",
        "The geometry contradicts itself.",
        mapping,
        tolerance=0.0,
        unit="pix",
        hypotheses=("DTV1 leaves out the prescan",),
    ),
    Rule(
        "detectors-tiling",
        Group.DETECTORS,
        Severity.ERROR,
        "DETSEC, DETSIZE",
        "the DETSECs tile DETSIZE exactly once",
        "The segments do not cover the detector exactly once.",
        tiling,
        tolerance=0.0,
        unit="pix",
    ),
)
SET_CHECKS: tuple[SetCheck, ...] = (
    (
        SetRule(
            "detectors-set",
            Group.DETECTORS,
            Severity.WARNING,
            "EXTNAME",
            "as many detectors as the other images",
            "Detectors are missing.",
            unit="detectors",
        ),
        _detector_sets,
    ),
)
