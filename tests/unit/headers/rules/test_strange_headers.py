"""Whatever a header says, checking it is no fault of ours."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from armillary.headers.rules.service import (
    Report,
    Sheet,
    Unreadable,
    check,
    check_set,
    report_on,
    report_to_json,
    sheets_of,
    slim,
)
from tests.support.consistent import a_sheet, segments_of, values_of

CLEAN = values_of()
STRANGE = (
    *(0, -1, 1, 1e308, -1e308, 5e-324, 90.0, 180.0, 360.0, 1 << 80, True, None, float("nan"), float("inf")),
    *(
        "",
        " ",
        "NaN",
        "'",
        "12:60:61",
        "-00:00:00.0",
        "24:00:00",
        "2026-02-30T00:00:00",
        "9999-12-31T23:59:59.9",
    ),
    *("0001-01-01T00:00:00", "2016-12-31T23:59:60.5", "[1:0,0:1]", "[", "1e400", "TAI", complex(1, 2)),
    *("2026-03-02", "T", "CC_O_99999999_000001", "99999999", "1958-01-01T00:00:00", "2099-12-31T23:59:59"),
)
values = st.one_of(st.sampled_from(STRANGE), st.floats(), st.integers(), st.text(max_size=12))
changes = st.dictionaries(
    st.sampled_from([*CLEAN, "HA", "LST", "AIRMASS", "ALTITUDE", "AZIMUTH", "ZD"]), values, max_size=6
)


def _sendable(report: Report) -> None:
    told = report_to_json(report)
    json.dumps(told, allow_nan=False, ensure_ascii=False).encode("utf-8")
    assert all(
        one["residual"] is None or isinstance(one["residual"], float | int) for one in told["findings"]
    )


@settings(max_examples=80, deadline=None)
@given(changes)
def test_a_header_may_say_anything(wrong: dict[str, Any]) -> None:
    sheet = a_sheet({**CLEAN, **wrong}, hdus=segments_of())
    found = [*check(sheet), *check_set([sheet, slim(sheet), a_sheet()])]
    _sendable(report_on(found, 2))


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["DATASEC", "DETSEC", "DTM1_1", "DTV1", "DETSIZE", "RAFTBAY"]), values)
)
def test_a_detector_may_say_anything(wrong: dict[str, Any]) -> None:
    hdus = segments_of()
    hdus[0][1].update(wrong)
    hdus[3][1].update(wrong)
    _sendable(report_on(check(a_sheet(hdus=hdus)), 1))


documents = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.text(max_size=5), st.integers()),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["hdus", "cards", "header", "file", "value", "key", "__COMMON__", "name", "OBSID", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=80, deadline=None)
@given(documents)
def test_any_document_is_a_header_or_refused(document: Any) -> None:
    try:
        sheets: list[Sheet] = sheets_of(json.dumps(document).encode(), "body", yaml=False)
    except Unreadable:
        return
    _sendable(report_on([one for sheet in sheets for one in check(sheet)], 1))


@settings(max_examples=80, deadline=None)
@given(st.one_of(st.binary(max_size=400), st.binary(max_size=300).map(lambda tail: b"SIMPLE  = " + tail)))
def test_any_bytes_are_a_header_or_refused(content: bytes) -> None:
    try:
        for sheet in sheets_of(content, "body"):
            check(sheet)
    except Unreadable:
        pass
