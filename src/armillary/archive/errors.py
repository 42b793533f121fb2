"""What goes wrong when files are taken in, found, or handed out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from armillary.errors import ArmillaryError, BadRequest, Conflict, Forbidden, NotFound, Unavailable


class FileUnreadable(ArmillaryError):
    """The file cannot be read; give the account that runs Armillary permission to read it."""

    code, status = "file_unreadable", HTTPStatus.UNPROCESSABLE_ENTITY


class FileVanished(NotFound):
    """The file is gone; it was there when it was found."""

    code = "file_vanished"


class StillGrowing(ArmillaryError):
    """The file is still being written; it is taken in once it rests."""

    code, status, transient = "still_growing", HTTPStatus.CONFLICT, True


class SameFileTwice(Conflict):
    """Two names lead to one file on disk; ingest one of them."""

    code = "same_file_twice"


class TwoContainers(Conflict):
    """The file lies there both compressed and uncompressed; remove one of them."""

    code = "two_containers"


class OutsideRoots(BadRequest):
    """The path leads out of the directory that it was found in."""

    code = "outside_roots"


class UnknownRoot(NotFound):
    """There is no such root; see armillary root list."""

    code = "unknown_root"


class NotWatchable(BadRequest):
    """Only a directory can be watched, and only as a whole."""

    code = "not_watchable"


class BadFileName(BadRequest):
    """A file name has no control characters, slashes or '..', and at most 255 bytes of UTF-8."""

    code = "bad_file_name"


class FileNotFound(NotFound):
    """No such file is in the archive."""

    code = "file_not_found"


class FileAmbiguous(Conflict):
    """Several present files have that name; give the path."""

    code = "file_ambiguous"

    def __init__(self, message: str | None = None, paths: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.paths = tuple(paths)
        """Some of the paths, if they are known."""


class NamesNotUnique(Conflict):
    """Several present files of different content have one name; rename all but one of them, then ingest them."""

    code = "names_not_unique"

    @classmethod
    def of(cls, root: str, places: Mapping[str, Sequence[str]], *, most: int) -> NamesNotUnique:
        """Return the refusal to let names alone identify the files of a root, with ``most`` names and places."""
        told = "; ".join(f"{name}: {', '.join(found[:most])}" for name, found in [*places.items()][:most])
        more = "; and others" if len(places) > most else ""
        return cls(
            f"Names cannot identify the files of {root}, since some stand for several files of different content:"
            f" {told}{more}. Rename all but one of each, ingest the directory again, then repeat this."
        )


class FileEmbargoed(Forbidden):
    """The file is not public yet; show a token that may read it."""

    code = "file_embargoed"


class NoPreview(NotFound):
    """No preview: the file has no image, or its preview is not made yet."""

    code = "no_preview"


class NoImage(NotFound):
    """The file has no image of two or more axes."""

    code = "no_image"


class TileNotFound(NotFound):
    """No such tile. The index of the file, /v1/files/NAME/tiles, tells which images and levels there are."""

    code = "tile_not_found"


class TilesPending(NotFound):
    """The tiles are being prepared; ask again in a moment."""

    code = "tiles_pending"


class TilesSuperseded(Conflict):
    """The file has other pixels by now; load the index of its tiles again."""

    code = "tiles_superseded"


class PictureTooLarge(ArmillaryError):
    """Making a preview takes more memory than archive.preview_memory allows; raise the limit to accept it."""

    code, status = "picture_too_large", HTTPStatus.UNPROCESSABLE_ENTITY


class PictureTooSlow(ArmillaryError):
    """Making a preview takes longer than archive.preview_s allows; raise the limit to accept it."""

    code, status, transient = "picture_too_slow", HTTPStatus.UNPROCESSABLE_ENTITY, True


class PictureFailed(ArmillaryError):
    """The process that made the preview died; the image may be damaged in a way that its decoder does not bear."""

    code, status, transient = "picture_failed", HTTPStatus.UNPROCESSABLE_ENTITY, True


class MediaSourceMissing(ArmillaryError):
    """The picture or movie that was asked for is not there; put it there, or ask for another one."""

    code, status = "media_source_missing", HTTPStatus.UNPROCESSABLE_ENTITY


class MediaUnreadable(ArmillaryError):
    """The picture or movie cannot be read; replace it by a sound one."""

    # It may be on its way still.
    code, status, transient = "media_unreadable", HTTPStatus.UNPROCESSABLE_ENTITY, True


class MediaTooLarge(ArmillaryError):
    """The picture or movie has more pixels than are decoded; make it smaller."""

    code, status = "media_too_large", HTTPStatus.UNPROCESSABLE_ENTITY


class NoEncoder(ArmillaryError):
    """No encoder of movies is installed: install armillary[media]."""

    code, status = "no_encoder", HTTPStatus.UNPROCESSABLE_ENTITY


class BadMediaOption(BadRequest):
    """The option for pictures and movies has a value that it cannot have."""

    code = "bad_media_option"


class VersionNotFound(NotFound):
    """The file has no such version."""

    code = "version_not_found"


class HeadersForgotten(ArmillaryError):
    """The headers of that version were not kept: it was replaced longer ago than retention.versions_days."""

    code, status = "headers_forgotten", HTTPStatus.GONE


class BeingChanged(Unavailable):
    """The file is being edited; retry in a moment."""

    code, status = "being_changed", HTTPStatus.SERVICE_UNAVAILABLE


class HduNotFound(ArmillaryError):
    """The file has no such HDU. Give an index, or an EXTNAME that occurs once."""

    code, status = "hdu_not_found", HTTPStatus.NOT_FOUND


class BadCursor(BadRequest):
    """Invalid cursor. Use the one of the previous page, or leave it out."""

    code = "bad_cursor"


class TooManyFiles(BadRequest):
    """One download may not hold so many files; ask for fewer."""

    code = "too_many_files"


class BundleBroken(ArmillaryError):
    """A file ended early while it was sent; the download is void."""

    code = "bundle_broken"


class OidUnknown(ArmillaryError):
    """The headers do not tell by which oid the file is known."""

    code, status = "oid_unknown", HTTPStatus.UNPROCESSABLE_ENTITY
