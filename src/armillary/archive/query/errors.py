"""What can be wrong with a selection."""

from __future__ import annotations

from collections.abc import Sequence

from armillary.errors import BadRequest


class BadSelection(BadRequest):
    """Invalid selection."""

    code = "bad_selection"

    def __init__(self, message: str | None = None, unrecognised: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.unrecognised = tuple(unrecognised)


class UnknownSelector(BadSelection):
    """Unknown selector; nothing was selected."""

    code = "unknown_selector"


class MalformedSelector(BadSelection):
    """Invalid value of a selector."""

    code = "malformed_selector"


class Malformed(ValueError):
    """Why a value cannot be read; the parser says of which selector it is."""


class BadPredicate(BadRequest):
    """A keyword condition reads KEYWORD=VALUE, or with !=, <, <=, >, >=."""

    code = "bad_predicate"
