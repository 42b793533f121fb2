"""A synthetic list of keywords that has every type, and both forms of record-valued keywords."""

from __future__ import annotations

from typing import Any

from armillary.demo.svo.world import BOOLEAN, INTEGER, REAL, TEXT, TIME, Dataset, Keyword

KEYWORDS = (
    Keyword("date_beg", "DATE-BEG", TIME, "", "Begin of the observation"),
    Keyword("date_end", "DATE-END", TIME, "", "End of the observation"),
    Keyword("telescop", "TELESCOP", TEXT, "", "Telescope"),
    Keyword("instrume", "INSTRUME", TEXT, "", "Instrument"),
    Keyword("filename", "FILENAME", TEXT, "", "Name of the file"),
    Keyword("filter1", "FILTER1", TEXT, "", "Filter"),
    Keyword("object", "OBJECT", TEXT, "", "What was observed"),
    Keyword("naxis", "NAXIS", INTEGER, "", "Number of axes"),
    Keyword("nscans", "NSCANS", INTEGER, "", "Number of scans"),
    Keyword("xposure", "XPOSURE", REAL, "s", "Time of exposure"),
    Keyword("wavelnth", "WAVELNTH", REAL, "nm", "Wavelength"),
    Keyword("solarnet", "SOLARNET", REAL, "", "Degree of compliance"),
    Keyword("extend", "EXTEND", BOOLEAN, "", "Whether there are extensions"),
    Keyword("dw3_axis_1", "DW3.AXIS.1", REAL, "", "A record-valued keyword with a dot"),
    Keyword("dw3_name", "DW3 NAME", TEXT, "", "A record-valued keyword with a blank"),
)


def a_dataset(name: str, *, instrument: str = "", **more: Any) -> Dataset:
    """Return a dataset with these keywords."""
    return Dataset(name, instrument or name, "SST", KEYWORDS, **more)
