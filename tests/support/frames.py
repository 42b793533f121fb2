"""Builders of frames and of the headers they come from, and real headers kept as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml
from astropy.io import fits

from armillary.archive.fields import UNTOLD
from armillary.archive.intake.profiles import Profiles, fields_of, load_profiles
from armillary.fits.models import Value

Headers = list[dict[str, Value]]

_FRAME: dict[str, Any] = {
    "site": "gemini-north",
    "telescope": "Gemini-North",
    "instrument": "GMOS-N",
    "night": date(2026, 1, 1),
    "started_at": datetime(2026, 1, 1, 9, 30, tzinfo=UTC),
    "ended_at": datetime(2026, 1, 1, 9, 31, tzinfo=UTC),
    "exposure_s": 60.0,
    "filter": "r",
    "object": "M 1",
    "ra_deg": 83.6331,
    "dec_deg": 22.0145,
    "airmass": 1.1,
    "program": "GN-2025B-Q-101",
    "observation_id": "GN-2025B-Q-101-7",
    "data_label": "GN-2025B-Q-101-7-001",
    "observation_type": "OBJECT",
    "observation_class": "science",
    "release": date(2027, 1, 1),
    "reduction": "RAW",
    "processing": "Raw",
    "profile": "gemini_gmos",
}

_GMOS: dict[str, Value] = {
    "SIMPLE": True,
    "INSTRUME": "GMOS-N",
    "TELESCOP": "Gemini-North",
    "OBSERVAT": "Gemini-North",
    "OBJECT": "M 1",
    "OBSTYPE": "OBJECT",
    "OBSCLASS": "science",
    "GEMPRGID": "GN-2025B-Q-101",
    "OBSID": "GN-2025B-Q-101-7",
    "DATALAB": "GN-2025B-Q-101-7-001",
    "DATE-OBS": "2026-01-01",
    "UT": "09:30:00.0",
    "EXPTIME": 60.0,
    "FILTER1": "open1-6",
    "FILTER2": "r_G0303",
    "GRATING": "MIRROR",
    "MASKTYP": 0,
    "MASKNAME": "None",
    "RA": 83.6331,
    "DEC": 22.0145,
    "RAWGEMQA": "USABLE",
    "RAWPIREQ": "YES",
    "RELEASE": "2027-01-01",
}


class Frame(SimpleNamespace):
    """The fields of a frame as attributes, those of which nothing is told included."""

    def __init__(self, **told: Any) -> None:
        assert told.keys() <= UNTOLD.keys()
        super().__init__(**{**UNTOLD, **told})


def a_frame(**values: Any) -> Frame:
    """Return a plausible science frame with some values replaced."""
    return Frame(**(_FRAME | values))


def a_header(**values: Value) -> dict[str, Value]:
    """Return the primary header of a GMOS image; ``_`` in a name stands for a hyphen, None removes."""
    header = _GMOS | {name.replace("_", "-"): value for name, value in values.items()}
    return {keyword: value for keyword, value in header.items() if value is not None}


def frame_from(
    *headers: Mapping[str, Value],
    filename: str = "x.fits",
    profiles: Profiles | None = None,
    site: str = "",
    raw: Sequence[bytes] = (),
) -> Frame:
    """Return the frame of some headers by the packaged profiles; their bytes tell comments."""
    chosen = profiles or load_profiles()
    return Frame(**fields_of(list(headers), filename=filename, profiles=chosen, default_site=site, raw=raw))


def headers_of_file(path: Path) -> Headers:
    """Return the headers of a FITS file as an independent reader sees them, tile compression left alone."""
    with fits.open(path, disable_image_compression=True) as hdus:
        return [_values(hdu.header.cards) for hdu in hdus]


def headers_of_text(path: Path) -> Headers:
    """Return the headers in a text file: cards with or without line breaks, full-header pages, YAML."""
    text = path.read_text("latin-1")
    if text.startswith("PRIMARY:"):
        return [_yaml_values(cards) for cards in yaml.safe_load(text).values()]
    return [_values([fits.Card.fromstring(line[:80].ljust(80)) for line in unit]) for unit in _units_of(text)]


def raw_of_text(path: Path) -> list[bytes]:
    """Return the cards of each header in a text file as bytes."""
    units = _units_of(path.read_text("latin-1"))
    return [b"".join(line[:80].ljust(80).encode("latin-1") for line in unit) for unit in units]


def _units_of(text: str) -> list[list[str]]:
    """Return the lines of each header in a text."""
    lines = text.splitlines()
    if len(lines) == 1:
        lines = [text[i : i + 80] for i in range(0, len(text), 80)]
    units: list[list[str]] = []
    for line in lines:
        if line.startswith(("SIMPLE  =", "XTENSION=")):
            units.append([])
        if units and not line.startswith(("---", "END ")):
            units[-1].append(line)
    return units


def _values(cards: Sequence[Any]) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for card in cards:
        try:
            value = card.value
        except (fits.VerifyError, ValueError):
            value = None
        if card.keyword not in ("", "COMMENT", "HISTORY", "CONTINUE"):
            values.setdefault(card.keyword, None if isinstance(value, fits.card.Undefined) else value)
    return values


def _yaml_values(cards: Sequence[Mapping[str, Any]]) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for card in cards:
        values.setdefault(str(card["keyword"]), card["value"])
    return values
