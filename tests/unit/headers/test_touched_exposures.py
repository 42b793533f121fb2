"""What a late sample does to an exposure, and what becomes of it when a header was being made meanwhile."""

from __future__ import annotations

from msgspec.structs import replace

from armillary.headers.exposures.machine import END, rendered, touched
from armillary.headers.exposures.models import Because, Exposure, ExposureState, Latest, Seen
from armillary.headers.recipes.models import Block, Instant, Keyword, Pick, Recipe, Source, Window
from armillary.headers.render.routes import BLOCK_REACH, INTERP_REACH, longest_reach

SECOND = 1_000_000_000
NOW, SOON = 1000 * SECOND, 1005 * SECOND
ENDED = Seen(900 * SECOND, 900 * SECOND, "camera", "end", "boot", 1, {})
RECIPE = Recipe("spec1")
DONE = Exposure(
    "spec1",
    "A",
    "A",
    1,
    opened_at=0,
    state=ExposureState.PUBLISHED,
    moments={END: ENDED},
    latest={"raw": Latest(1, "x")},
    changed=2,
    rendered=2,
)
DUE = replace(DONE, due=NOW, because=Because.D2)


def test_a_finished_exposure_is_looked_at_again() -> None:
    after = touched(DONE, due=SOON, building=False)
    assert (after.due, after.because, after.changed) == (SOON, Because.LATE, 2)


def test_what_is_due_anyway_stays_so() -> None:
    assert touched(DUE, due=SOON, building=False) is DUE
    assert touched(replace(DONE, state=ExposureState.ABORTED), due=SOON, building=False).due is None


def test_what_is_being_made_is_made_again_later() -> None:
    after = rendered(touched(DUE, due=SOON, building=True), RECIPE, changed=2, now=NOW)
    assert (after.due, after.because, after.rendered) == (SOON, Because.LATE, 2)
    again = rendered(after, RECIPE, changed=3, now=SOON)
    assert (again.due, again.rendered) == (None, 3)


def test_a_first_header_is_not_kept_waiting() -> None:
    new = replace(DUE, latest={}, because=Because.END, due=ENDED.received)
    meanwhile = touched(new, due=SOON, building=True)
    assert (meanwhile.due, meanwhile.because) == (new.due, new.because)
    published = replace(meanwhile, latest=DONE.latest)
    after = rendered(published, RECIPE, changed=2, now=NOW)
    assert (after.due, after.because) == (ENDED.received, Because.END)


def test_headers_look_behind_their_exposure_as_far_as_their_keywords_do() -> None:
    source, at = Source("ptg", "mount", "ra"), Instant("end", -SECOND)
    blocks = replace(source, block=Block("timestamps"))
    assert longest_reach(RECIPE) == 0
    assert _reach(Keyword(source, at)) == 0
    assert _reach(Keyword(source, replace(at, offset=SECOND))) == SECOND
    assert _reach(Keyword(blocks, at)) == BLOCK_REACH - SECOND
    assert _reach(Keyword(source, at, pick=Pick.INTERP)) == INTERP_REACH - SECOND
    assert _reach(Keyword(source, Window(at, Instant("end")), settle=3 * SECOND)) == 3 * SECOND


def _reach(keyword: Keyword) -> int:
    return longest_reach(replace(RECIPE, keywords={"KEY": keyword}))
