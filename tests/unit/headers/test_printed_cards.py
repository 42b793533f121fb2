"""What lint lets pass is printed whole: no comment is cut, and every unit stands before it."""

from __future__ import annotations

import io

import pytest
from astropy.io import fits

from armillary.headers.recipes.service import load, reference_directory
from armillary.headers.render.fitsfile import fits_bytes
from armillary.headers.render.models import Header
from armillary.headers.render.rendering import render
from armillary.headers.render.specimen import Specimen


def tracked(instrument: str) -> Header:
    """Return a header in which every card has a value: of one that tracks, and is a flat for the lamps."""
    loaded = load(reference_directory())
    recipe, template = loaded.recipes[instrument], loaded.templates[instrument, "raw"]
    for number in range(1, 100):
        one = Specimen(recipe, template, number=number)
        header = render(
            recipe, template, one.exposure, one.answers(), created=one.start + 60_000_000_000, deadline=False
        )
        values = {card.key: card.value for card in header.hdus[0].cards}
        if (values["TRACKSYS"], values["IMGTYPE"]) == ("RADEC", "FLAT"):
            return header
    raise AssertionError("no specimen is such an exposure")


@pytest.mark.parametrize("instrument", ["spec1", "cam9", "cam205"])
def test_cards_of_reference_instruments_are_printed_whole(instrument: str) -> None:
    header = tracked(instrument)
    assert header.complete
    assert header.science_complete
    assert [card.key for hdu in header.hdus for card in hdu.cards if card.value is None] == []
    with fits.open(io.BytesIO(fits_bytes(header))) as file:
        for hdu, made in zip(file, header.hdus, strict=True):
            printed = {card.key: hdu.header.comments[card.key] for card in made.cards}
            assert printed == {
                card.key: f"[{card.unit}] {card.comment}" if card.unit else card.comment
                for card in made.cards
            }
