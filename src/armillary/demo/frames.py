"""Frames that never were, as many as wanted: five years of four telescopes, to try searches at size.

A synthetic frame is a version like any other, with a header of its own, but no file is behind it. Equal
arguments give equal frames, whatever the number that is made before or after.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np

from armillary.archive.catalog.models import HduRecord, Location
from armillary.archive.catalog.service import NewVersion
from armillary.archive.fields import Fields
from armillary.archive.models import QaState
from armillary.fits.cards import END
from armillary.fits.crc import crc64
from armillary.fits.models import BLOCK, CARD, Value
from armillary.fits.values import write_value

FIRST_NIGHT, NIGHTS = date(2021, 1, 1), 1826
NIGHT_H = 10.0
FIELDS, FIELD_SIZE_DEG = 400, 0.3
"""Places to which telescopes return, and how far around each they point."""
IN_A_FIELD, UNDATED, UNPLACED, PROPRIETARY, ENGINEERING = 0.3, 0.001, 0.02, 0.01, 0.02
TYPES = {"OBJECT": 0.6, "FLAT": 0.15, "BIAS": 0.1, "ARC": 0.1, "DARK": 0.05}
QUALITY = {
    QaState.PASS: 0.7,
    QaState.UNDEFINED: 0.15,
    QaState.USABLE: 0.08,
    QaState.FAIL: 0.04,
    QaState.CHECK: 0.03,
}
EXPOSURES_S = (1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0)
PERCENTILES = (20, 50, 70, 85, 100)

_GMOS = ("u", "g", "r", "i", "z", "Z", "Y", "GG455", "OG515", "Ha", "HaC", "open")
_INFRARED = ("J", "H", "K", "Ks", "L", "M", "Br(gamma)", "H2")
_SLOAN = ("up", "gp", "rp", "ip", "zs", "B", "V", "H-Alpha", "w")


@dataclass(frozen=True, slots=True)
class Station:
    """A telescope: what is mounted on it with which share of the frames, and when its night begins (UTC)."""

    site: str
    telescope: str
    share: float
    dusk_h: float
    name: str
    program: str
    instruments: Mapping[str, tuple[float, tuple[str, ...]]]


STATIONS = (
    Station(
        *("gemini-north", "Gemini-North", 0.35, 5.0, "N{night}Y{number:04d}.fits", "GN"),
        {
            "GMOS-N": (0.6, _GMOS),
            "NIRI": (0.2, _INFRARED),
            "GNIRS": (0.15, _INFRARED),
            "NIFS": (0.05, _INFRARED),
        },
    ),
    Station(
        *("gemini-south", "Gemini-South", 0.3, 23.5, "S{night}Y{number:04d}.fits", "GS"),
        {"GMOS-S": (0.7, _GMOS), "F2": (0.2, _INFRARED), "GSAOI": (0.1, _INFRARED)},
    ),
    Station(
        *("cpt", "1m0-10", 0.2, 17.5, "cpt1m0sy-{instrument}-{night}-{number:04d}-e00.fits", "LCO"),
        {"fa14": (0.9, _SLOAN), "fa16": (0.1, _SLOAN)},
    ),
    Station(
        *("lsc", "1m0-05", 0.15, 23.5, "lsc1m0sy-{instrument}-{night}-{number:04d}-e00.fits", "LCO"),
        {"fa15": (1.0, _SLOAN)},
    ),
)
"""The letters ``Y`` and ``sy`` in the names are those of no telescope: no real file is called so."""


def up_to(night: int, count: int) -> int:
    """Return how many of ``count`` frames are made before a night."""
    return count * night // NIGHTS


def make_frames(
    count: int, *, root_id: int, seed: int = 1, nights: range = range(NIGHTS)
) -> Iterator[tuple[int, list[NewVersion]]]:
    """Yield the number of each night and its part of ``count`` frames; memory holds one night."""
    fields = _fields(seed)
    for night in nights:
        made = up_to(night + 1, count) - up_to(night, count)
        if made:
            yield night, list(_night(night, made, fields, root_id=root_id, seed=seed))


def dawn_after(night: int) -> datetime:
    """Return when everything of a night is in the archive."""
    return _midnight(night) + timedelta(days=1, hours=16)


def _midnight(night: int) -> datetime:
    return datetime.combine(FIRST_NIGHT + timedelta(days=night), datetime.min.time(), UTC)


def _fields(seed: int) -> Sequence[tuple[float, float]]:
    ra, dec = _positions(np.random.default_rng(seed), FIELDS)
    return list(zip(ra, dec, strict=True))


def _positions(rng: np.random.Generator, count: int) -> tuple[list[float], list[float]]:
    """Return right ascensions and declinations, degrees, uniform on the sphere."""
    ra, dec = rng.uniform(0, 360, count), np.degrees(np.arcsin(rng.uniform(-1, 1, count)))
    return np.round(ra, 6).tolist(), np.round(dec, 6).tolist()


def _night(
    night: int, count: int, fields: Sequence[tuple[float, float]], *, root_id: int, seed: int
) -> Iterator[NewVersion]:
    rng = np.random.default_rng((seed, night))
    shares = [station.share for station in STATIONS]
    stations = np.sort(rng.choice(len(STATIONS), count, p=shares))
    for index, station in enumerate(STATIONS):
        frames = int((stations == index).sum())
        if frames:
            for number, frame in enumerate(_frames(station, night, frames, fields, rng), 1):
                yield _version(station, frame, night, number, root_id)


def _frames(
    station: Station, night: int, count: int, fields: Sequence[tuple[float, float]], rng: np.random.Generator
) -> Iterator[Fields]:
    """Yield what a telescope did in a night, in order of time."""
    instruments = list(station.instruments)
    shares = [share for share, _ in station.instruments.values()]
    mounted = rng.choice(len(instruments), count, p=shares).tolist()
    kinds = rng.choice(list(TYPES), count, p=list(TYPES.values())).tolist()
    quality = rng.choice(len(QUALITY), count, p=list(QUALITY.values())).tolist()
    words = list(QUALITY)
    # One row of small random numbers per frame: filter, exposure, field, program, observation, seeing, sky.
    dice = rng.integers(0, 1 << 30, (count, 7)).tolist()
    chances = rng.uniform(0, 1, (count, 5)).tolist()
    offsets = (rng.standard_normal((count, 2)) * FIELD_SIZE_DEG).tolist()
    times = np.sort(rng.uniform(0, NIGHT_H * 3600, count)).round(3).tolist()
    dusk = _midnight(night) + timedelta(hours=station.dusk_h)
    for at, (ra, dec) in enumerate(zip(*_positions(rng, count), strict=True)):
        instrument = instruments[mounted[at]]
        place = _place((ra, dec), fields[dice[at][2] % FIELDS], offsets[at], chances[at])
        yield _frame(
            *(station, instrument, kinds[at], words[quality[at]], dice[at], chances[at], place),
            night=night, started_at=dusk + timedelta(seconds=times[at]), step=at + 1,
        )  # fmt: skip


def _place(
    anywhere: tuple[float, float],
    field: tuple[float, float],
    offset: Sequence[float],
    chance: Sequence[float],
) -> tuple[float, float] | None:
    if chance[0] < UNPLACED:
        return None
    if chance[1] > IN_A_FIELD:
        return anywhere
    ra, dec = field
    dec = max(-90.0, min(90.0, dec + offset[1]))
    return round((ra + offset[0] / max(0.01, float(np.cos(np.radians(dec))))) % 360, 6), round(dec, 6)


def _frame(
    station: Station,
    instrument: str,
    kind: str,
    quality: QaState,
    dice: Sequence[int],
    chance: Sequence[float],
    place: tuple[float, float] | None,
    *,
    night: int,
    started_at: datetime,
    step: int,
) -> Fields:
    day = FIRST_NIGHT + timedelta(days=night)
    science = kind == "OBJECT"
    program = _program(station, day, dice[3], science=science)
    observation = f"{program}-{dice[4] % 40 + 1}"
    exposure_s = 0.0 if kind == "BIAS" else EXPOSURES_S[dice[1] % len(EXPOSURES_S)]
    filters = station.instruments[instrument][1]
    dated = chance[2] >= UNDATED
    spectra = kind == "ARC" or dice[5] % 3 == 0
    return {
        "site": station.site,
        "telescope": station.telescope,
        "instrument": instrument,
        "night": day if dated else None,
        "started_at": started_at if dated else None,
        "ended_at": started_at + timedelta(seconds=exposure_s) if dated else None,
        "exposure_s": exposure_s,
        "filter": filters[dice[0] % len(filters)],
        "object": f"Field {dice[2] % FIELDS:03d}" if science else kind.title(),
        "ra_deg": place[0] if place else None,
        "dec_deg": place[1] if place else None,
        "airmass": round(1 + dice[5] % 1000 / 1000, 3),
        "program": program,
        "observation_id": observation,
        "data_label": f"{observation}-{day:%y%m%d}{step:04d}",
        "observation_type": kind,
        "observation_class": "science" if science else "dayCal",
        "qa_state": quality,
        "raw_iq": PERCENTILES[dice[5] % len(PERCENTILES)],
        "raw_cc": PERCENTILES[dice[6] % len(PERCENTILES)],
        "release": day + timedelta(days=365) if science else day,
        "proprietary_coordinates": science and chance[3] < PROPRIETARY,
        "engineering": chance[4] < ENGINEERING,
        "calibration_program": not science,
        "reduction": "RAW",
        "processing": "Raw",
        "mode": "LS" if spectra else "imaging",
        "spectroscopy": spectra,
        "binning": ("1x1", "2x2")[dice[6] % 2],
        "profile": "synthetic",
    }


def _program(station: Station, day: date, dice: int, *, science: bool) -> str:
    if not science:
        return f"{station.program}-CAL{day:%Y%m%d}"
    half = f"{day.year}{'A' if day.month < 8 else 'B'}"
    return (
        f"{station.program}{half}-{dice % 60:03d}"
        if station.program == "LCO"
        else (f"{station.program}-{half}-Q-{101 + dice % 150}")
    )


def _version(station: Station, frame: Fields, night: int, number: int, root_id: int) -> NewVersion:
    day = FIRST_NIGHT + timedelta(days=night)
    name = station.name.format(night=f"{day:%Y%m%d}", number=number, instrument=frame["instrument"])
    header = _header(_keywords(frame))
    crc, md5 = crc64(header), hashlib.md5(header, usedforsecurity=False).hexdigest()
    stamp = frame["ended_at"] or _midnight(night)
    return NewVersion(
        name=name,
        location=Location(root_id, f"{day:%Y/%m/%d}", name),
        container="plain",
        file_size=len(header),
        data_size=len(header),
        file_crc=crc,
        data_crc=crc,
        mtime_ns=int(stamp.timestamp()) * 1_000_000_000,
        identity=f"synthetic:{name}",
        hdus=(HduRecord("PRIMARY", "", 1, len(header), 0, 0),),
        trailing=0,
        trailing_crc=0,
        headers=(header,),
        origin="ingest",
        fields=frame,
        digests={"file_md5": md5, "data_md5": md5},
    )


def _keywords(frame: Fields) -> dict[str, Value]:
    known: dict[str, Any] = {
        "SIMPLE": True,
        "BITPIX": 8,
        "NAXIS": 0,
        "TELESCOP": frame["telescope"],
        "INSTRUME": frame["instrument"],
        "OBJECT": frame["object"],
        "OBSTYPE": frame["observation_type"],
        "DATE-OBS": frame["started_at"] and frame["started_at"].isoformat()[:23],
        "EXPTIME": frame["exposure_s"],
        "FILTER": frame["filter"],
        "RA": frame["ra_deg"],
        "DEC": frame["dec_deg"],
        "AIRMASS": frame["airmass"],
        "GEMPRGID": frame["program"],
        "OBSID": frame["observation_id"],
        "DATALAB": frame["data_label"],
    }
    return {keyword: value for keyword, value in known.items() if value is not None}


def _header(values: Mapping[str, Value]) -> bytes:
    cards = "".join([_card(keyword, value) for keyword, value in values.items()])
    return (cards.encode("ascii") + END).ljust(BLOCK)


@lru_cache(maxsize=1 << 14)
def _card(keyword: str, value: Value) -> str:
    # Every value fits its card, so that nothing has to be measured, cut or continued.
    return f"{keyword:<8}= {write_value(value)}".ljust(CARD)
