"""How files by the SOLARNET conventions are called: the oid, by which a product stays the same when it moves."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from armillary.archive.errors import OidUnknown
from armillary.fits.models import Value

NEEDED = ("INSTRUME", "DATE-BEG", "FILTER1", "FILENAME")
SCANS, SCAN_NUMBERS = "_scans=", "VAR-EXT-SCANNUM"


def oid_of(values: Mapping[str, Value], extensions: Collection[str] = ()) -> str:
    """Return ``DATE-BEG_FILTER1_scans`` of a file.

    Parameters
    ----------
    values
        The keywords of its primary header.
    extensions
        The names of its other HDUs.

    Raises
    ------
    OidUnknown
        If a keyword is missing, or the scans are told by the data of an extension alone.
    """
    for keyword in NEEDED:
        if not _text(values, keyword):
            raise OidUnknown(f"The primary header has no {keyword}; add it, and ingest the file again.")
    return "_".join((_text(values, "DATE-BEG"), _text(values, "FILTER1"), _scans(values, extensions)))


def _scans(values: Mapping[str, Value], extensions: Collection[str]) -> str:
    _, named, rest = _text(values, "FILENAME").rpartition(SCANS)
    if named:
        return rest.partition("_")[0].removesuffix(".fits")
    if SCAN_NUMBERS in (name.strip().upper() for name in extensions):
        raise OidUnknown(
            f"FILENAME does not tell the scans, only the data of {SCAN_NUMBERS} do; write `{SCANS}A-B` into it."
        )
    if not (number := _text(values, "SCANNUM")):
        raise OidUnknown(f"Neither FILENAME (`{SCANS}A-B`) nor SCANNUM tells the scans; add one of them.")
    return number


def _text(values: Mapping[str, Value], keyword: str) -> str:
    value = values.get(keyword)
    return "" if value is None or isinstance(value, bool) else str(value).strip()
