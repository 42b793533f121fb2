"""Small files by the SOLARNET conventions: a primary header without data."""

from __future__ import annotations

from armillary.fits.cards import format_card
from armillary.fits.models import Value
from tests.support.headers import a_primary

BEGIN = "2026-01-01T10:00:00"


def a_cube(**cards: Value) -> bytes:
    """Return a file of CHROMIS with other cards; ``_`` stands for ``-`` in keywords, and None takes one away."""
    return a_primary(*cards_of(**cards))


def cards_of(**cards: Value) -> list[bytes]:
    """Return the cards of such a file."""
    known: dict[str, Value] = {
        "DATE": "2026-01-02T08:00:00",
        "EXTEND": True,
        "SOLARNET": 0.5,
        "TELESCOP": "Swedish 1-m Solar Telescope",
        "INSTRUME": "CHROMIS",
        "DATE-BEG": BEGIN,
        "DATE-END": "2026-01-01T10:30:00.123456",
        "FILTER1": "3950",
        "FILENAME": "nb_3950_2026-01-01T10:00:00_scans=0-9_corrected.fits",
        "OBJECT": "Sunspot",
        "NSCANS": 10,
        "XPOSURE": 0.012,
        "RELEASE": "2026-01-01",
    }
    known |= {name.replace("_", "-"): value for name, value in cards.items()}
    return [format_card(name, value) for name, value in known.items() if value is not None]


def a_day(number: int) -> dict[str, str]:
    """Return the cards in which the cubes of a day differ."""
    begin = f"2026-01-01T{8 + number // 60:02}:{number % 60:02}:00"
    return {"DATE_BEG": begin, "FILENAME": f"nb_3950_{begin}_scans=0-9_corrected.fits"}


def oid(number: int) -> str:
    """Return the oid of such a cube."""
    return f"{a_day(number)['DATE_BEG']}_3950_0-9"
