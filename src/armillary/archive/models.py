"""The words of the archive that every surface shares."""

from __future__ import annotations

from enum import StrEnum

MAX_PAGE = 1000
"""Most frames of one page."""


class QaState(StrEnum):
    """How far a frame can be trusted, as published."""

    UNDEFINED = "Undefined"
    PASS = "Pass"  # noqa: S105  (a quality word, not a password)
    USABLE = "Usable"
    FAIL = "Fail"
    CHECK = "CHECK"
