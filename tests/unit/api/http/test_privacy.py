"""Rules for caches are made stricter, never looser, and every answer says on what it depends."""

from __future__ import annotations

import pytest

from armillary.api.http.carriers import NO_COOKIES
from armillary.api.http.privacy import marked


def said(*headers: tuple[str, str], shown: bool = True) -> dict[str, str]:
    """Return what an answer says in the end; each name once."""
    found = marked([(name.encode(), value.encode()) for name, value in headers], NO_COOKIES, shown=shown)
    names = [name.decode() for name, _ in found]
    assert len(names) == len(set(names))
    return {name.decode(): value.decode() for name, value in found}


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ("no-store", "no-store"),
        ("No-Store, max-age=0", "No-Store, max-age=0"),
        ("private, max-age=3600", "private, max-age=3600"),
        # The form of Gemini's replies is a contract to the letter; a cache asks here each time, and is refused.
        ("no-cache", "no-cache"),
        ("max-age=60", "max-age=60, private"),
        ("public, max-age=60", "max-age=60, private"),
        ("", "private"),
    ],
)
def test_whoever_showed_something_gets_an_answer_of_their_own(rule: str, kept: str) -> None:
    assert said(("cache-control", rule))["cache-control"] == kept


def test_a_route_without_a_rule_gets_one_only_for_those_who_showed_something() -> None:
    assert said()["cache-control"] == "private"
    assert "cache-control" not in said(shown=False)
    assert said(("cache-control", "public"), shown=False)["cache-control"] == "public"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Accept", "Accept, Authorization, Cookie, X-Api-Key"),
        ("cookie", "cookie, Authorization, X-Api-Key"),
        ("*", "*"),
    ],
)
def test_what_an_answer_depends_on_is_added_to_what_the_route_says(before: str, after: str) -> None:
    assert said(("vary", before))["vary"] == after
    assert said(("vary", before), shown=False)["vary"] == after


def test_other_headers_stay() -> None:
    found = said(("etag", '"x"'), ("x-content-type-options", "sniff"))
    assert (found["etag"], found["x-content-type-options"]) == ('"x"', "nosniff")
