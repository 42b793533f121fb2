"""What lies behind PRIMARY is made once of equal values, and nobody can tell."""

from __future__ import annotations

from msgspec import structs

from armillary.base.bus.models import Stored
from armillary.headers.recipes.models import Recipe, Template
from armillary.headers.recipes.service import load, reference_directory
from armillary.headers.render.body import Hdus
from armillary.headers.render.fitsfile import fits_bytes
from armillary.headers.render.hashing import content_hash
from armillary.headers.render.models import Exposure, Header
from armillary.headers.render.rendering import render
from armillary.headers.render.sidecar import read_sidecar, sidecar
from armillary.headers.render.specimen import Specimen

SECOND = 1_000_000_000


def cam205() -> tuple[Recipe, Template]:
    loaded = load(reference_directory())
    return loaded.recipes["cam205"], loaded.templates["cam205", "raw"]


def made(one: Specimen, exposure: Exposure, answers: list[list[Stored]]) -> Header:
    return render(one.recipe, one.template, exposure, answers, created=one.start)


def ended(exposure: Exposure, later: int) -> Exposure:
    """Return an exposure whose end came later."""
    end = exposure.moments["end"]
    assert end.t is not None
    moments = exposure.moments | {"end": structs.replace(end, t=end.t + later)}
    payloads = exposure.payloads | {"end": exposure.payloads["end"] | {"dark_time": 7.25}}
    return structs.replace(exposure, moments=moments, payloads=payloads)


def body_of(header: Header) -> object:
    assert isinstance(header.hdus, Hdus)
    return header.hdus.body


def test_headers_that_differ_in_their_ends_share_the_hdus_of_detectors() -> None:
    one = Specimen(*cam205())
    first = made(one, one.exposure, one.answers())
    again = made(one, ended(one.exposure, SECOND), one.answers())
    other = Specimen(*cam205(), number=2)
    assert body_of(first) is body_of(again)
    assert body_of(first) is not body_of(made(other, other.exposure, other.answers()))
    assert first.content_hash != again.content_hash


def test_values_of_another_type_are_others() -> None:
    one = Specimen(*cam205())
    answers = one.answers()
    first = made(one, one.exposure, answers)
    for some in answers:
        for sample in some:
            if isinstance(sample.payload.get("gain"), list):
                sample.payload["gain"] = [1] * len(sample.payload["gain"])
    whole = made(one, one.exposure, answers)
    for some in answers:
        for sample in some:
            if isinstance(sample.payload.get("gain"), list):
                sample.payload["gain"] = [1.0] * len(sample.payload["gain"])
    broken = made(one, one.exposure, answers)
    assert len({id(body_of(header)) for header in (first, whole, broken)}) == 3


def test_forms_of_shared_hdus_have_the_bytes_of_their_own() -> None:
    one = Specimen(*cam205())
    made(one, one.exposure, one.answers())
    header = made(one, ended(one.exposure, SECOND), one.answers())
    alone = structs.replace(header, hdus=list(header.hdus))
    for _ in range(2):
        packed = sidecar(header, revision=1, supersedes=None)
        assert packed == sidecar(alone, revision=1, supersedes=None)
        assert fits_bytes(header) == fits_bytes(alone)
        assert fits_bytes(header, detector="R22_S11") == fits_bytes(alone, detector="R22_S11")
        assert content_hash(header.hdus, header.volatile) == content_hash(alone.hdus, header.volatile)
    assert read_sidecar(packed) == header
