"""Headers are judged while they are built: what is found is told with them, and changes none of their values."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from armillary.demo.telemetry import simulate
from armillary.headers.delivery.judging import judged, sheet_of
from armillary.headers.render.models import Header
from armillary.headers.render.sidecar import read_sidecar, sidecar
from armillary.headers.rules import service as rules
from tests.support.nights import rendered


def a_header(name: str) -> Header:
    """Return the header of the first image on the sky of a night."""
    return next(one for one in rendered(simulate(name, 3, 10)) if (one.card("HASTART") or _NOTHING).value)


class _NOTHING:
    value = None


def spoilt(header: Header, at: int, **values: Any) -> Header:
    """Return a header in which cards of an HDU have other values."""
    hdu = header.hdus[at]
    cards = [structs.replace(one, value=values.get(one.key, one.value)) for one in hdu.cards]
    hdus = [*header.hdus]
    hdus[at] = structs.replace(hdu, cards=cards)
    return structs.replace(header, hdus=hdus)


@pytest.mark.parametrize("name", ["spec1", "cam9"])
def test_what_cannot_be_true_is_told_in_the_side_car(name: str) -> None:
    clean = a_header(name)
    assert judged(clean) is clean
    header = judged(spoilt(clean, 0, DARKTIME=0.0, AMSTART=0.5))
    assert {"time-dark", "airmass-range"} <= {one.rule for one in header.findings}
    assert (header.hdus, header.content_hash) == (
        spoilt(clean, 0, DARKTIME=0.0, AMSTART=0.5).hdus,
        clean.content_hash,
    )
    written = sidecar(header, revision=1, supersedes=None)
    assert read_sidecar(written).findings == header.findings
    # The same as of the side-car as a file.
    found = rules.check(rules.sheets_of(written, header.image_id)[0])
    assert [one.rule for one in found] == [one.rule for one in header.findings]


def test_detectors_are_judged_where_there_are_few_cards() -> None:
    small, large = (a_header(name) for name in ("spec1", "cam9"))
    for header, found in ((small, ["detectors-name"]), (large, [])):
        wrong = judged(spoilt(header, 1, RAFTBAY="R99"))
        assert [one.rule for one in wrong.findings] == found
        whole = rules.check(sheet_of(spoilt(header, 1, RAFTBAY="R99")))
        assert [one.rule for one in whole] == ["detectors-name"]


def test_a_rule_that_stumbles_keeps_no_header_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("armillary.headers.delivery.judging.check", stumble)
    header = judged(a_header("spec1"))
    assert [(one.rule, one.severity) for one in header.findings] == [("rules", "warning")]
    assert "ZeroDivisionError" in header.findings[0].text
