"""What can be wrong with a compressed file."""

from __future__ import annotations

from http import HTTPStatus

from armillary.errors import ArmillaryError


class DamagedContainer(ArmillaryError):
    """The compressed file is damaged; fetch it again or restore it from a copy."""

    code, status = "damaged_container", HTTPStatus.UNPROCESSABLE_ENTITY


class DamagedImage(ArmillaryError):
    """The compressed tiles of the image are damaged; fetch the file again or restore it from a copy."""

    code, status = "damaged_image", HTTPStatus.UNPROCESSABLE_ENTITY


class UnpackedTooLarge(ArmillaryError):
    """The file unpacks to more bytes than archive.max_unpacked allows; raise the limit to accept it."""

    code, status = "unpacked_too_large", HTTPStatus.UNPROCESSABLE_ENTITY


class ContainerMismatch(ArmillaryError):
    """The suffix of the file name does not match the compression of its contents."""

    code, status = "container_mismatch", HTTPStatus.UNPROCESSABLE_ENTITY
