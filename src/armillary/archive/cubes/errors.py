"""What goes wrong when a file of an ingestion root is to become a cube."""

from __future__ import annotations

from http import HTTPStatus

from armillary.errors import ArmillaryError, BadRequest, Conflict, NotFound, Unavailable


class CubeRefused(ArmillaryError):
    """The headers of the file do not say what a cube has to say."""

    code, status = "cube_refused", HTTPStatus.UNPROCESSABLE_ENTITY


class SecondOid(Conflict):
    """The file is a cube of another oid already; say `additional` to let it be both."""

    code = "second_oid"


class CubeNotFound(NotFound):
    """No such cube is in the archive."""

    code = "cube_not_found"


class NothingToRetire(NotFound):
    """The archive has no such file."""

    code = "nothing_to_retire"


class NotInRoot(BadRequest):
    """The path is no FITS file below an ingestion root."""

    code = "not_in_root"


class UnknownIngestionRoot(BadRequest):
    """There is no ingestion root of that name; see the setting ingestion.roots."""

    code = "unknown_ingestion_root"


class NoSuchSource(BadRequest):
    """The picture or the movie is no file below the root."""

    code = "no_such_source"
    option = "image_source"

    @classmethod
    def of(cls, option: str, why: str) -> NoSuchSource:
        """Return the refusal of what an option names."""
        error = cls(f"{option}: {why}")
        error.option = option
        return error


class RootNotSetUp(Unavailable):
    """The ingestion root is not set up yet; start a worker first."""

    code = "root_not_set_up"


class NoIngestionRoot(BadRequest):
    """There is no ingestion root; name directories in the setting ingestion.roots."""

    code = "no_ingestion_root"
