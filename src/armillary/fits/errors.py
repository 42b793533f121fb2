"""Failures of FITS bytes: what was found, and what to do about it."""

from __future__ import annotations

from http import HTTPStatus

from armillary.errors import ArmillaryError


class EmptyFile(ArmillaryError):
    """The file is empty; copy or upload it again."""

    code, status = "empty_file", HTTPStatus.UNPROCESSABLE_ENTITY


class NotFits(ArmillaryError):
    """The file does not begin with a SIMPLE card, so it is not FITS."""

    code, status = "not_fits", HTTPStatus.UNPROCESSABLE_ENTITY


class TruncatedFile(ArmillaryError):
    """The file ends before the bytes that its headers declare; copy or upload it again."""

    code, status = "truncated_file", HTTPStatus.UNPROCESSABLE_ENTITY


class HeaderTooLong(ArmillaryError):
    """The headers of the file are longer than accepted here; raise archive.max_header if that is intended."""

    code, status = "header_too_long", HTTPStatus.UNPROCESSABLE_ENTITY


class HeaderWithoutEnd(ArmillaryError):
    """A header has no END card; write the file again with a FITS library."""

    code, status = "header_without_end", HTTPStatus.UNPROCESSABLE_ENTITY


class BrokenStructure(ArmillaryError):
    """The cards that describe the structure of an HDU contradict the FITS standard; repair the file first."""

    code, status = "broken_structure", HTTPStatus.UNPROCESSABLE_ENTITY


class PlanMismatch(ArmillaryError):
    """The bytes are not those that the edit was planned for; plan it again from the present bytes."""

    code, status = "plan_mismatch", HTTPStatus.CONFLICT


class InvalidKeyword(ArmillaryError):
    """A keyword is one to eight letters, digits, hyphens or underscores."""

    code, status = "invalid_keyword", HTTPStatus.UNPROCESSABLE_ENTITY


class KeywordProtected(ArmillaryError):
    """That keyword describes the structure of the file and cannot be edited."""

    code, status = "keyword_protected", HTTPStatus.UNPROCESSABLE_ENTITY


class InvalidValue(ArmillaryError):
    """A value is a string of printable ASCII, a boolean, a 64-bit integer, a finite float or null."""

    code, status = "invalid_value", HTTPStatus.UNPROCESSABLE_ENTITY


class KeywordsMissing(ArmillaryError):
    """Some of the keywords don't exist in the file."""

    code, status = "keywords_missing", HTTPStatus.UNPROCESSABLE_ENTITY


class TableUnreadable(ArmillaryError):
    """A binary table, or a column of it, cannot be read."""

    code, status = "table_unreadable", HTTPStatus.UNPROCESSABLE_ENTITY
