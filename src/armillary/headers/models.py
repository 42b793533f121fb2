"""The words that all parts of the header service share."""

from __future__ import annotations

from enum import StrEnum


class Level(StrEnum):
    """On which kind of HDU a card stands."""

    PRIMARY = "primary"
    DETECTOR = "detector"
    SEGMENT = "segment"


class Required(StrEnum):
    """What a card is needed for."""

    NONE = "none"
    INGEST = "ingest"
    SCIENCE = "science"


class Reason(StrEnum):
    """Why a card has no value."""

    NEVER_SEEN = "never_seen"
    STALE = "stale"
    EXPIRED = "expired"
    LATE = "late"
    INVALID = "invalid"
    RANGE = "range"
    TYPE = "type"
    EXTRACTION_ERROR = "extraction_error"
    LENGTH_MISMATCH = "length_mismatch"
    IMAGE_MISMATCH = "image_mismatch"
    NOT_APPLICABLE = "not_applicable"
    DERIVE_FAILED = "derive_failed"
    SOURCE_ERROR = "source_error"
