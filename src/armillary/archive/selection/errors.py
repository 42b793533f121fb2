"""What can be wrong with a selection."""

from __future__ import annotations

from collections.abc import Sequence

from armillary.errors import BadRequest


class BadSelection(BadRequest):
    """The selection cannot be understood."""

    code = "bad_selection"

    def __init__(self, message: str | None = None, unrecognised: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.unrecognised = tuple(unrecognised)


class UnknownSelector(BadSelection):
    """A part of the selection is no selector; nothing is selected rather than too much."""

    code = "unknown_selector"


class MalformedSelector(BadSelection):
    """The value of a selector has not the form that it should have."""

    code = "malformed_selector"


class Malformed(ValueError):
    """Why a value cannot be read; the parser says of which selector it is."""
