"""What no selection is, and how that is told."""

from __future__ import annotations

import pytest

from armillary.archive.query.errors import BadSelection
from armillary.archive.query.grammar import MalformedSelector, UnknownSelector
from tests.support.selections import selected


@pytest.mark.parametrize(
    "segment",
    [
        "Pas", "pass", "bias2", "gmosx", "telescope=Gemini-North", "Raw_iq=70", "2x3", "3x3", "LSX", "notimaging",
        "N20260101S0001.txt", "M20260101", "GN-2022A-Z-1", "GN-2022A-Q", "'; DROP TABLE frame; --", "=", "=x",
        "nokey=x.fits", "notdefaults", "\u0661\u0662", "warnings",
    ],
)  # fmt: skip
def test_unknown_selectors_are_refused_by_name(segment: str) -> None:
    with pytest.raises(UnknownSelector) as caught:
        selected(f"present/{segment}")
    assert caught.value.unrecognised == (segment,)
    assert caught.value.status == 400


def test_the_nearest_word_is_offered() -> None:
    with pytest.raises(UnknownSelector, match="did you mean 'NotFail'"):
        selected("NotFial")


def test_a_lenient_parser_reports_what_it_left_out() -> None:
    found = selected("present/nonsense/20260101/foo=1", lenient=True)
    assert found.unrecognised == ("nonsense", "foo=1")
    assert len(found.terms) == 2


@pytest.mark.parametrize(
    "segment",
    [
        "20260231", "20261301", "00000101", "date=2026", "date=", "date=20260101-20260102", "night=today2",
        "date=2026-01-01T00:00", "20260101-20260231", "daterange=20260101", "daterange=20260101-", "daterange=--",
        "daterange=20260101--", "nightrange=20260101T000000-20260102T000000", "entrytimedaterange=yesterday",
        "lastmoddaterange=2026-01-01T25:00--2026-01-02", "99991231", "2026-01-01--x",
        "az=", "az=x", "el=10-", "el=1-2-3", "el=nan", "el=inf", "el=1e5", "crpa=--1", "cenwlen=x",
        "exposure_time=-", "exposure_time=1-x", "coadds=1.5", "coadds=-1", "coadds=99999999999",
        "raw_iq=x", "raw_bg=0", "raw_wv=101", "ra=x/dec=1", "ra=361/dec=1", "ra=25:00:00/dec=0", "ra=1:60/dec=0",
        "ra=1/dec=91", "dec=-91", "ra=-1", "ra=1/dec=1/sr=x", "ra=1/dec=1/sr=181d", "sr=10", "ra=1-2/dec=1-2/sr=5",
        "ra=1/ra=2/dec=3", "ra=1--2", "object=", "progid=", "filename=", "filter= ", "PIname=", "ra=", "dec=",
        "ra=1/dec=2/sr=",
    ],
)  # fmt: skip
def test_malformed_values_are_refused_even_by_a_lenient_parser(segment: str) -> None:
    for lenient in (False, True):
        with pytest.raises(MalformedSelector) as caught:
            selected(f"present/{segment}", lenient=lenient)
        assert caught.value.status == 400
        assert set(caught.value.unrecognised) <= set(segment.split("/"))
        assert caught.value.unrecognised


def test_endless_selections_are_refused() -> None:
    with pytest.raises(BadSelection):
        selected("present/" * 101)
    with pytest.raises(BadSelection):
        selected("x" * 1001)
    with pytest.raises(BadSelection):
        selected("object=a\x00b")
