"""Simulated nights: equal bytes for equal seeds, samples as catalogues say, headers as the truth says."""

from __future__ import annotations

import hashlib
import itertools
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from armillary.demo.telemetry import INSTRUMENTS, astronomy, simulate
from armillary.demo.telemetry.faults import HARMLESS, Fault, Spoiler
from armillary.demo.telemetry.files import SAMPLES, TRUTH, line_of, read_recording, read_truth, write_night
from armillary.demo.telemetry.plan import FLAT, OBJECT
from armillary.headers.delivery.judging import sheet_of
from armillary.headers.render.sidecar import sidecar
from armillary.headers.rules import service as rules
from tests.support.nights import differences, reference, rendered

COUNT = 10
instruments = pytest.mark.parametrize("name", INSTRUMENTS)
_KINDS = {"str": str, "int": int, "float": float, "bool": bool, "list": list}


@instruments
def test_each_header_that_is_rendered_says_the_truth(name: str) -> None:
    night = simulate(name, 3, COUNT)
    truth = {one.image_id: one for one in night.truth()}
    headers = list(rendered(night))
    assert [one.image_id for one in headers] == sorted(truth)
    wrong = {one.image_id: differences(one, truth[one.image_id]) for one in headers}
    assert {key: some for key, some in wrong.items() if some} == {}
    assert all(one.complete and one.science_complete and not one.simulated for one in headers)
    assert [found for one in headers for found in one.findings] == []


def test_differences_are_noticed() -> None:
    night = simulate("cam9", 3, 3)
    (first, *_), (header, *_) = night.truth(), list(rendered(night))
    for key, value in (("FOCUSZ", 0.5), ("FILTER", "x"), ("SEQNUM", 7), ("AMSTART", 1.0), ("EXTRA", None)):
        first.primary[key] = value
    first.detectors["R22_S11"]["PREH"] = 4
    assert len(differences(header, first)) == 6


@instruments
def test_equal_seeds_give_equal_bytes(name: str, tmp_path: Path) -> None:
    digests = defaultdict(set)
    for run, seed in enumerate((5, 5, 6)):
        files = write_night(simulate(name, seed, 3), tmp_path / str(run))[:2]
        assert [path.name for path in files] == [f"{name}-{SAMPLES}", f"{name}-{TRUTH}"]
        for path in files:
            digests[seed].add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert (len(digests[5]), len(digests[6])) == (2, 2)
    assert not digests[5] & digests[6]


@instruments
def test_files_are_read_as_they_were_written(name: str, tmp_path: Path) -> None:
    night = simulate(name, 1, 2)
    samples, truth, count = write_night(night, tmp_path)
    read = list(read_recording(samples))
    assert len(read) == count
    assert [one.sample for one in read] == [one.sample for one in night.samples()]
    assert [one.arrives for one in read] == sorted(one.arrives for one in read)
    assert read_truth(truth) == night.truth()


@instruments
def test_samples_are_as_the_catalogues_say(name: str) -> None:
    catalogue = reference().catalogue
    seen = set()
    for one in simulate(name, 2, 8).samples():
        sample = one.sample
        topic = catalogue.topic(sample.source, sample.topic)
        assert topic is not None, sample.topic
        seen.add((sample.source, sample.topic))
        assert sample.kind == topic.kind
        assert sample.payload.keys() == topic.fields.keys()
        for field, value in sample.payload.items():
            assert type(value) is _KINDS[topic.fields[field].type], (sample.topic, field)
    recipe = reference().recipes[name]
    sources = {key: one.component for key, one in recipe.sources.items()}
    wanted = {(sources[one.source], one.topic) for one in recipe.moments.values()}
    assert wanted <= seen
    assert set(sources.values()) <= {source for source, _ in seen}


@instruments
def test_samples_arrive_in_order_and_are_told_apart(name: str) -> None:
    said = list(simulate(name, 2, 8).samples())
    assert all(one.arrives <= other.arrives for one, other in itertools.pairwise(said))
    assert len({one.sample.identity for one in said}) == len(said)
    assert all(one.arrives > (one.sample.t_event or 0) for one in said)


@instruments
def test_a_night_has_everything_in_it(name: str) -> None:
    night = simulate(name, 4, 120)
    exposures = night.plan.exposures
    assert len(exposures) == 120
    assert {one.visit.kind for one in exposures} == {"BIAS", "DARK", FLAT, OBJECT, "ENGTEST"}
    steps = [other.start - one.start for one, other in itertools.pairwise(exposures)]
    assert min(step for step, one in zip(steps, exposures, strict=False) if one.visit.kind == OBJECT) < 17.2e9
    # The next image often begins before the last one has told its end.
    assert any(other.start < one.end for one, other in itertools.pairwise(exposures))
    reasons = {(key, reason) for one in night.truth() for key, reason in one.reasons.items()}
    assert {("SEEING", "never_seen"), ("SEEING", "expired"), ("RA", "not_applicable")} <= reasons
    assert {one.primary["VIGNETTE"] for one in night.truth()} == {"NO", "PARTIALLY", "FULLY"}


@instruments
def test_the_telescope_points_where_astropy_says(name: str) -> None:
    """Azimuth and elevation of ICRS positions by astropy, without refraction: within 3 arcseconds."""
    import astropy.units as u
    from astropy.coordinates import AltAz, EarthLocation, SkyCoord
    from astropy.utils import iers

    night = simulate(name, 7, 40)
    site = night.plan.instrument.site
    place = EarthLocation.from_geodetic(site.lon_deg * u.deg, site.lat_deg * u.deg, site.height_m * u.m)
    chosen = [one for one in night.plan.exposures if one.visit.kind == OBJECT]
    said = [night.state.mount([one.readout]) for one in chosen]
    with iers.conf.set_temp("auto_download", False), iers.conf.set_temp("auto_max_age", None):
        times = astronomy.times_of([one.readout for one in chosen])
        ra, dec = np.array([one.ra[0] for one in said]), np.array([one.dec[0] for one in said])
        found = SkyCoord(ra * u.deg, dec * u.deg).transform_to(AltAz(obstime=times, location=place))
    there = SkyCoord([one.azimuth[0] for one in said], [one.elevation[0] for one in said], unit="deg")
    here = SkyCoord(found.az.deg, found.alt.deg, unit="deg")
    assert float(there.separation(here).arcsec.max()) < 3.0
    assert min(float(one.elevation[0]) for one in said) > 25.0


def test_a_night_can_begin_now() -> None:
    start = 1_800_000_000 * 10**9
    night = simulate("cam9", 1, 30, start=start)
    assert night.plan.started == start
    assert night.plan.ended - start < 3600 * 10**9
    assert night.truth()[0].day_obs == 20270114


def test_an_unknown_instrument_is_named() -> None:
    with pytest.raises(LookupError, match="spec1, cam9, cam205"):
        simulate("cam7", 1, 1)


def test_lines_hold_numbers_that_json_has_no_words_for() -> None:
    (one, *_) = simulate("cam9", 1, 1).samples()
    odd = structs.replace(one.sample, payload={"a": [float("nan"), None], "b": float("-inf")})
    assert b'{"a":[NaN,null],"b":-Infinity}' in line_of(odd)


def test_faults_that_lose_nothing_change_no_header() -> None:
    night = simulate("cam9", 5, 6)
    spoiler = Spoiler(5, HARMLESS, 0.01)
    said = list(spoiler.spoil(night.samples()))
    assert {one.fault for one in spoiler.done} == HARMLESS
    assert [one.arrives for one in said] == sorted(one.arrives for one in said)
    assert len(said) > len({one.sample.identity for one in said})
    # Whoever stores a sample twice stores it once.
    once = {one.sample.identity: one for one in reversed(said)}
    hashes = [one.content_hash for one in rendered(night, once.values())]
    assert hashes == [one.content_hash for one in rendered(night)]


@pytest.mark.parametrize("fault", sorted(set(Fault) - HARMLESS))
def test_a_fault_that_loses_something_is_noted(fault: Fault) -> None:
    night = simulate("spec1", 5, 6)
    spoiler = Spoiler(5, [fault], 0.05)
    said = list(spoiler.spoil(night.samples()))
    assert spoiler.done
    before = {one.sample.identity: line_of(one.sample) for one in night.samples()}
    after = {one.sample.identity: line_of(one.sample) for one in said}
    changed = {key for key, line in before.items() if after.get(key) != line}
    assert changed
    # A value may be what it would have been without the fault.
    assert changed <= {one.sample for one in spoiler.done}
    again = Spoiler(5, [fault], 0.05)
    assert [line_of(one.sample) for one in again.spoil(night.samples())] == [
        line_of(one.sample) for one in said
    ]


def test_every_image_has_a_header_whatever_goes_wrong() -> None:
    night = simulate("cam9", 9, 12)
    moments = ("start_integration", "start_readout", "end_of_telemetry")
    spoiler = Spoiler(9, spare=moments, rate=0.01)
    said = {one.sample.identity: one for one in spoiler.spoil(night.samples())}
    headers = {one.image_id: one for one in rendered(night, said.values())}
    assert {one.image_id for one in night.plan.exposures} <= headers.keys()
    assert {Fault.NAN, Fault.DROP, Fault.SHAPE, Fault.SKEW} <= {one.fault for one in spoiler.done}


@pytest.mark.parametrize(("name", "count"), [("cam9", 10), ("cam205", 30)])
def test_nothing_is_found_in_exposures_together(name: str, count: int) -> None:
    sheets = []
    # In a night that begins now, exposures follow each other at once: less than an hour of telemetry.
    for header in rendered(simulate(name, 3, count, start=1_800_000_000 * 10**9)):
        sheet = sheet_of(header)
        assert rules.check(sheet) == []
        sheets.append(rules.slim(sheet))
    assert len(sheets) == count
    assert rules.check_set(sheets) == []


@instruments
def test_nothing_is_found_on_a_clean_night(name: str) -> None:
    for header in rendered(simulate(name, 3, COUNT)):
        for sheet in rules.sheets_of(sidecar(header, revision=1, supersedes=None), f"{header.image_id}.json"):
            assert rules.check(sheet) == []
