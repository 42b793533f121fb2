"""Elements of lists have the bytes of `json.dumps`, whatever the values are."""

from __future__ import annotations

import ast
import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from armillary.api.gemini.elements import FILES, NAMES, SUMMARIES, elements
from armillary.archive.fields import POINTING
from armillary.archive.query.listing import Listing

ENTERED = datetime(2026, 1, 1, 5, 0, 0, 500_000, UTC)
WORDS = ['a "quoted" name', "back\\slash", "Ünicode ☃ 𝄞", "100%s, %(x)s", "", "a, b", "line\nend", None]
NUMBERS = [0.0, -0.0, 1, True, 1.0, 1e-05, 1e300, None]


def a_listing(**columns: list[Any]) -> Listing:
    """Return a list of some columns; what every element needs has a value in the others."""
    count = len(next(iter(columns.values())))
    needed = {name: [None] * count for name, _ in SUMMARIES.values() if name != "tags"}
    details = ["{}"] * count
    shown = {"coordinates_visible": [True] * count, "details": details}
    whole = needed | shown | columns
    return Listing(tuple(whole), list(zip(*whole.values(), strict=True)), truncated=False)


@pytest.mark.parametrize(("key", "name", "values"), [("object", "object", WORDS), ("ra", "ra_deg", NUMBERS)])
def test_odd_values_are_written_as_json_does(key: str, name: str, values: list[Any]) -> None:
    written = elements(a_listing(**{name: values}), SUMMARIES)
    for text, value in zip(written, values, strict=True):
        read = json.loads(text)
        assert text == json.dumps(read)
        assert list(read) == list(SUMMARIES)
        assert json.dumps(read[key]) == json.dumps(value)


def test_instants_of_files_carry_their_offset_and_those_of_observations_none() -> None:
    listing = a_listing(
        entrytime=[ENTERED, ENTERED.replace(microsecond=0)],
        release=[date(2026, 1, 2), None],
        lastmod=[None, None],
        started_at=[ENTERED, ENTERED.replace(microsecond=0)],
    )
    first, second = map(json.loads, elements(listing, SUMMARIES))
    times = [(one["entrytime"], one["ut_datetime"]) for one in (first, second)]
    assert times == [
        ("2026-01-01 05:00:00.500000+00:00", "2026-01-01 05:00:00.500000"),
        ("2026-01-01 05:00:00+00:00", "2026-01-01 05:00:00"),
    ]
    assert (first["release"], second["release"], first["lastmod"]) == ("2026-01-02", None, None)


@pytest.mark.parametrize("words", [{}, {"instrument": "it's"}, {"instrument": "niri", "reduction": "RAW"}])
def test_types_are_the_text_of_a_set(words: dict[str, str]) -> None:
    (written,) = elements(a_listing(**{key: [word] for key, word in words.items()}, name=["one"]), SUMMARIES)
    types = json.loads(written)["types"]
    assert isinstance(types, str)
    found = ast.literal_eval(types)
    assert found >= {word.upper() for word in words.values()}
    # Python writes one set in several orders; this one is always the same.
    assert types == (f"{{{', '.join(map(repr, sorted(found)))}}}" if words else "set()")


def test_positions_are_null_in_the_rows_whose_viewer_may_not_know_them() -> None:
    columns: dict[str, list[Any]] = {name: [1.5, 2.5] for name in POINTING}
    listing = a_listing(**columns, coordinates_visible=[False, True], name=["one", "two"])
    hidden, shown = map(json.loads, elements(listing, SUMMARIES))
    keys = [key for key, (name, _) in SUMMARIES.items() if name in POINTING]
    assert len(keys) == len(POINTING)
    assert [hidden[key] for key in keys] == [None] * len(keys)
    assert [shown[key] for key in keys] == [2.5] * len(keys)
    assert (hidden["name"], shown["name"]) == ("one", "two")


def test_values_without_a_column_come_from_the_details_of_the_frame() -> None:
    names = ("name", "details", "coordinates_visible")
    row = ("one", '{"camera": "GMOS", "spectroscopy": true, "central_wavelength_um": 0.5}', True)
    values = Listing(names, [row], truncated=False).columns(["camera", "spectroscopy", "gcal_lamp", "name"])
    assert {name: list(column) for name, column in values.items()} == {
        "camera": ["GMOS"],
        "spectroscopy": [True],
        "gcal_lamp": [None],
        "name": ["one"],
    }


def test_an_empty_list_has_no_elements() -> None:
    for keys in (NAMES, FILES, SUMMARIES):
        assert elements(Listing((), [], truncated=False), keys) == []
