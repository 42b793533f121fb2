"""Frames as a VOTable 1.4 (IVOA Recommendation of 2019-10-21), in the serialisation TABLEDATA."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from armillary.archive.download.tables.columns import COLUMNS, TableColumn
from armillary.archive.query.service import plain_values

MEDIA_TYPE = "application/x-votable+xml"
# XML 1.0, production 2: other characters cannot be in a document, not even by their numbers.
_UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">
<RESOURCE type="results">
<COOSYS ID="icrs" system="ICRS"/>
<TIMESYS ID="utc" timescale="UTC" refposition="TOPOCENTER"/>
<TABLE name="frames">
"""


def head() -> str:
    """Return everything before the first row."""
    return _HEAD + "".join(map(_field, COLUMNS)) + "<DATA><TABLEDATA>\n"


def rows(frames: Iterable[Mapping[str, Any]]) -> str:
    """Return rows of frames."""
    return "".join(_row(plain_values(one)) for one in frames)


def tail(*, complete: bool) -> str:
    """Return what ends the document; it says whether rows were left out (DALI 1.1, section 4.4.1)."""
    overflow = "" if complete else '<INFO name="QUERY_STATUS" value="OVERFLOW"/>\n'
    return f"</TABLEDATA></DATA>\n</TABLE>\n{overflow}</RESOURCE>\n</VOTABLE>\n"


def _field(column: TableColumn) -> str:
    attributes = {"name": column.name, **_type_of(column), "unit": column.unit, "ucd": column.ucd}
    attributes["ref"] = "icrs" if column.pointing else "utc" if column.kind == "instant" else ""
    written = " ".join(f"{key}={quoteattr(value)}" for key, value in attributes.items() if value)
    return f"<FIELD {written}/>\n"


def _type_of(column: TableColumn) -> dict[str, str]:
    match column.kind:
        case "number":
            return {"datatype": "double"}
        case "count" | "percentile":
            return {"datatype": "int"}
        case "flag":
            return {"datatype": "boolean"}
        case "day" | "instant":
            return {"datatype": "char", "arraysize": "*", "xtype": "timestamp"}
        case None:
            return {"datatype": "long"}
    return {"datatype": "unicodeChar", "arraysize": "*"}


def _row(frame: Mapping[str, Any]) -> str:
    cells = (_cell(frame[one.name]) for one in COLUMNS)
    return f"<TR>{''.join(cells)}</TR>\n"


def _cell(value: Any) -> str:
    match value:
        case None:
            return "<TD/>"
        case bool():
            return "<TD>T</TD>" if value else "<TD>F</TD>"
        case str():
            return f"<TD>{escape(_UNWRITABLE.sub(chr(0xFFFD), value))}</TD>"
    return f"<TD>{value!r}</TD>"
